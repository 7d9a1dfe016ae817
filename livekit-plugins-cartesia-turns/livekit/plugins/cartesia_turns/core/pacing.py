"""How fast audio may go out: a backlog goes faster than real time, but pings keep track of what has arrived.

All times are monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from .chunk import ONSET_S, Chunk, Stretch
from .settling import PAUSE_S, PROBE_S, SERVER_LAG_S

CATCH_UP_SPEED = 4.0
"""By default a backlog is sent at most this many times faster than real time.

The vendor says that a server takes one second of audio a second (https://docs.cartesia.ai, read 2026-11-25), and not
what happens to more. One client sends a backlog at 1.5 times real time, another all at once.
"""
SLOWER = (4.0, 2.0, 1.4, 1.0)
"""The speeds that are tried one after the other once a server has not taken a backlog."""
REMEMBERED_S = 600.0
"""How long a process keeps to the slower speed after the server has ended a socket that was faster."""
SUSPECTED_S = 30.0
"""How long it does so if such a socket was lost without a close: the network may be the reason."""
SLOWEST_CATCH_UP = 1.25
"""A backlog is sent at least this many times faster than real time on average, so that the waits for pongs do not let
it grow. At a speed no higher than this its silence is left out, since it would never be gone otherwise."""
LIVE_SPEED = 2.0
"""Live audio that came late by jitter is sent at least this many times faster than real time. It is no backlog."""
BURST_S = 0.5
"""How much audio may go out at once. If more than this waits, it is a backlog until nothing waits any more."""
SMALL_BURST_S = 0.1
"""How much audio may go out at once of a backlog that is sent slower than LIVE_SPEED."""
FAST_S = 0.4
"""Audio sent further than this ahead of real time may be too fast for a server. Live audio is hardly ever so late."""
SLOW_FAST_S = 0.2
"""The same limit for a backlog that is sent slower than LIVE_SPEED."""
BLAMED_FOR_S = 3.0
"""If the socket ends this soon after audio went out too fast, the speed may be the reason."""
BOOKED_S = 4 * PROBE_S
"""Live audio is booked at least this often, which also shows whether pings must follow it. Longer: they begin later
after the onset of speech, and a server that says nothing more in mid-turn is noticed later."""
PROBED_S = 0.6
"""Pings follow live audio for this long after the last voice, since a turn starts and ends later than its voice."""
IN_FLIGHT_S = 8.0
"""At most this much of a backlog is on its way at once, since pings and pongs wait behind it."""


class Lead(NamedTuple):
    """How far audio is ahead of real time."""

    credit_s: float
    """How much more audio may go out at once."""
    ahead_s: float
    """How much more audio went out than real time has passed."""
    at: float
    """When the last audio went out. Both values are those of that time."""
    fast_at: float
    """When audio last went out too far ahead of real time."""


class Allowance(NamedTuple):
    """How much live audio may go out without a decision."""

    seconds: float = 0.0
    """This much in all."""
    until_ping_s: float = math.inf
    """A ping is due after this much of it."""
    rate: float = 1.0
    """How many seconds of it may go out in a second, besides a burst of BURST_S."""
    lead: Lead = Lead(0.0, 0.0, 0.0, -math.inf)
    """That of the audio which went out before."""


class Pace:
    """How fast one server takes a backlog, as far as is known. All streams to that server share it."""

    def __init__(self) -> None:
        self._limit = math.inf
        self._until = -math.inf

    @property
    def known(self) -> tuple[float, float]:
        """The highest speed that the server is known to take, and until when that counts."""
        return self._limit, self._until

    @known.setter
    def known(self, known: tuple[float, float]) -> None:
        self._limit, self._until = known

    def speed(self, wanted: float, now: float) -> float:
        """How many times faster than real time a backlog may be sent, `wanted` at most."""
        return min(wanted, self._limit) if now < self._until else wanted

    def was_too_fast(self, speed: float, now: float, *, for_certain: bool) -> bool:
        """A socket ended while it was sent a backlog at this speed.

        Args:
            speed: how many times faster than real time.
            now: the present.
            for_certain: it was the server that ended the socket, and not the network.

        Returns:
            Whether the next socket gets a lower speed.
        """
        if now >= self._until:
            self._limit = math.inf
        before, self._limit = self._limit, min(self._limit, next((slow for slow in SLOWER if slow < speed), 1.0))
        self._until = max(self._until, now + (REMEMBERED_S if for_certain else SUSPECTED_S))
        return self._limit < min(before, speed)


class Pacer:
    """Lets the audio of one socket out in real time or faster.

    In a backlog, pongs show how much has arrived. After a pause in which a turn may have ended, the pacer waits until
    the server has had time to end the turn, so that it is clear which audio a turn.end settles, however slow the line.

    Args:
        now: when the socket was opened.
        speed: how many times faster than real time a backlog may go out.
    """

    def __init__(self, now: float, speed: float = CATCH_UP_SPEED) -> None:
        self.speed = speed
        """How many times faster than real time a backlog may go out."""
        self._ahead_s = 0.0
        self._fast_at = -math.inf
        self._credit_s = BURST_S if speed >= LIVE_SPEED else SMALL_BURST_S
        self._at = now
        self._pause_s = 0.0
        self._sent_s = self._pinged_s = self._arrived_s = 0.0
        self._arrived_at = -math.inf
        self._pings: list[tuple[float, float]] = []
        self._catches_up = True
        self._began_at = now
        self._began_s = 0.0

    @property
    def follows_voice(self) -> bool:
        """Somebody may have spoken in the audio that went out last."""
        return self._pause_s <= PROBED_S

    def live(self, *, probes: bool) -> Allowance:
        """How much live audio may go out before the pacer has to look again, and before a ping is due.

        Args:
            probes: as for `wants_ping`.
        """
        if self._catches_up:
            return Allowance()
        until_ping_s = PROBE_S - (self._sent_s - self._pinged_s) if probes else math.inf
        lead = Lead(self._credit_s, self._ahead_s, self._at, self._fast_at)
        return Allowance(BOOKED_S, until_ping_s, self._rate, lead)

    def spend(self, chunk: Chunk, now: float, waiting_s: float) -> None:
        """Audio went out, and `waiting_s` seconds of audio wait behind it."""
        self._pause_s = 0.0 if chunk.voiced else self._pause_s + chunk.seconds
        is_slow = self._catches_up and self.speed < LIVE_SPEED
        burst_s, fast_s = (SMALL_BURST_S, SLOW_FAST_S) if is_slow else (BURST_S, FAST_S)
        # Once audio is live, the lead of the backlog is forgotten at LIVE_SPEED. Live audio comes in real time, so the
        # lead would never shrink otherwise.
        real_time = 1.0 if self._catches_up else LIVE_SPEED
        self._credit_s = min(self._credit_s + (now - self._at) * self._rate, burst_s) - chunk.seconds
        self._ahead_s = max(self._ahead_s - (now - self._at) * real_time, 0.0) + chunk.seconds
        if self._ahead_s > fast_s:
            self._fast_at = now
        self._at = now
        self._sent_s += chunk.seconds
        # One waiting frame does not make live audio a backlog; that takes more than BURST_S. A backlog ends when its
        # last frame is out or, where silence is left out, when no more than ONSET_S waits, which can't be left out.
        least_s = ONSET_S if self.leaves_out_silence else 0.0
        self._catches_up = waiting_s > (least_s if self._catches_up else BURST_S)
        if not self._catches_up:
            self._began_at, self._began_s = self._at, self._sent_s

    def spend_live(self, stretches: Iterable[Chunk | Stretch], lead: Lead) -> None:
        """Live audio went out as `live` allowed, and has this lead since."""
        for stretch in stretches:
            self._pause_s = 0.0 if stretch.voiced else self._pause_s + stretch.seconds
            self._sent_s += stretch.seconds
        self._credit_s, self._ahead_s, self._at, self._fast_at = lead
        self._began_at, self._began_s = self._at, self._sent_s

    def is_blamed(self, now: float) -> bool:
        """Whether the speed of the audio may be the reason for an end of the socket now."""
        return self.speed > 1.0 and now < self._fast_at + BLAMED_FOR_S

    @property
    def leaves_out_silence(self) -> bool:
        """The speed is so low that the silence of a backlog is left out: the backlog would never be gone otherwise."""
        return self._catches_up and self.speed <= SLOWEST_CATCH_UP

    def leaves_out(self, chunk: Chunk, waiting_s: float) -> bool:
        """Whether this audio is silence of a backlog and is left out; `waiting_s` seconds of audio wait behind it."""
        is_silence = chunk.is_pause and not chunk.injected and not chunk.is_onset
        # The audio right behind it must be here already, since speech in it may have begun before it was noticed.
        return is_silence and self.leaves_out_silence and waiting_s >= ONSET_S

    def ping_sent(self, now: float, live_s: float = 0.0) -> None:
        """A ping went out, behind `live_s` seconds of live audio that are not booked yet."""
        self._pinged_s = self._sent_s + live_s
        self._pings.append((now, self._pinged_s))

    def arrived(self, ping_at: float, now: float) -> None:
        """The ping sent at `ping_at` was answered, so all audio that was sent before it has arrived."""
        while self._pings and self._pings[0][0] <= ping_at:
            self._arrived_s = self._pings.pop(0)[1]
        self._arrived_at = now

    def wants_ping(self, chunk: Chunk | None, *, probes: bool) -> bool:
        """Whether a ping must go out now, so that its pong shows what has arrived.

        Args:
            chunk: the audio that follows, if some waits.
            probes: live audio needs such pings too, not only a backlog.
        """
        if not (self._catches_up or probes):
            return False
        unasked_s = self._sent_s - self._pinged_s
        if chunk and self._catches_up and unasked_s > 0 and self._ends_pause(chunk):
            return True
        # A little less than PROBE_S, since sums of seconds have rounding errors.
        return unasked_s > PROBE_S - 0.001

    def ready_at(self, chunk: Chunk) -> float:
        """When this audio may go out; inf while that depends on a pong."""
        ready_at = self._at if self._credit_s > 0 else self._at - self._credit_s / self._rate
        if not self._catches_up:
            return ready_at
        if self._sent_s - self._arrived_s >= IN_FLIGHT_S:
            return math.inf
        if self._ends_pause(chunk):
            heard_at = self._arrived_at + SERVER_LAG_S if self._arrived_s == self._sent_s else math.inf
            late_at = self._began_at + (self._sent_s - self._began_s) / min(SLOWEST_CATCH_UP, self.speed)
            return max(ready_at, min(heard_at, late_at))
        return ready_at

    @property
    def _rate(self) -> float:
        """How many seconds of audio may go out in a second at present."""
        return self.speed if self._catches_up else max(self.speed, LIVE_SPEED)

    def _ends_pause(self, chunk: Chunk) -> bool:
        return chunk.voiced and self._pause_s >= PAUSE_S
