"""How fast audio may go out: a backlog faster than real time, but never so that nobody knows what has arrived.

All times are monotonic seconds.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from .audio_queue import ONSET_S, Chunk
from .settling import PAUSE_S, PROBE_S, SERVER_LAG_S

CATCH_UP_SPEED = 4.0
"""How many times faster than real time a backlog is sent at most where nobody says otherwise.

The vendor says that a server takes one second of audio a second (https://docs.cartesia.ai, read 2026-11-25), and not
what becomes of more. One client sends a backlog at 1.5 times real time, another all at once.
"""
SLOWER = (4.0, 2.0, 1.4, 1.0)
"""The speeds that are tried one after the other once a server has not taken a backlog."""
REMEMBERED_S = 600.0
"""How long a process keeps to the slower speed after the server has ended a socket that was faster."""
SUSPECTED_S = 30.0
"""How long it does so after such a socket was lost without a word from the server: the network may have done it."""
SLOWEST_CATCH_UP = 1.25
"""How many times faster at least, on average: waiting for answers must not let a backlog grow. A speed that is no
higher leaves out the silence of a backlog, since it would never be gone otherwise."""
LIVE_SPEED = 2.0
"""The speed at least at which audio makes up for the jitter of its way here; that is no backlog."""
BURST_S = 0.5
"""Audio that may go out at once. More of it that waits is a backlog, until nothing waits any more."""
SMALL_BURST_S = 0.1
"""The same for a backlog that is sent slower than LIVE_SPEED."""
FAST_S = 0.4
"""Audio sent ahead of real time beyond this may be too much for a server. Live audio is hardly ever so late."""
SLOW_FAST_S = 0.2
"""The same for a server that has turned out to be strict."""
BLAMED_FOR_S = 3.0
"""An end of the socket so soon after that may be for the speed."""
WINDOW_S = 8.0
"""Of a backlog no more than this is on its way at once: pings and their answers would wait behind it."""


class Pace:
    """How fast a backlog may go out to one server, as it has turned out. All streams that send there share it."""

    def __init__(self) -> None:
        self._limit = math.inf
        self._until = -math.inf

    @property
    def known(self) -> tuple[float, float]:
        """What has turned out: the highest speed that the server takes, and until when that counts."""
        return self._limit, self._until

    @known.setter
    def known(self, known: tuple[float, float]) -> None:
        self._limit, self._until = known

    def speed(self, wanted: float, now: float) -> float:
        """How many times faster than real time a backlog may be sent, if so much is wanted."""
        return min(wanted, self._limit) if now < self._until else wanted

    def was_too_fast(self, speed: float, now: float, *, for_certain: bool) -> bool:
        """A socket ended while it was sent a backlog at this speed.

        Args:
            speed: in real times.
            now: the present.
            for_certain: the server ended it, and not the network.

        Returns:
            Whether the next one is slower.
        """
        if now >= self._until:
            self._limit = math.inf
        before, self._limit = self._limit, min(self._limit, next((slow for slow in SLOWER if slow < speed), 1.0))
        self._until = max(self._until, now + (REMEMBERED_S if for_certain else SUSPECTED_S))
        return self._limit < min(before, speed)


class Pacer:
    """Lets the audio of one socket out in real time or faster.

    In a backlog the answers to pings tell how much has arrived. A pause in which a turn may have ended takes as long
    as the server needs to say so: which audio a turn.end means is then clear, however slow the line is.

    Args:
        now: when the socket was opened.
        speed: how many times faster than real time a backlog may go out.
    """

    def __init__(self, now: float, speed: float = CATCH_UP_SPEED) -> None:
        self.speed = speed
        """As it was given."""
        self._ahead_s = 0.0
        self._fast_at = -math.inf
        self._credit_s = BURST_S if speed >= LIVE_SPEED else SMALL_BURST_S
        self._at = now
        self._pause_s = 0.0
        self._sent_s = self._pinged_s = self._arrived_s = 0.0
        self._arrived_at = -math.inf
        self._pings: deque[tuple[float, float]] = deque()
        self._catches_up = True
        self._began_at = now
        self._began_s = 0.0

    def live_s(self, *, probes: bool) -> float:
        """How much live audio may go out before the next decision: whether it is too fast, or a ping is due.

        Args:
            probes: as of `wants_ping`.
        """
        if self._catches_up:
            return 0.0
        return min(self._credit_s, PROBE_S - (self._sent_s - self._pinged_s)) if probes else self._credit_s

    def spend(self, chunk: Chunk, now: float, waiting_s: float) -> None:
        """Audio went out, and so many seconds wait behind it."""
        self._pause_s = 0.0 if chunk.voiced else self._pause_s + chunk.seconds
        self._spend(chunk.seconds, now, waiting_s)

    def spend_live(self, chunks: Sequence[Chunk], now: float) -> None:
        """Live audio went out, the last of it now, and nothing waits behind it."""
        seconds = 0.0
        for chunk in chunks:
            seconds += chunk.seconds
            self._pause_s = 0.0 if chunk.voiced else self._pause_s + chunk.seconds
        self._spend(seconds, now, 0.0)

    def _spend(self, seconds: float, now: float, waiting_s: float) -> None:
        is_slow = self._catches_up and self.speed < LIVE_SPEED
        earned_s = (now - self._at) * self._rate
        self._credit_s = min(SMALL_BURST_S if is_slow else BURST_S, self._credit_s + earned_s) - seconds
        # What a backlog was ahead is soon forgotten once audio is live: it would never be by live audio alone.
        settled_s = (now - self._at) * (1.0 if self._catches_up else LIVE_SPEED)
        self._ahead_s = max(0.0, self._ahead_s - settled_s) + seconds
        if self._ahead_s > (SLOW_FAST_S if is_slow else FAST_S):
            self._fast_at = now
        self._at = now
        self._sent_s += seconds
        # As soon as a frame waits, live audio is not a backlog yet. A backlog is one to its last frame, or to the last
        # of which silence can be left out: what is slower would never be gone.
        least_s = ONSET_S if self.leaves_out_silence else 0.0
        self._catches_up = waiting_s > (least_s if self._catches_up else BURST_S)
        if not self._catches_up:
            self._began_at, self._began_s = now, self._sent_s

    def is_blamed(self, now: float) -> bool:
        """Whether the end of the socket may be for the speed of what was sent."""
        return self.speed > 1.0 and now < self._fast_at + BLAMED_FOR_S

    @property
    def leaves_out_silence(self) -> bool:
        """The speed is so low that a backlog goes out without its silence: it would never be gone otherwise."""
        return self._catches_up and self.speed <= SLOWEST_CATCH_UP

    def leaves_out(self, chunk: Chunk, waiting_s: float) -> bool:
        """Whether this audio of a backlog is skipped, with so many seconds behind it: at so low a speed silence is."""
        is_silence = chunk.is_pause and not chunk.injected and not chunk.is_onset
        # What comes right behind it must be known: it may be speech, which has begun before it is noticed.
        return is_silence and self.leaves_out_silence and waiting_s >= ONSET_S

    def ping_sent(self, now: float) -> None:
        """A ping went out."""
        self._pings.append((now, self._sent_s))
        self._pinged_s = self._sent_s

    def arrived(self, ping_at: float, now: float) -> None:
        """The ping sent at `ping_at` was answered: all audio that was sent before it has arrived."""
        while self._pings and self._pings[0][0] <= ping_at:
            self._arrived_s = self._pings.popleft()[1]
        self._arrived_at = now

    def wants_ping(self, chunk: Chunk, *, probes: bool) -> bool:
        """Whether a ping is to go out before this audio: its answer tells what has arrived.

        Args:
            chunk: the audio.
            probes: that is to be known of live audio too, as it is of a backlog.
        """
        if not (self._catches_up or probes):
            return False
        unasked_s = self._sent_s - self._pinged_s
        # A little less: sums of seconds keep a rounding error.
        return unasked_s > PROBE_S - 0.001 or (unasked_s > 0 and self._catches_up and self._ends_pause(chunk))

    def ready_at(self, chunk: Chunk) -> float:
        """When this audio may go out; inf while that depends on the answer to a ping."""
        ready_at = self._at if self._credit_s > 0 else self._at - self._credit_s / self._rate
        if not self._catches_up:
            return ready_at
        if self._sent_s - self._arrived_s >= WINDOW_S:
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
