"""When there was voice in the pushed audio, by its energy.

Only times depend on this, not words: whatever the room sounds like, at worst a time is wrong. The audio is measured in
slices of 20 ms, without a constant offset and mains hum, and compared with a floor: the quietest slice nearby. While
audio comes, the floor is taken from the time before. Once a turn is over, it is taken from the time since, when the
noise that follows the speech is known.
"""

from __future__ import annotations

import functools
import math
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SLICE_S = 0.02
"""The audio is measured in slices of this length, whatever the length of the pushed pieces."""
QUIETEST_DBFS = -72.0
"""Nothing below this counts as voice, however quiet the room."""
ABOVE_FLOOR_DB = 6.0
"""How far voice stands above the floor: slices of white noise differ by 3 dB, those of a fan by more."""
ABOVE_NOISE_DB = 5.0
"""The same for smoothed slices, which differ less. A lower value finds the end of soft speech more exactly."""
FLOOR_S = 2.0
"""The floor is the quietest slice of this much audio, since speech has gaps more often than that."""
TRAILING_DB = 15.0
"""Speech ends where it falls this far below its loud parts. What follows is breath, and drowns in any noise."""
KEPT_S = 15.0
"""How long slices are remembered: longer than a server waits with the end of a turn."""
LONGEST_GAP_S = 0.6
"""The longest pause within one stretch of speech."""
SHORTEST_NOISE_S = 0.3
"""It takes at least this much audio to tell noise from speech, which does not stay on one level for so long."""

_PCM, _FLOAT = np.dtype("<i2"), np.dtype("f8")
_HUM_HZ = (50, 60, 100, 120)
_QUIETEST = 32768**2 * 10 ** (QUIETEST_DBFS / 10)
_ABOVE_FLOOR = 10 ** (ABOVE_FLOOR_DB / 10)
_ABOVE_NOISE = 10 ** (ABOVE_NOISE_DB / 10)
_TRAILING = 10 ** (-TRAILING_DB / 10)
_FLOOR = round(FLOOR_S / SLICE_S)
_KEPT = round(KEPT_S / SLICE_S)
_LENGTHS = np.arange(_KEPT) * SLICE_S
_BLOCK = 10
"""How many slices share one minimum, so that the floor costs next to nothing."""


class Heard(NamedTuple):
    """What is heard in several pieces of audio: in each list, a value for each piece."""

    voiced: list[bool]
    """Whether there may be voice in it."""
    powers: list[float]
    """The power of the last slice that has ended by the end of the piece."""
    quiet: list[float]
    """How many slices have ended since the last voice by then; inf before the first voice."""

    @property
    def quiet_s(self) -> float:
        """Seconds of audio since the last voice, at the end of the last piece."""
        return self.quiet[-1] * SLICE_S


