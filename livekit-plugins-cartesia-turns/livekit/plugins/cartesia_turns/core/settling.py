"""Which audio the end of a turn settles: the one place for that question, with all its numbers.

The wire acknowledges no audio. Only the order is certain, since TCP delivers in order, both ways. If a `turn.end` comes
after the pong of a ping, the server had received all audio that was sent before that ping when it sent the `turn.end`.
If it comes before the pong of the next ping, the server had not read that ping yet. `Receipts` keeps these marks.

The turn.end settles all audio that the server had received by then except a tail, whatever it sounds like. That is in
doubt only if the server is late with its work: the next turn may then have begun in audio that the server has received
and not listened to yet. All positions are samples since the first audio of the call.

    the turn's speech       a pause       the next turn's speech
    ====================.................=======================
    ^ onset             |<--- PAUSE --->|           ^ heard: what the server had received when it said turn.end
                                               [----|------->  kept as a rule: TAIL, and all that follows
                                    [----|----------|------->  kept where the server is late: TAIL, and the speech

Each number trades one mistake for another. Words from audio that is kept in doubt are compared with the words just told
(see `echo`), so that neither mistake costs a turn.

- TAIL_S, or more where the server received more at one moment. Longer: the end of the last word may be heard again
  after a drop. Shorter: the onset of the next turn is cut off if it begins just as the server says turn.end.
- PROBE_S: how much audio lies between two pings while somebody speaks or a turn is open, which is how far `heard` can
  be wrong. Shorter: a ping of 6 bytes and its pong more often.
- PAUSE_S. Longer: a short pause before the next turn is missed, and words are lost if the server is late and the socket
  drops. Shorter: a pause between two words of the turn is taken for its end, and words are kept in doubt for nothing.
- LONGEST_LAG_S: how late a server may be, unless it has just received more than this at once. Longer: more of the turn
  itself may be kept in doubt. Shorter: the beginning of the next turn is lost if the server is later than this.
- USUAL_END_S: how long after speech a turn ends, until the call shows a shorter time. Longer: a late server is not
  noticed. Shorter: words are kept in doubt for nothing.
- JITTER_S: a delay up to this does not count as late. Speech that began behind a pause this recently lies in the tail.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .runs import Run

TAIL_S = 0.2
"""How much of the audio that the server had received at the end of a turn is kept all the same."""
PROBE_S = 0.2
"""In a turn, while somebody may speak, and in a backlog, a ping goes out after this much audio."""
PAUSE_S = 0.4
"""The shortest pause in which a turn may have ended."""
LONGEST_LAG_S = 1.0
"""How late a server may be with its work, in seconds of audio. Older audio is never in doubt."""
USUAL_END_S = 0.5
"""How long after the end of speech a turn ends, by the vendor's word: "around half a second"."""
JITTER_S = 0.1
"""A shorter delay than this does not count as late, since the tail is long enough for it."""
SERVER_LAG_S = 0.3
"""How long the server may take over audio that it has received. Before a socket's first pong, audio that was sent this
long ago counts as received."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a turn.end settles: the audio before `position`. `in_doubt`: audio behind it may belong to the turn too."""

    position: int
    in_doubt: bool = False


class Receipts:
    """Which audio the server has received, by the order of pongs and events on one socket."""

    def __init__(self) -> None:
        self._asked: list[tuple[float, int]] = []
        self._answered: tuple[float, int, float] | None = None
        self._answers: list[tuple[float, int]] = []
        self._greeted_at = math.inf

    def greeted(self, now: float) -> None:
        """The server said `connected`. Whatever it received before, it may only now begin to work on."""
        self._greeted_at = min(self._greeted_at, now)

    def asked(self, position: int, now: float) -> None:
        """The socket has taken a ping. All audio before this position was sent before it."""
        self._asked.append((now, position))

    @property
    def received(self) -> int | None:
        """The position up to which the server is known to have received the audio; None before the first pong."""
        return self._answered[1] if self._answered else None

    def answered(self, ping_at: float, now: float) -> None:
        """The ping that was sent at `ping_at` was answered."""
        while self._asked and self._asked[0][0] <= ping_at:
            sent_at, position = self._asked.pop(0)
            self._answered = (sent_at, position, now)
            self._answers.append((now, position))
        self._forget_worked(now)

    def unworked(self, now: float, heard: int) -> int:
        """How many of the samples before `heard` the server may not have worked on yet, since it just received them.

        That is more than a moment's audio if the server received a lot at once, as when a jam of the network clears.
        """
        self._forget_worked(now)
        return heard - self._answers[0][1] if self._answers else 0

    def at_once(self, now: float, heard: int, sent_by: Callable[[float], int]) -> int:
        """How many of the samples before `heard` were sent at one moment, as a long frame is."""
        return heard - min(heard, sent_by(self.heard_until(now) - JITTER_S))

    def _forget_worked(self, now: float) -> None:
        by = now - SERVER_LAG_S
        while len(self._answers) > 1 and self._answers[1][0] <= by and self._greeted_at <= by:
            del self._answers[0]

    def heard_until(self, now: float) -> float:
        """Up to when the audio had been sent that the server had received when it sent the message that came in now."""
        if self._answered is None:
            return now - SERVER_LAG_S
        ping_at, _, answered_at = self._answered
        # This message took as long to get here as the pong did. It came `now - answered_at` after the pong, so the
        # server sent it that much later, and had received the audio that was sent up to that much after the ping.
        return ping_at + now - answered_at

    def heard(self, now: float, sent_by: Callable[[float], int]) -> int:
        """The position up to which the server had received the audio when it sent the message that came in now.

        Args:
            now: the present, monotonic seconds.
            sent_by: returns the position up to which audio had been sent at a time.
        """
        if self._answered is None:
            return sent_by(self.heard_until(now))
        position = max(self._answered[1], sent_by(self.heard_until(now)))
        return min(position, self._asked[0][1]) if self._asked else position


