"""What the user of a stream asks of it: limits to keep, a flush, and the end of the input.

All times are monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .events import Flushed, TurnEvent
from .link import HangUp, Link
from .pacing import CATCH_UP_SPEED

FLUSH_S = 1.0
"""How long a flush waits for the server to end the turn."""
FLUSH_SILENCE_S = 1.5
"""How much silence a flush sends at once: enough for the server to hear that the user is done."""
MOST_LOST_ENDS = 2
"""How many of the sockets that are lost after the end of the input, while no turn is open, are replaced."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a client; times are in seconds."""

    watchdog_min_timeout_s: float = 0.5
    buffer_s: float = 60.0
    connect_timeout_s: float = 10.0
    catch_up_speed: float = CATCH_UP_SPEED
    """A backlog is sent at most this many times faster than real time."""
    early_preflight: int = 0
    """How many speculative texts a turn may have, those of turn.eager_end included. With 0 only turn.eager_end makes
    some, without a limit."""


class FlushRule:
    """Whether a flush is under way, how long it waits, and what answers it."""

    def __init__(self) -> None:
        self.deadline: float = math.inf
        """When the client closes the turn with the text so far; inf without a flush."""

    @property
    def is_waiting(self) -> bool:
        """A flush was asked for and was not answered yet."""
        return self.deadline != math.inf

    def begin(self, now: float) -> None:
        """A flush was asked for. Another one before the answer counts as the same flush."""
        self.deadline = min(self.deadline, now + FLUSH_S)

    def turn_ended(self, events: Sequence[TurnEvent]) -> list[Flushed]:
        """The turn that a flush waits for is over. If it brought no text, a `Flushed` answers the flush."""
        if not self.is_waiting:
            return []
        self.deadline = math.inf
        return [] if any(event.transcript for event in events) else [Flushed()]


class InputEnd:
    """Whether more audio may come, and whether the server has answered all of it."""

    def __init__(self) -> None:
        self.has_come: bool = False
        """No more audio comes."""
        self.is_answered: bool = False
        """The server has answered all audio, or is not asked any more."""
        self._doubtful = 0

    def socket_ended(self, link: Link, *, clean: bool, in_turn: bool, has_voice: bool) -> None:
        """A socket has ended. Decides whether that answers all audio, if it was asked to finish.

        Args:
            link: the socket.
            clean: the server closed it in the ordinary way, and does not go away.
            in_turn: a turn is open.
            has_voice: somebody may speak in the audio that is held.
        """
        if link.close_sent:
            self.is_answered = self._is_answered(link, clean=clean, in_turn=in_turn, has_voice=has_voice)

    def _is_answered(self, link: Link, *, clean: bool, in_turn: bool, has_voice: bool) -> bool:
        all_told = link.has_finished or not has_voice
        if link.hang_up is HangUp.DRAINED or (clean and not in_turn and all_told):
            return True
        if in_turn and not clean:
            return False
        # The server may not have finished: a clean close in mid-turn, or without an event for the speech that was sent,
        # may come from a server that restarts. A socket that is lost while no turn is open may be its way to close.
        # So what is left is sent again on the next socket, a few times at most.
        self._doubtful += 1
        return self._doubtful > (1 if clean else MOST_LOST_ENDS)
