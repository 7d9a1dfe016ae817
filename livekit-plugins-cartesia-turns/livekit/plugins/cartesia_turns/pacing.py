"""How fast audio may go out: a backlog faster than real time, but never so that nobody knows what has arrived.

All times are monotonic seconds.
"""

from __future__ import annotations

import math
from collections import deque

from .replay import Chunk
from .settling import PAUSE_S, PROBE_S

CATCH_UP_SPEED = 8.0
"""How many times faster than real time a backlog is sent at most, so that the server keeps up with what it is sent."""
SLOWEST_CATCH_UP = 1.25
"""How many times faster at least, on average: waiting for answers must not let a backlog grow."""
BURST_S = 0.5
"""Audio that may go out at once. More of it that waits is a backlog, until nothing waits any more."""
WINDOW_S = 8.0
"""Of a backlog no more than this is on its way at once: pings and their answers would wait behind it."""
SERVER_LAG_S = 0.3
"""How long the server may take over audio that it has received."""


class Pacer:
    """Lets the audio of one socket out in real time or faster.

    In a backlog the answers to pings tell how much has arrived. A pause in which a turn may have ended takes as long
    as the server needs to say so: which audio a turn.end means is then clear, however slow the line is.

    Args:
        now: when the socket was opened.
    """

    def __init__(self, now: float) -> None:
        self._credit_s = BURST_S
        self._at = now
        self._pause_s = 0.0
        self._sent_s = self._pinged_s = self._arrived_s = 0.0
        self._arrived_at = -math.inf
        self._pings: deque[tuple[float, float]] = deque()
        self._catches_up = True
        self._began_at = now
        self._began_s = 0.0

    def spend(self, chunk: Chunk, now: float, waiting_s: float) -> None:
        """Audio went out, and so many seconds wait behind it."""
        self._credit_s = min(BURST_S, self._credit_s + (now - self._at) * CATCH_UP_SPEED) - chunk.seconds
        self._at = now
        self._sent_s += chunk.seconds
        self._pause_s = 0.0 if chunk.voiced else self._pause_s + chunk.seconds
        # As soon as a frame waits, live audio is not a backlog yet; a backlog is one to its last frame.
        self._catches_up = waiting_s > (0.0 if self._catches_up else BURST_S)
        if not self._catches_up:
            self._began_at, self._began_s = now, self._sent_s

    def ping_sent(self, now: float) -> None:
        """A ping went out."""
        self._pings.append((now, self._sent_s))
        self._pinged_s = self._sent_s

    def arrived(self, ping_at: float, now: float) -> None:
        """The ping sent at `ping_at` was answered: all audio that was sent before it has arrived."""
        while self._pings and self._pings[0][0] <= ping_at:
            self._arrived_s = self._pings.popleft()[1]
        self._arrived_at = now

    def wants_ping(self, chunk: Chunk, *, in_turn: bool) -> bool:
        """Whether a ping is to go out before this audio: in a turn, and in a backlog, its answer tells what arrived."""
        unasked_s = self._sent_s - self._pinged_s
        if not (self._catches_up or in_turn):
            return False
        # A little less: sums of seconds keep a rounding error.
        return unasked_s > PROBE_S - 0.001 or (unasked_s > 0 and self._catches_up and self._ends_pause(chunk))

    def ready_at(self, chunk: Chunk) -> float:
        """When this audio may go out; inf while that depends on the answer to a ping."""
        ready_at = self._at if self._credit_s > 0 else self._at - self._credit_s / CATCH_UP_SPEED
        if not self._catches_up:
            return ready_at
        if self._sent_s - self._arrived_s >= WINDOW_S:
            return math.inf
        if self._ends_pause(chunk):
            heard_at = self._arrived_at + SERVER_LAG_S if self._arrived_s == self._sent_s else math.inf
            late_at = self._began_at + (self._sent_s - self._began_s) / SLOWEST_CATCH_UP
            return max(ready_at, min(heard_at, late_at))
        return ready_at

    def _ends_pause(self, chunk: Chunk) -> bool:
        return chunk.voiced and self._pause_s >= PAUSE_S
