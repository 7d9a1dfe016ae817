"""The user's audio in chunks: where it is cut, and what is heard in each.

All times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .chunk import Chunk, Pieces, Stretch
from .speech import Activity, Heard

LONGEST_CHUNK_S = 0.2
"""Audio pushed in longer pieces is cut into pieces of this length, which are sent, kept and dropped one by one."""
SLICE_S, LONGEST_SLICE_S = 0.04, 0.05
"""A piece is booked as speech or pause in slices of SLICE_S; a piece of up to LONGEST_SLICE_S is one slice."""
QUIET_S = 1.0
"""Silence beyond this is dropped first when too much audio waits."""
PAUSE_KEPT_S = 0.6
"""Silence beyond this is left out of a backlog that is sent at real time, while the server is in no turn that it could
end. Longer: such a backlog takes minutes to send, and the next outage finds no room."""


class Chunker:
    """Makes chunks of a stream's audio.

    Args:
        sample_rate: of the audio, in Hz; it is signed 16-bit little-endian mono.
    """

    def __init__(self, sample_rate: int) -> None:
        self._byte_rate = 2 * sample_rate
        self._slice, self._longest_slice = 2 * round(SLICE_S * sample_rate), 2 * round(LONGEST_SLICE_S * sample_rate)
        self._longest = 2 * round(LONGEST_CHUNK_S * sample_rate)
        self.activity: Activity = Activity()
        """When there was voice in the audio."""

    def cut(self, pcm: bytes, now: float) -> Iterator[tuple[Chunk, list[Stretch]]]:
        """The chunks of audio of any length, each with its stretches with and without voice."""
        for start in range(0, len(pcm), self._longest):
            part = pcm[start : start + self._longest]
            size = self._slice if len(part) > self._longest_slice else self._longest_slice
            ends = range(size, len(part) + size, size)
            slices = [part[end - size : end] for end in ends]
            times = [now - max(0, len(part) - end) / self._byte_rate for end in ends]
            yield self._chunk(part, slices, self.activity.push_all(slices, times, self._byte_rate))

    def joined(self, pieces: Pieces) -> Iterator[tuple[Chunk, list[Stretch]]]:
        """The chunks of audio that was sent already, each with its stretches with and without voice.

        Args:
            pieces: the audio. They are LONGEST_SLICE_S long at most.
        """
        size = len(pieces.pcm[0])
        count = self._longest // size
        heard = self.activity.push_all(pieces.pcm, pieces.times, self._byte_rate)
        for start in range(0, len(pieces.pcm), count):
            part = pieces.pcm[start : start + count]
            chunk, stretches = self._chunk(b"".join(part), part, heard[start : start + count])
            chunk.piece, chunk.times = size // 2, pieces.times[start : start + count]
            chunk.sent_at = chunk.times[-1]
            yield chunk, stretches

    def _stretches(self, pieces: Sequence[bytes], heard: Sequence[Heard]) -> list[Stretch]:
        """The stretches of pieces of audio, with and without voice."""
        stretches, size, voiced, power = list[Stretch](), 0, False, 0.0
        for pcm, (is_voiced, loudest, _) in zip(pieces, heard, strict=True):
            if is_voiced != voiced and size:
                stretches.append(Stretch(size // 2, size / self._byte_rate, voiced, power))
                size, power = 0, 0.0
            size, voiced, power = size + len(pcm), is_voiced, max(power, loudest)
        stretches.append(Stretch(size // 2, size / self._byte_rate, voiced, power))
        return stretches

    def _chunk(self, pcm: bytes, pieces: Sequence[bytes], heard: Sequence[Heard]) -> tuple[Chunk, list[Stretch]]:
        stretches, (_, _, quiet_s) = self._stretches(pieces, heard), heard[-1]
        # Stretches with and without voice take turns.
        voiced, power = len(stretches) > 1 or stretches[0].voiced, max([part.power for part in stretches])
        seconds = len(pcm) / self._byte_rate
        chunk = Chunk(pcm, seconds, voiced, power, droppable=quiet_s > QUIET_S, is_pause=quiet_s > PAUSE_KEPT_S)
        return chunk, stretches
