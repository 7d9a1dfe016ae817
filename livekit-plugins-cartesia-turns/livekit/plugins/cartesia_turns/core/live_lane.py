"""Live audio that goes out without a decision, and is booked several pieces at a time.

That is nearly all audio of a call. To book a piece (to measure it, keep it for a replay and count it) takes longer than
to send it, most of it once for each booking and not for each piece. A ping between the pieces needs no booking either.
"""

from __future__ import annotations

import math

from .chunk import Pieces
from .chunking import LONGEST_SLICE_S
from .pacing import BURST_S, FAST_S, LIVE_SPEED, Allowance, Lead
from .settling import PROBE_S


class LiveLane:
    """How much audio may go out before the next decision or ping, and what went out since the last booking.

    Args:
        sample_rate: of the audio, in Hz; it is signed 16-bit little-endian mono.
    """

    __slots__ = (
        "_ahead_s",
        "_at",
        "_byte_rate",
        "_credit_s",
        "_fast_at",
        "_left",
        "_longest",
        "_rate",
        "_size",
        "_until_ping",
        "pieces",
    )

    def __init__(self, sample_rate: int) -> None:
        self._byte_rate = 2 * sample_rate
        self._longest = 2 * round(LONGEST_SLICE_S * sample_rate)
        self.pieces: Pieces = Pieces([], [])
        """What went out and is not booked yet."""
        self.open(Allowance())
        self._size = 0
        """How many bytes each of these pieces has; 0 without any."""

    @property
    def samples(self) -> int:
        """How many samples went out and are not booked yet."""
        return len(self.pieces.pcm) * self._size // 2

    @property
    def seconds(self) -> float:
        """How long that audio is."""
        return len(self.pieces.pcm) * self._size / self._byte_rate

    @property
    def last_at(self) -> float | None:
        """When the last piece of that audio went out, monotonic seconds; None without any."""
        return self.pieces.times[-1] if self._size else None

    @property
    def is_open(self) -> bool:
        """More audio may go out, since nothing waits to be sent before it."""
        return self._left > 0

    @property
    def is_full(self) -> bool:
        """There is no room for another piece of this length, so what went out is to be booked now."""
        return self._left < self._size

    @property
    def wants_ping(self) -> bool:
        """A ping must follow what went out. More audio may go out before it."""
        # Less than a sample is a rounding error.
        return self._until_ping < 2

    @property
    def lead(self) -> Lead:
        """How far the audio was ahead of real time when the last piece went out."""
        return Lead(self._credit_s, self._ahead_s, self._at, self._fast_at)

    def open(self, allowance: Allowance) -> None:
        """Lets out as much audio as is allowed, in place of what was allowed before."""
        self._left = 2 * round(allowance.seconds * self._byte_rate / 2)
        self._until_ping = allowance.until_ping_s * self._byte_rate
        self._rate = allowance.rate
        self._credit_s, self._ahead_s, self._at, self._fast_at = allowance.lead

    def close(self) -> None:
        """Lets nothing more out, and wants no ping."""
        self._left, self._until_ping = 0, math.inf

    def ping_sent(self) -> None:
        """The ping has followed. The next is due after PROBE_S."""
        self._until_ping = PROBE_S * self._byte_rate

    def take(self, pcm: bytes, now: float) -> bool:
        """Takes a piece of the user's audio as `TurnsClient.push_audio` does, if it can be sent without a decision.

        It can while nothing waits to be sent and no ping, setting or other decision is due. The piece must be no longer
        than LONGEST_SLICE_S, and the pace must allow it (see `Pacer`). The client books several pieces at a time,
        before it is asked anything that depends on them, so that a piece costs next to nothing.

        Returns:
            True: the shell must give these bytes to the socket at once. Then it calls `outgoing` if this `wants_ping`,
            and `live_sent` if this `is_full`. False: nothing was taken, and the shell calls `push_audio`.
        """
        size = len(pcm)
        if not 0 < size <= self._left or size > self._longest or (self._size and size != self._size):
            return False
        # This is what `Pacer.spend` does with a piece. Calls of `min` and `max` would take longer, and there is a piece
        # for each frame of a call.
        seconds, passed_s = size / self._byte_rate, now - self._at
        credit_s, ahead_s = self._credit_s + passed_s * self._rate, self._ahead_s - passed_s * LIVE_SPEED
        credit_s = (credit_s if credit_s < BURST_S else BURST_S) - seconds
        # Sums of seconds have rounding errors.
        if credit_s < -1e-9:
            return False
        ahead_s = (ahead_s if ahead_s > 0.0 else 0.0) + seconds
        if ahead_s > FAST_S:
            self._fast_at = now
        self._credit_s, self._ahead_s, self._at = credit_s, ahead_s, now
        self._left -= size
        self._until_ping -= size
        self._size = size
        pieces, times = self.pieces
        pieces.append(pcm)
        times.append(now)
        return True

    def clear(self) -> Pieces | None:
        """Returns what went out since the last call, to be booked; None if nothing did."""
        if not self._size:
            return None
        pieces, self.pieces, self._size = self.pieces, Pieces([], []), 0
        return pieces
