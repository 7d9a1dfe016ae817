"""Where there is voice in the audio of a whole call, by its energy. Pure.

The plugin times speech while a call goes on (see `core.speech`). Here the whole call is known, and so is the noise
before and behind each word.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..core.speech import ABOVE_NOISE_DB, FLOOR_S, QUIETEST_DBFS, SLICE_S, TRAILING_DB, Activity

SHORTEST_GAP_S = 0.25
"""No endpoint ends a turn sooner, so shorter gaps, such as those between two words, count as speech."""
SHORTEST_SPEECH_S = 0.08
"""Anything shorter is a click."""

_QUIETEST = 32768**2 * 10 ** (QUIETEST_DBFS / 10)
_ABOVE_NOISE = 10 ** (ABOVE_NOISE_DB / 10)
_TRAILING = 10 ** (-TRAILING_DB / 10)


def spoken_in(pcm: bytes, rate: int, spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The stretches of voice within these spans; all times are in seconds since the start of the audio.

    Args:
        pcm: signed 16-bit little-endian mono.
        rate: in Hz.
        spans: where somebody is known to speak, in order. They may overlap.
    """
    powers = _powers(pcm, rate)
    if not powers.size:
        return []
    loud = powers > np.maximum(_floor(powers) * _ABOVE_NOISE, _QUIETEST)
    voiced = np.zeros(powers.size, bool)
    for start, end in spans:
        part = slice(max(0, round(start / SLICE_S)), max(0, round(end / SLICE_S)))
        if loud[part].any():
            # What is far below the loud parts is breath and reverberation.
            least = np.quantile(powers[part][loud[part]], 0.75) * _TRAILING
            voiced[part] |= loud[part] & (powers[part] > least)
    return [(round(start, 3), round(end, 3)) for start, end in _joined(voiced)]


def _powers(pcm: bytes, rate: int) -> NDArray[np.float64]:
    """The power of each slice, without offset, hum and clicks."""
    size = 2 * max(1, round(rate * SLICE_S))
    starts = range(0, len(pcm) - size + 1, size)
    if len(starts) < 2:
        return np.zeros(0)
    pieces = [pcm[at : at + size] for at in starts]
    powers = Activity().push_all(pieces, [at / 2 / rate for at in starts], 2 * rate).powers
    padded = np.array([powers[0], *powers, powers[-1]])
    return np.asarray(np.median([padded[:-2], padded[1:-1], padded[2:]], axis=0))


def _floor(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The power of the quietest slice nearby. Digital silence says nothing about a room, so it does not count."""
    reach = round(FLOOR_S / SLICE_S)
    heard = np.where(powers > _QUIETEST / 100, powers, np.inf)
    padded = np.concatenate([np.full(reach, np.inf), heard, np.full(reach, np.inf)])
    least = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(axis=1)
    return np.where(np.isfinite(least), least, 0.0)


def _joined(voiced: NDArray[np.bool_]) -> Iterator[tuple[float, float]]:
    """The stretches of slices with voice. Short gaps are part of them, and clicks are left out."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], voiced, [False]]).astype(np.int8)))
    stretches: list[tuple[float, float]] = []
    for start, end in edges.reshape(-1, 2) * SLICE_S:
        if stretches and start - stretches[-1][1] < SHORTEST_GAP_S:
            stretches[-1] = stretches[-1][0], float(end)
        else:
            stretches.append((float(start), float(end)))
    return ((start, end) for start, end in stretches if end - start >= SHORTEST_SPEECH_S)
