"""Whether speech runs at its own speed: audio whose sample rate is labelled wrong is too fast and high, or the reverse.

Three things are measured that change with the speed and differ little from one speaker to another: how high the voice
is, how fast its loudness goes up and down, and how soon its sound changes. Pure.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

HOP_S, SPECTRUM_S, PITCH_S = 0.01, 0.064, 0.1
MEASURED_AT_MOST_S = 16.0
"""How much of the audio is measured, at most."""
MEASURED_AT_LEAST_S = 0.8
LOWEST_RATE = 4000
"""A lower rate, in Hz, leaves nothing of speech."""
LOUD = 0.05
"""Part of a loud moment's power from which a moment counts as speech."""
VOICED = 0.2
"""If a smaller part of its loud moments is voiced, it is not speech."""
STEADY = 0.25
"""The loudness of speech differs from its mean by more than this part of it."""
BAND_HZ = (60.0, 4000.0)
BANDS = 20

USUAL = (7.15, 2.54, 4.24)
"""What is measured of speech at its own speed, as binary logarithms: Hz of the voice, Hz of the loudness, changes of
the sound in a second. Of 27 pieces of four seconds, by ten voices."""
VARIANCE = (0.2, 0.05, 0.073)
"""The variance of these values, from speaker to speaker and sentence to sentence."""
SLOPE = (1.0, 0.55, 0.74)
"""By how much these values grow with each doubling of the speed."""


def octaves_off(samples: NDArray[np.int16], rate: int) -> float | None:
    """How much too fast the speech is: 1.0 at twice its speed, -1.0 at half; None where there is too little of it.

    A speaker's own way of speaking accounts for up to half an octave.
    """
    wave = samples[: round(MEASURED_AT_MOST_S * rate)].astype(np.float64)
    if wave.size < MEASURED_AT_LEAST_S * rate or rate < LOWEST_RATE:
        return None
    power, frequencies = _spectrum(wave, rate)
    energy = power[:, frequencies > 40].sum(axis=1)
    loud = energy > LOUD * np.percentile(energy, 95)
    pitches, looked_at = _pitches(wave, rate, np.flatnonzero(loud)[::3])
    if not pitches or len(pitches) < VOICED * looked_at or _is_steady(energy):
        return None
    measured = (float(np.median(pitches)), _loudness_hz(energy), _changes_per_s(power, frequencies, loud))
    weights = [slope / variance for slope, variance in zip(SLOPE, VARIANCE, strict=True)]
    off = sum(w * (math.log2(value) - usual) for w, value, usual in zip(weights, measured, USUAL, strict=True))
    return off / sum(weight * slope for weight, slope in zip(weights, SLOPE, strict=True))


def _is_steady(energy: NDArray[np.float64]) -> bool:
    """Whether the loudness stays about the same, as that of a tone does, and that of speech does not."""
    loudness = np.sqrt(energy)
    return bool(loudness.std() < STEADY * loudness.mean())


def _spectrum(wave: NDArray[np.float64], rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The power of each moment, by frequency, and the frequencies."""
    size = round(rate * SPECTRUM_S)
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[:: round(rate * HOP_S)]
    power: NDArray[np.float64] = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    frequencies = np.asarray(np.fft.rfftfreq(size, 1 / rate), np.float64)
    return power, frequencies


def _pitches(wave: NDArray[np.float64], rate: int, moments: NDArray[np.intp]) -> tuple[list[float], int]:
    """The pitch of each moment that has one, in Hz, and how many moments were looked at."""
    size, hop = round(rate * PITCH_S), round(rate * HOP_S)
    window = np.hanning(size)
    fading = _autocorrelation(window) + 1e-3
    pieces = [wave[at * hop : at * hop + size] for at in moments.tolist()]
    whole = [piece for piece in pieces if piece.size == size]
    found = (_pitch(_autocorrelation((piece - piece.mean()) * window) / fading, rate) for piece in whole)
    return [pitch for pitch in found if pitch is not None], len(whole)


def _autocorrelation(piece: NDArray[np.float64]) -> NDArray[np.float64]:
    power = np.abs(np.fft.rfft(piece, 2 * piece.size)) ** 2
    correlation: NDArray[np.float64] = np.fft.irfft(power)[: piece.size]
    return correlation / max(float(correlation[0]), 1e-9)


def _pitch(correlation: NDArray[np.float64], rate: int) -> float | None:
    """The pitch, from 25 to 1000 Hz: that of the first peak which is about as high as the highest."""
    fallen = np.flatnonzero(correlation < 0.2)
    low, high = max(rate // 1000, int(fallen[0]) if fallen.size else rate), rate // 25
    if low + 2 >= high:
        return None
    part = correlation[low:high]
    best = int(part.argmax())
    if part[best] < 0.5:
        return None
    head = part[: best + 1]
    inner = head[1:-1]
    peaks = np.flatnonzero((inner > 0.85 * head[best]) & (inner >= head[:-2]) & (inner >= head[2:]))
    return rate / (low + (1 + int(peaks[0]) if peaks.size else best))


def _loudness_hz(energy: NDArray[np.float64]) -> float:
    """How fast the loudness goes up and down: the mean frequency of its changes, the slow ones counting less."""
    loudness = np.sqrt(energy)
    changes = np.abs(np.fft.rfft((loudness - loudness.mean()) * np.hanning(loudness.size), 8192)) ** 2
    hertz = np.fft.rfftfreq(8192, HOP_S)
    within = (hertz > 0.3) & (hertz < 30)
    weight = changes[within] * hertz[within]
    return float((weight * hertz[within]).sum() / max(float(weight.sum()), 1e-9))


def _changes_per_s(power: NDArray[np.float64], frequencies: NDArray[np.float64], loud: NDArray[np.bool_]) -> float:
    """How often the sound changes, from the time after which half of its likeness to itself is gone."""
    edges = np.geomspace(*BAND_HZ, BANDS + 1)
    bands = [power[:, (frequencies >= low) & (frequencies < high)].sum(axis=1) for low, high in pairwise(edges)]
    floor = 1e-3 * float(np.percentile(power.sum(axis=1), 95)) / BANDS
    sound = np.log(np.stack(bands, axis=1) + floor)
    sound -= sound[loud].mean(axis=0)
    moments = np.flatnonzero(loud)
    whole = float((sound[moments] ** 2).sum(axis=1).mean())
    before = 1.0
    for lag in range(1, 40):
        at = moments[moments + lag < len(sound)]
        alike = float((sound[at] * sound[at + lag]).sum(axis=1).mean()) / max(whole, 1e-9) if at.size else 0.0
        if alike < 0.5:
            return 1 / (HOP_S * (lag - (0.5 - alike) / max(before - alike, 1e-9)))
        before = alike
    return 1 / (HOP_S * 40)
