"""The ways in which a turn can hang, and when to act on each.

- The audio stops (mute, unpublish, a held call). The server waits for more and never ends the turn, since a gap is no
  silence to it (https://docs.cartesia.ai/use-the-api/stt/troubleshooting/auto). `Watchdog` decides how much silence to
  send in place of the audio.
- The events stop while audio flows. `StallRule` decides when to stop waiting for them, and `DeafRule` whether the
  server still hears after that.
- The socket is lost. `RescueRule` decides how long the turn may wait for its replay.
"""

from __future__ import annotations

import math

PACE_S = 0.1
"""The length of one piece of silence once the gap is filled."""
LOOK_S = 0.1
"""Before silence goes out, this much time passes in which the process runs and no audio comes."""
LATE_LOOK_S = 0.02
"""A look at the clock this late shows that the process was held up, so audio may have come that is not booked yet."""
MOST_LOOKS = 5
"""After so many late looks in one gap silence goes out all the same: the process may never be in time again."""
LONGEST_EXTRA_S = 1.0
"""The most silence that is sent beyond what was due, however long the process was held up."""
GIVE_UP_AFTER_S = 1.0
"""After silence for the turn's end timeout and this long, the server is no longer expected to end the turn."""
STALLED_AFTER_S = 3.0
"""After audio for the turn's end timeout and this long without an event, the server counts as stalled."""
PAUSE_POWER = 0.25
"""Audio is a pause only if its power is at most this part of the loudest since the last event (6 dB below)."""

SHORTEST_PAUSE_S = 0.7
"""The shortest pause in which a server that hears is likely to end its turn."""

RESCUE_S = 10.0
"""How long after a drop a turn may wait for its replay before it is closed with the text so far."""
RESCUE_LINKED_S = 5.0
"""A new socket has at least this much of that time, but never past twice RESCUE_S after the drop."""


class Watchdog:
    """Decides how much silence to send while a turn is open and no audio comes. All times are monotonic seconds.

    Args:
        min_timeout_s: the shortest gap that counts, or twice the last frame's duration if longer.
    """

    def __init__(self, min_timeout_s: float) -> None:
        self._min_timeout_s = min_timeout_s
        self._frame_s = 0.0
        self._audio_until = -math.inf
        self._silence_s = 0.0
        self._looks = 0
        self._not_before = -math.inf

    @property
    def silence_s(self) -> float:
        """Seconds of silence sent since the last audio."""
        return self._silence_s

    def audio_sent(self, seconds: float, now: float) -> None:
        """The user's audio went out."""
        self._frame_s = seconds
        self._audio_until = now
        self._silence_s = 0.0
        self._looks = 0
        self._not_before = -math.inf

    def silence_sent(self, seconds: float, now: float) -> None:
        """Silence went out in place of audio."""
        self._audio_until = now
        self._silence_s += seconds

    def turn_opened(self, now: float) -> None:
        """A turn has begun. A gap before it counts up to `min_timeout_s`."""
        self._audio_until = max(self._audio_until, now - self._min_timeout_s)
        self._silence_s = 0.0
        self._looks = 0

    def deadline(self, live_at: float | None = None) -> float:
        """When to look next, provided that the turn is open and no audio waits to be sent: silence may be due then.

        Args:
            live_at: when live audio went out last of which `audio_sent` was not told yet, if there is any.
        """
        if live_at is not None:
            # Twice the length of such a piece is no longer than PACE_S, whatever the last piece was that is known here.
            return live_at + max(self._min_timeout_s, PACE_S) - LOOK_S
        silence_at = self._audio_until + self._wait_s()
        return max(silence_at if self._looks else silence_at - LOOK_S, self._not_before)

    def postpone(self, now: float) -> bool:
        """Whether to look again a moment later, as the audio may be late only because this process was held up.

        It is so at the first look, and at up to MOST_LOOKS late ones. What came meanwhile is booked before the next.
        """
        is_late = now >= self.deadline() + LATE_LOOK_S
        if self._looks and not (is_late and self._looks < MOST_LOOKS):
            return False
        self._looks += 1
        self._not_before = now + LOOK_S
        return True

    def due_s(self, now: float) -> float:
        """Seconds of silence to send now: first as much as the gap, then pieces at the pace of real time."""
        if now < self.deadline():
            return 0.0
        return min(now - self._audio_until, self._wait_s() + LONGEST_EXTRA_S)

    def _wait_s(self) -> float:
        return PACE_S if self._silence_s else max(2 * self._frame_s, self._min_timeout_s, PACE_S)

    def gives_up(self, end_timeout_s: float) -> bool:
        """Whether so much silence went out that the server should have ended the turn."""
        return self._silence_s >= end_timeout_s + GIVE_UP_AFTER_S


