"""Music made of sines and noise: a melody with vibrato, chords, a bass and drums. A seed gives the same piece again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .noise import amplitude, clipped

RATE = 16000
BEAT_S = 0.55
CHORDS = ((57, 60, 64), (53, 57, 60), (48, 52, 55), (55, 59, 62))
"""A minor, F, C and G, as numbers of keys of which 69 is the A of 440 Hz."""
SCALE = (57, 60, 62, 64, 67, 69, 72, 74, 76)

Wave = NDArray[np.float64]


def music(duration_s: float, dbfs: float = -18.0, seed: int = 0) -> bytes:
    """So many seconds of a piece, at this loudness: 16 kHz, 16-bit, mono."""
    rng = np.random.default_rng(seed)
    piece = np.zeros(round(duration_s * RATE))
    for beat in range(int(duration_s / BEAT_S)):
        chord = CHORDS[beat // 4 % 4]
        if beat % 4 == 0:
            for key in chord:
                _add(piece, beat, 0.3 * _note(key, 4, harmonics=10, vibrato=0.003, dies_s=3.0))
        if beat % 2 == 0:
            _add(piece, beat, 0.4 * _note(chord[0] - 12, 1.9, harmonics=8, vibrato=0.0, dies_s=0.6))
        _add(piece, beat, 0.3 * _drum(beat, rng))
        _add(piece, beat, _note(int(rng.choice(SCALE)), 0.95, harmonics=16, vibrato=0.008, dies_s=1.2))
    piece += rng.normal(0, 0.01, piece.size)
    return clipped(piece * amplitude(dbfs) / piece.std()).tobytes()


def _note(key: int, beats: float, *, harmonics: int, vibrato: float, dies_s: float) -> Wave:
    """A key of a keyboard; `vibrato` is the part of its pitch by which it sways, 5.5 times a second."""
    at_s = np.arange(round(beats * BEAT_S * RATE)) / RATE
    hz = 440 * 2 ** ((key - 69) / 12)
    phase = 2 * np.pi * hz * at_s + vibrato * hz / 5.5 * np.sin(2 * np.pi * 5.5 * at_s)
    tones = sum(np.sin(k * phase + k * k) / k**1.2 for k in range(1, harmonics + 1) if k * hz < RATE / 2)
    return np.asarray(tones * np.minimum(at_s / 0.03, 1) * np.exp(-at_s / dies_s))


def _drum(beat: int, rng: np.random.Generator) -> Wave:
    """A bass drum and a snare drum in turn."""
    at_s = np.arange(RATE // 4) / RATE
    if beat % 2:
        return rng.normal(0, 0.6, at_s.size) * np.exp(-at_s / 0.07)
    return np.asarray(1.5 * np.sin(2 * np.pi * 50 * at_s) * np.exp(-at_s / 0.1))


def _add(piece: Wave, beat: int, sound: Wave) -> None:
    start = round(beat * BEAT_S * RATE)
    fits = sound[: piece.size - start]
    piece[start : start + fits.size] += fits
