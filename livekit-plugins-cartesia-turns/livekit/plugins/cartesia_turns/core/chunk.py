"""The pieces in which audio is measured, kept and sent."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

ONSET_S = 0.3
"""Speech is noticed at most this long after its onset, so the audio this long before it is not dropped as silence."""


class Stretch(NamedTuple):
    """A stretch of audio with or without voice."""

    samples: int
    seconds: float
    voiced: bool
    """Somebody may speak in it."""
    power: float
    """How loud its loudest part is, as `Activity` measures it."""


class Pieces(NamedTuple):
    """Pieces of PCM audio of one length that were given to a socket, one after another."""

    pcm: list[bytes]
    times: list[float]
    """When each of them was given to the socket, monotonic seconds."""


@dataclass(slots=True)
class Chunk:
    """A piece of PCM audio on its way to the server."""

    pcm: bytes
    seconds: float
    voiced: bool = True
    """Somebody may speak in it."""
    power: float = 0.0
    """How loud it is, as `Activity` measures it."""
    droppable: bool = False
    """It lies deep in a silence, and is dropped first when there is too much audio."""
    injected: bool = False
    """It is silence of our own, in place of the user's audio."""
    is_onset: bool = False
    """It lies right before speech, which may have begun in it."""
    is_pause: bool = False
    """It lies in a silence that has lasted for a while. A backlog sent at hardly more than real time leaves it out."""
    start: int = 0
    """The position at which it begins; set by the buffer."""
    sent_at: float | None = None
    """When it was last given to a socket, monotonic seconds."""
    piece: int = 0
    """If it was given to the socket in pieces of one length: how many samples each has."""
    times: Sequence[float] = ()
    """When each of these pieces was given to the socket, monotonic seconds."""

    @property
    def samples(self) -> int:
        """The number of samples."""
        return len(self.pcm) // 2

    def unsent_by(self, when: float) -> int:
        """How many samples of it had not been given to the socket by that time, although all have by now."""
        return self.piece * (len(self.times) - bisect_right(self.times, when)) if self.times else self.samples