class Settling:
    """Decides, turn by turn, which audio is settled.

    Args:
        sample_rate: of the audio, in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._tail = round(TAIL_S * sample_rate)
        self._pause = round(PAUSE_S * sample_rate)
        self._late = self._turn_late = round(LONGEST_LAG_S * sample_rate)
        self._usual = round(USUAL_END_S * sample_rate)
        self._jitter = round(JITTER_S * sample_rate)
        self._onset = self._settled = 0
        self._ended_in_time = False

    def may_be_whole(self, begins: int) -> bool:
        """Whether the audio from `begins` on may hold all speech of the turn that ended last.

        It may not if the turn began before that audio and speech came behind it. If a pause did, that pause ended the
        turn, and what seemed to be its beginning may have been a noise.
        """
        return begins <= self._onset or self._ended_in_time

    def turn_started(self, heard: int, runs: Iterable[Run], *, unworked: int = 0, finishing: bool = False) -> None:
        """The server said that a turn has started.

        Args:
            heard: as `Receipts.heard` returns it.
            runs: the audio that is held, in order.
            unworked: as `Receipts.unworked` returns it.
            finishing: the server was asked to finish, and may report turns long after it has received their audio.
        """
        # This turn can't begin in audio that an earlier turn settled.
        earliest = self._settled if finishing else max(heard - max(self._late, unworked) - self._usual, self._settled)
        onsets = [run.start for run in runs if run.voiced and earliest <= run.start < heard]
        self._onset = onsets[0] if onsets else heard
        # The server can't be later with its work than the time it took to notice the turn.
        self._turn_late = min(self._late, heard - onsets[0]) if onsets else self._late

    def turn_ended(self, heard: int, runs: Iterable[Run], *, unworked: int = 0, at_once: int = 0) -> Settled:
        """The server ended a turn, when it had received the audio up to `heard`; the arguments are as before.

        Args:
            heard: as before.
            runs: as before.
            unworked: as before.
            at_once: as `Receipts.at_once` returns it. The turn may have ended anywhere in that audio, and the next may
                have begun there. The turn's own speech lies the usual time before its end, less the tail, by which
                `heard` may be wrong.
        """
        limit = self._limit(heard, at_once, runs)
        settled = self._judge(heard, limit, runs, unworked if unworked > self._late else self._turn_late)
        self._settled = settled.position
        return settled

    def _limit(self, heard: int, at_once: int, runs: Iterable[Run]) -> int:
        """How far the audio is settled unless the server is late."""
        latest = heard - self._tail
        limit = min(latest, heard - min(at_once, self._usual - self._tail))
        # No turn ends within a voice, so what is left of one that was over in time belongs to this turn. If that is
        # wrong, it costs no more than the usual rule does, which settles all up to the tail.
        torn = [run.end for run in runs if run.voiced and run.start < limit < run.end <= latest]
        return torn[0] if torn else limit

    def _judge(self, heard: int, limit: int, runs: Iterable[Run], late: int) -> Settled:
        pauses: list[Run] = []
        self._ended_in_time = False
        for run in runs:
            if run.start >= heard:
                break
            if run.end >= heard and not run.voiced:
                self._ended_in_pause(heard - run.start)
            elif run.start > self._onset and not run.voiced and run.end - run.start >= self._pause:
                pauses.append(run)
        for pause in pauses:
            is_late = heard - pause.start > self._usual + self._jitter
            if is_late and pause.end > limit - late:
                return Settled(min(limit, max(pause.end - self._tail, limit - late)), in_doubt=True)
        return Settled(limit)

    def _ended_in_pause(self, samples: int) -> None:
        """A turn ended so many samples after its speech. If that is sooner than usual, it becomes the usual time."""
        if samples >= self._tail:
            self._ended_in_time = True
            self._usual = min(self._usual, samples)
