"""The recorded clips: what is said in each, and all of them as one call."""

from __future__ import annotations

import csv
import wave
from pathlib import Path

import numpy as np

AUDIO = Path(__file__).parents[2] / "examples" / "audio"
RATE = 16000
GAP_S = 1.5
LEAD_S = 0.5


def clips() -> dict[str, str]:
    """What is said in each clip, by its file name."""
    with (AUDIO / "transcripts.tsv").open(encoding="utf-8") as table:
        return dict(csv.reader(table, delimiter="\t"))


SPOKEN = list(clips().values())
"""The words of each clip, in the order of their names."""


def pcm(name: str) -> bytes:
    """A clip's samples: 16 kHz, 16-bit, mono."""
    with wave.open(str(AUDIO / name)) as file:
        return bytes(file.readframes(file.getnframes()))


def silence(duration_s: float) -> bytes:
    """Digital silence: 16 kHz, 16-bit, mono."""
    return bytes(2 * round(duration_s * RATE))


def call() -> bytes:
    """All clips with 1.5 s of silence between them."""
    return silence(LEAD_S) + b"".join(pcm(name) + silence(GAP_S) for name in clips())


def speech_ends_s() -> list[float]:
    """Where in the call the speech of each clip ends, in seconds: with its last 20 ms at a tenth of its loudness."""
    ends, start_s = [], LEAD_S
    for name in clips():
        samples = np.frombuffer(pcm(name), "<i2").astype(float)
        frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
        loudness = np.sqrt((frames**2).mean(axis=1))
        loud = np.flatnonzero(loudness > 0.1 * np.sqrt((samples**2).mean()))
        ends.append(start_s + (loud[-1] + 1) * 0.02)
        start_s += len(samples) / RATE + GAP_S
    return ends