class StallRule:
    """Notices a server that takes audio in mid-turn and says nothing any more."""

    def __init__(self) -> None:
        self._heard_at = 0.0
        self._audio_s = 0.0

    def heard(self, now: float) -> None:
        """An event of the turn came."""
        self._heard_at = now
        self._audio_s = 0.0

    def audio_sent(self, seconds: float) -> None:
        """Audio of any kind went out."""
        self._audio_s += seconds

    def stalled_at(self, limit_s: float) -> float:
        """When the server counts as stalled; inf as long as it was not given enough audio.

        Both audio and time count, since a backlog that is sent faster than real time brings no answer sooner.

        Args:
            limit_s: the sum of the turn's end timeout and STALLED_AFTER_S.
        """
        return self._heard_at + limit_s if self._audio_s >= limit_s else math.inf


class DeafRule:
    """Tells a deaf server from one that hears a long noise, after a turn was closed because its events stopped.

    A server that hears ends its turn in a pause, and at the latest when silence has lasted for the turn's end timeout.
    So if the pauses without an event together are longer than that, the server is deaf. A noise without pauses proves
    nothing. A pause must be much softer than the turn, so that a steady noise does not count as one.
    """

    def __init__(self) -> None:
        self._quiet_s = self._pauses_s = self._loudest = 0.0
        self._not_before = math.inf
        self.deadline: float = math.inf
        """When the server is to be replaced."""

    @property
    def is_in_doubt(self) -> bool:
        """The client closed a turn that the server has not ended."""
        return self._not_before < math.inf

    @property
    def is_proven(self) -> bool:
        """The server is deaf, and is to be replaced at `deadline`."""
        return self.deadline < math.inf

    def turn_left(self, not_before: float, *, is_deaf: bool = False) -> None:
        """The client closed a turn that the server has not ended.

        Args:
            not_before: the server is not replaced before this time.
            is_deaf: the server is replaced then, since it had words for the turn and fell silent.
        """
        self._not_before = not_before
        self.deadline = not_before if is_deaf else math.inf

    def heard(self, *, settles: bool = True) -> None:
        """An event came.

        Args:
            settles: it shows that the server goes on with the closed turn or has ended it, so nothing is in doubt.
        """
        self._quiet_s = self._pauses_s = self._loudest = 0.0
        self.deadline = math.inf
        if settles:
            self._not_before = math.inf

    def audio_sent(self, seconds: float, now: float, *, voiced: bool, power: float, limit_s: float) -> None:
        """Audio of any kind went out.

        Args:
            seconds: its length.
            now: the present.
            voiced: somebody may speak in it.
            power: how loud it is.
            limit_s: the sum of the turn's end timeout and STALLED_AFTER_S.
        """
        self._loudest = max(self._loudest, power)
        if voiced or power > self._loudest * PAUSE_POWER:
            self._quiet_s = 0.0
            return
        self._quiet_s += seconds
        if self._quiet_s >= SHORTEST_PAUSE_S:
            # As soon as it is long enough to be a pause, it counts from its beginning.
            is_new = self._quiet_s - seconds < SHORTEST_PAUSE_S
            self._pauses_s += self._quiet_s if is_new else seconds
        if self.is_in_doubt and self._pauses_s >= limit_s:
            self.deadline = min(self.deadline, max(now, self._not_before))


class RescueRule:
    """Limits how long a turn whose socket was lost stays open before a server goes on with it."""

    def __init__(self) -> None:
        self._lost_at = -math.inf
        self.deadline: float = -math.inf
        """When the turn is given up."""

    def lost(self, now: float) -> None:
        """The socket was lost in mid-turn."""
        self._lost_at = now
        self.deadline = now + RESCUE_S

    def linked(self, now: float) -> None:
        """There is a new socket."""
        self.deadline = min(max(self.deadline, now + RESCUE_LINKED_S), self._lost_at + 2 * RESCUE_S)