class Activity:
    """Follows the energy of pushed audio.

    Times are those of the caller's clock, in seconds: a piece pushed at `now` covers the time before `now`.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._size = 0
        self._hum, self._weights = np.zeros((0, 0)), np.zeros(0)
        self._times, self._powers = array("d"), array("d")
        """When each of the last slices ended, and its power."""
        # Before the first audio the room counts as quiet.
        self._floor = 0.0
        self._minima = [0.0]
        self._minimum, self._left = math.inf, _BLOCK
        self._quiet = math.inf
        self.power: float = 0.0
        """The power of the last slice: the mean square of its samples, without offset and hum."""

    @property
    def quiet_s(self) -> float:
        """Seconds of audio since the last voice."""
        return self._quiet * SLICE_S

    def push(self, pcm: bytes, seconds: float, now: float) -> None:
        """Notes a piece of audio: signed 16-bit mono PCM of `seconds` seconds, always at the same rate."""
        if pcm:
            self.push_all([pcm], [now], len(pcm) / seconds)

    def push_all(self, pieces: Sequence[bytes], times: Sequence[float], byte_rate: float) -> Heard:
        """Notes several pieces as `push` does, and returns what is heard in them.

        All are measured at once, which is much faster. There is at least one, and all have one length; only the last
        may be shorter.
        """
        if not self._size:
            self._begin(byte_rate)
        ends, counts = self._slices(pieces, times, byte_rate)
        pcm = b"".join([self._rest, *pieces])
        whole = len(ends) * self._size
        measured, self._rest = self._powers_of(pcm[:whole]), pcm[whole:]
        # An array takes another array much faster than a list.
        self._times += array("d", ends)
        self._powers.frombytes(measured.tobytes())
        del self._times[:-_KEPT], self._powers[:-_KEPT]
        powers = measured.tolist()
        since_voice, power = [self._quiet, *self._follow(powers)], [self.power, *powers]
        self._quiet, self.power = since_voice[-1], power[-1]
        quiet, longest = [since_voice[count] for count in counts], len(pieces[0]) / self._size
        voiced = [slices < longest for slices in quiet]
        voiced[-1] = quiet[-1] * self._size < len(pieces[-1])  # It may be shorter.
        return Heard(voiced, [power[count] for count in counts], quiet)

    def voice_began(self, now: float, *, within_s: float) -> float | None:
        """When the last stretch of voice began, if that is at most `within_s` seconds ago."""
        times, powers = self._remembered(within_s + LONGEST_GAP_S + FLOOR_S)
        # Digital silence says nothing about the noise of a room, since a microphone may just have been switched on.
        before = _least_before(np.where(powers > _QUIETEST / 100, powers, math.inf))
        floor = np.minimum(before, _least_since(powers))
        voiced = powers > np.maximum(floor * _ABOVE_NOISE, _QUIETEST)
        if not voiced.any():
            voiced = powers > _QUIETEST
        spoken = times[voiced]
        if not spoken.size:
            return None
        pauses = np.flatnonzero(np.diff(spoken) > LONGEST_GAP_S + 1.5 * SLICE_S)
        began_at = float(spoken[pauses[-1] + 1 if pauses.size else 0]) - SLICE_S
        return began_at if now - began_at <= within_s else None

    def voice_ended(self, now: float, *, within_s: float) -> float | None:
        """When voice was last heard, by the audio known now, if that is at most `within_s` seconds ago."""
        stopped_at = self.voice_stopped(now, within_s=within_s)
        if stopped_at is not None or not self._times:
            return stopped_at
        # Nothing is louder than the audio at the end, so if there is voice at all, it goes on to the end.
        ended_at = self._times[-1] - self.quiet_s
        return ended_at if now - ended_at <= within_s else None

    def voice_stopped(self, now: float, *, within_s: float, until: float = math.inf) -> float | None:
        """As `voice_ended`, but only where voice before the time `until` stands out from what followed it."""
        times, powers = self._remembered(max(within_s, SHORTEST_NOISE_S))
        voiced = powers > np.maximum(_least_since(powers) * _ABOVE_NOISE, _QUIETEST)
        voiced &= (times >= now - within_s) & (times <= until)
        if not voiced.any():
            return None
        loud = np.sort(powers[voiced])[int(0.75 * np.count_nonzero(voiced))]
        voiced &= powers > loud * _TRAILING
        return float(times[voiced][-1])

    def _begin(self, byte_rate: float) -> None:
        """Sets the length of a slice, once the sample rate is known."""
        samples = max(1, round(byte_rate / 2 * SLICE_S))
        self._size = 2 * samples
        self._hum, self._weights = _hum(samples), np.full(samples, 1 / samples)

    def _slices(
        self, pieces: Sequence[bytes], times: Sequence[float], byte_rate: float
    ) -> tuple[Sequence[float], Sequence[int]]:
        """When each slice ends, and how many have ended by the end of each piece."""
        size, held = self._size, len(self._rest)
        if not held and len(pieces[0]) == len(pieces[-1]) == size:
            # Each piece is a slice, as in a call with frames of 20 ms. The other way takes eight times as long.
            return times, range(1, len(pieces) + 1)
        ends, counts = list[float](), list[int]()
        for piece, now in zip(pieces, times, strict=True):
            held += len(piece)
            while held >= size:
                held -= size
                ends.append(now - held / byte_rate)
            counts.append(len(ends))
        return ends, counts

    def _powers_of(self, pcm: bytes) -> NDArray[np.float64]:
        """The power of each slice of the audio, without offset and hum."""
        slices = np.frombuffer(pcm, _PCM).astype(_FLOAT).reshape(-1, self._size // 2)
        hum = self._hum.dot(slices.T)
        # Multiplied and added up like this, it takes three quarters as long as with `einsum`.
        powers: NDArray[np.float64] = (slices * slices).dot(self._weights) - self._weights[: len(hum)].dot(hum * hum)
        return powers

    def _follow(self, powers: Sequence[float]) -> list[float]:
        """Takes the powers of the next slices; returns for each how many slices there are since the last voice."""
        floor, minimum, left, quiet = self._floor, self._minimum, self._left, self._quiet
        since_voice, loudest_noise = list[float](), max(_QUIETEST, floor * _ABOVE_FLOOR)
        for power in powers:
            quiet = 0 if power > loudest_noise else quiet + 1
            since_voice.append(quiet)
            if power < minimum:
                minimum = power
                if power < floor:
                    floor, loudest_noise = power, max(_QUIETEST, power * _ABOVE_FLOOR)
            left -= 1
            if not left:
                self._minima = [*self._minima[1 - _FLOOR // _BLOCK :], minimum]
                floor, minimum, left = min(self._minima), math.inf, _BLOCK
                loudest_noise = max(_QUIETEST, floor * _ABOVE_FLOOR)
        self._floor, self._minimum, self._left = floor, minimum, left
        return since_voice

    def _remembered(self, seconds: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """When each slice of the last `seconds` seconds of audio ended, and its power without clicks."""
        count = math.ceil(min(seconds, KEPT_S) / SLICE_S) + 2
        times, powers = np.array(self._times[-count:]), np.array(self._powers[-count:])
        if not times.size:
            return times, powers
        # Late audio comes in one burst. A slice was spoken at least its length before the slice that follows it.
        lengths = _LENGTHS[: times.size]
        times = np.minimum.accumulate((times - lengths)[::-1])[::-1] + lengths
        padded = np.concatenate([powers[:1], powers, powers[-1:]])
        # The median of three: of the lesser and the greater of its neighbours, it lies between.
        low, high = np.minimum(padded[:-2], padded[2:]), np.maximum(padded[:-2], padded[2:])
        return times, np.minimum(np.maximum(low, powers), high)


@functools.cache
def _hum(size: int) -> NDArray[np.float64]:
    """An orthonormal basis of all offsets and hums in a slice of `size` samples, one row for each dimension."""
    angles = 2 * np.pi * SLICE_S / size * np.outer(_HUM_HZ, np.arange(size))
    shapes = np.concatenate([np.ones((1, size)), np.cos(angles), np.sin(angles)])
    return np.ascontiguousarray(np.linalg.qr(shapes.T)[0].T)


def _least_before(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The floor in the time before each slice; inf for the first."""
    return _least(np.concatenate([np.full(_FLOOR, math.inf), powers]))[: powers.size]


def _least_since(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The floor in the time since each slice, at most that of the last SHORTEST_NOISE_S."""
    padded = np.concatenate([powers, np.full(_FLOOR, math.inf)])
    recent: float = powers[-round(SHORTEST_NOISE_S / SLICE_S) :].min(initial=math.inf)
    return np.minimum(_least(padded)[: powers.size], recent)


def _least(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The minimum of each window of FLOOR_S."""
    least, width = powers, 1
    while width < _FLOOR:
        # The minima of two narrower windows, which may overlap, are those of one window as wide as both together.
        step = min(width, _FLOOR - width)
        least, width = np.minimum(least[:-step], least[step:]), width + step
    return least
