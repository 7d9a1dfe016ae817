"""Live audio that goes out without a decision, and is booked several pieces at a time.

That is nearly all audio of a call. To book a piece (to measure it, keep it for a replay and count it) takes longer than
to send it, most of it once for each booking and not for each piece.
"""

from __future__ import annotations

from typing import TypeAlias

Piece: TypeAlias = tuple[bytes, float]
"""PCM audio, and when it went out, in monotonic seconds."""


class LiveLane:
    """How much audio may go out before the next decision, and what went out since the last booking."""

    __slots__ = ("_left", "_size", "pieces")

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        """What went out and is not booked yet; all pieces have one length."""
        self._left = 0
        self._size = 0
        """The length of these pieces, in bytes; 0 without any."""

    @property
    def samples(self) -> int:
        """How many samples went out and are not booked yet."""
        return len(self.pieces) * self._size // 2

    @property
    def is_full(self) -> bool:
        """What went out is to be booked now: no other piece of the same length may follow it."""
        return self._left < self._size

    def open(self, size: int) -> None:
        """Lets up to `size` bytes out; 0 lets nothing out."""
        self._left = size

    def take(self, pcm: bytes, now: float) -> bool:
        """Takes a piece of the user's audio as `TurnsClient.push_audio` does, if it can be sent without a decision.

        It can while nothing waits to be sent and no ping, setting or other decision is due. The client books several
        pieces at a time, before it is asked anything that depends on them, so that a piece costs next to nothing.

        Returns:
            True: the shell must give these bytes to the socket at once, and then call `live_sent` if this `is_full`.
            False: nothing was taken, and the shell calls `push_audio`.
        """
        size = len(pcm)
        if not 0 < size <= self._left or (self._size and size != self._size):
            return False
        self._left -= size
        self._size = size
        self.pieces.append((pcm, now))
        return True

    def clear(self) -> list[Piece]:
        """Returns what went out since the last call, to be booked."""
        pieces, self.pieces, self._size = self.pieces, [], 0
        return pieces
