"""What can be measured of a turn: how late it ended, what its eager ends were worth, and whether the user was cut off.

All times are monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..wire.messages import TurnEagerEnd, TurnMessage

WENT_ON_S = 1.5
"""A user who speaks again at most this long after the end of a turn was perhaps not done."""


class EndedBy(Enum):
    """Why a turn ended when it did."""

    SERVER = "server"
    """The server decided that the user was done."""
    FLUSH = "flush"
    """A flush asked for the end, as a manual commit does."""
    END_OF_INPUT = "end of input"
    """No more audio came, and the server was asked to finish."""
    PLUGIN = "plugin"
    """The server did not end the turn, and the plugin closed it with the text so far."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured of a turn that has ended.

    `end_delay_s` is the time from the end of the speech to the end of the turn; None if the audio does not tell when
    the speech ended. `eager_lead_s` is the time from the turn.eager_end that proved right to the end of the turn; None
    if there was none. `resumes` counts the eager ends after which the user went on. `cut_off` is what ended the turn
    before this one, if the user went on within WENT_ON_S of its end; else None.
    """

    ended_by: EndedBy
    end_delay_s: float | None = None
    eager_lead_s: float | None = None
    resumes: int = 0
    cut_off: EndedBy | None = None


class Measuring:
    """Measures the turns of a stream, across its sockets.

    A replay repeats eager ends and resumes that were counted before. So after a socket was lost, nothing is counted
    until the turn has text again that is new to the consumer.
    """

    def __init__(self) -> None:
        self._eager_at: float | None = None
        self._resumes = 0
        self._is_repeat = False
        self._last: tuple[float, EndedBy] | None = None
        """When the last turn with words ended, and what ended it."""
        self._cut_off: EndedBy | None = None

    def started(self, speech_start: float) -> None:
        """A turn began, whose speech began at this time."""
        self._eager_at, self._resumes, self._is_repeat, self._cut_off = None, 0, False, None
        if self._last is not None and speech_start - self._last[0] <= WENT_ON_S:
            self._cut_off = self._last[1]

    def heard(self, message: TurnMessage, now: float, *, is_eager: bool, has_news: bool) -> None:
        """The turn took a message.

        Args:
            message: any but the one that ended the turn.
            now: the present.
            is_eager: the turn is eagerly ended now.
            has_news: the message brought text that is new to the consumer.
        """
        if has_news:
            self._is_repeat = False
        if self._is_repeat or (is_eager and not isinstance(message, TurnEagerEnd)):
            return
        if self._eager_at is not None and (has_news or not is_eager):
            self._resumes += 1
            self._eager_at = None
        if is_eager and self._eager_at is None:
            self._eager_at = now

    def lost(self) -> None:
        """The socket was lost."""
        self._is_repeat = True

    def ended(self, now: float, ended_by: EndedBy, speech_end: float | None, *, has_words: bool) -> Measures:
        """The turn ended; its speech ended at `speech_end`, or at a time that is not known.

        Only a turn with words can be cut off, or show that the one before it was.
        """
        measures = Measures(
            ended_by,
            end_delay_s=None if speech_end is None else now - speech_end,
            eager_lead_s=None if self._eager_at is None else now - self._eager_at,
            resumes=self._resumes,
            cut_off=self._cut_off if has_words else None,
        )
        if has_words:
            self._last = (now, ended_by)
        self._eager_at = None
        return measures
