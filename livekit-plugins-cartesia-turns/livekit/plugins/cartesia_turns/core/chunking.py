"""The user's audio in chunks: where it is cut, and what is heard in each.

All times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from .chunk import Chunk, Pieces, Stretch
from .speech import Activity, Heard

LONGEST_CHUNK_S = 0.2
"""Audio pushed in longer pieces is cut into pieces of this length, which are sent, kept and dropped one by one."""
BOOKED_SLICE_S, LONGEST_SLICE_S = 0.04, 0.05
"""A piece is booked as speech or pause in slices of BOOKED_SLICE_S; a piece of up to LONGEST_SLICE_S is one slice."""
QUIET_S = 1.0
"""Silence beyond this is dropped first when too much audio waits."""
PAUSE_KEPT_S = 0.6
"""Silence beyond this is left out of a backlog that is sent at real time, while the server is in no turn, which the
silence could end. Longer: such a backlog takes minutes to send, and the next outage finds no room."""


class Chunker:
    """Makes chunks of a stream's audio.

    Args:
        sample_rate: of the audio, in Hz; it is signed 16-bit little-endian mono.
    """

    def __init__(self, sample_rate: int) -> None:
        self._byte_rate = 2 * sample_rate
        self._slice = 2 * round(BOOKED_SLICE_S * sample_rate)
        self._longest_slice = 2 * round(LONGEST_SLICE_S * sample_rate)
        self._longest = 2 * round(LONGEST_CHUNK_S * sample_rate)
        self.activity: Activity = Activity()
        """When there was voice in the audio."""

    def cut(self, pcm: bytes, now: float) -> Iterator[tuple[Chunk, list[Stretch]]]:
        """The chunks of audio of any length, each with its stretches with and without voice.

        A chunk has no stretches where there is voice in all of it, or in none.
        """
        for start in range(0, len(pcm), self._longest):
            part = pcm[start : start + self._longest]
            size = self._slice if len(part) > self._longest_slice else self._longest_slice
            ends = range(size, len(part) + size, size)
            pieces = [part[end - size : end] for end in ends]
            times = [now - max(0, len(part) - end) / self._byte_rate for end in ends]
            yield self._chunk(part, size, self.activity.push_all(pieces, times, self._byte_rate))

    def joined(self, pieces: Pieces) -> Iterator[tuple[Chunk, list[Stretch]]]:
        """The chunks of audio that was sent already, with stretches as those of `cut`.

        Args:
            pieces: the audio. They are LONGEST_SLICE_S long at most.
        """
        size = len(pieces.pcm[0])
        count = self._longest // size
        voiced, powers, quiet = self.activity.push_all(pieces.pcm, pieces.times, self._byte_rate)
        for start in range(0, len(pieces.pcm), count):
            part = slice(start, start + count)
            heard = Heard(voiced[part], powers[part], quiet[part])
            chunk, stretches = self._chunk(b"".join(pieces.pcm[part]), size, heard)
            chunk.piece, chunk.times = size // 2, pieces.times[part]
            chunk.sent_at = chunk.times[-1]
            yield chunk, stretches

    def _chunk(self, pcm: bytes, size: int, heard: Heard) -> tuple[Chunk, list[Stretch]]:
        """A chunk of pieces of `size` bytes, the last of which may be shorter, and its stretches."""
        voices, quiet_s = heard.voiced, heard.quiet_s
        # Most chunks are one stretch.
        stretches = [] if voices.count(voices[0]) == len(voices) else self._stretches(len(pcm), size, heard)
        chunk = Chunk(
            pcm,
            len(pcm) / self._byte_rate,
            voiced=bool(stretches) or voices[0],
            power=max(heard.powers),
            droppable=quiet_s > QUIET_S,
            is_pause=quiet_s > PAUSE_KEPT_S,
        )
        return chunk, stretches

    def _stretches(self, whole: int, size: int, heard: Heard) -> list[Stretch]:
        """The stretches of such pieces, `whole` bytes together."""
        stretches, end = list[Stretch](), 0
        for voiced, run in groupby(heard.voiced):
            begin, end = end, end + len(list(run))
            length = min(end * size, whole) - begin * size
            power = max(heard.powers[begin:end])
            stretches.append(Stretch(length // 2, length / self._byte_rate, voiced, power))
        return stretches
