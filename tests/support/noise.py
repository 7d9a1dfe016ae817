"""Rooms for test audio: what is behind and under the words in every call that is not made up of digital silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from livekit.plugins.cartesia_turns.core.speech import Activity
from numpy.typing import NDArray

FULL_SCALE = 32768
FRAME_S = 0.02


def amplitude(dbfs: float) -> float:
    """The RMS amplitude, in steps of 16 bits, of a signal so many dB below full scale."""
    return float(FULL_SCALE * 10 ** (dbfs / 20))


def push(activity: Activity, dbfs: float, seconds: float, now: float) -> float:
    """Pushes audio of this level in real time, in frames of 16 kHz; returns the time behind it."""
    samples = np.full(round(16000 * FRAME_S), amplitude(dbfs))
    samples[::2] *= -1
    frame = samples.astype("<i2").tobytes()
    for _ in range(round(seconds / FRAME_S)):
        now += FRAME_S
        activity.push(frame, FRAME_S, now)
    return now


def white(samples: int, dbfs: float, seed: int = 0) -> NDArray[np.float64]:
    """White noise; a seed always gives the same."""
    return np.random.default_rng(seed).normal(0, amplitude(dbfs), samples)


def hum(samples: int, rate: int, hz: float, dbfs: float = -30.0) -> NDArray[np.float64]:
    """Mains hum: a sine of this frequency at `rate` samples a second."""
    wave: NDArray[np.float64] = np.sin(2 * np.pi * hz / rate * np.arange(samples) + 0.3)
    return wave * (2**0.5 * amplitude(dbfs))


@dataclass(frozen=True)
class Room:
    """What a microphone hears beside the words, and what it makes of them."""

    name: str
    white_dbfs: float | None = None
    hum_hz: float | None = None
    """Hum of this frequency at -30 dBFS."""
    offset: float = 0.0
    """A constant, as a part of full scale."""
    gain_db: float = 0.0
    """The words are made louder by so much, or quieter; what does not fit is clipped."""
    gate_s: float | None = None
    """The microphone lets the room be heard with the words and for so many seconds behind them alone."""

    def noise(self, samples: int, rate: int, seed: int = 0) -> NDArray[np.float64]:
        """So many samples of the room without words, a part of which may be taken from anywhere."""
        noise = np.full(samples, self.offset * FULL_SCALE)
        if self.white_dbfs is not None:
            noise += white(samples, self.white_dbfs, seed)
        if self.hum_hz is not None:
            noise += hum(samples, rate, self.hum_hz)
        return noise

    def around(self, words: NDArray[np.int16], rate: int, *, seed: int = 0) -> NDArray[np.int16]:
        """The words as they are heard in this room."""
        return clipped(words * 10 ** (self.gain_db / 20) + self.noise(words.size, rate, seed))


def clipped(samples: NDArray[np.float64]) -> NDArray[np.int16]:
    """The samples in 16 bits: what is beyond is cut off."""
    return np.clip(np.rint(samples), -FULL_SCALE, FULL_SCALE - 1).astype("<i2")


ROOMS = (
    Room("no noise"),
    Room("offset of 3 %", offset=0.03),
    Room("offset of 12 %", offset=0.12),
    Room("hum of 50 Hz", hum_hz=50),
    Room("hum of 60 Hz", hum_hz=60),
    Room("noise at -45 dBFS", white_dbfs=-45),
    Room("noise at -35 dBFS", white_dbfs=-35),
    Room("quiet", gain_db=-30),
    Room("clipped", gain_db=18),
    Room("offset, hum and noise", white_dbfs=-45, hum_hz=50, offset=-0.12),
    Room("hum and loud noise", white_dbfs=-35, hum_hz=60, offset=0.03),
    Room("quiet in hum", hum_hz=60, offset=0.12, gain_db=-30),
    Room("clipped in noise", white_dbfs=-35, offset=0.12, gain_db=18),
)
"""Every kind of noise, and some together."""

GATED = (
    Room("gate, noise at -42 dBFS", white_dbfs=-42, gate_s=1.0),
    Room("gate, noise at -35 dBFS", white_dbfs=-35, gate_s=0.6),
    Room("gate, offset, hum and noise", white_dbfs=-42, hum_hz=50, offset=0.03, gate_s=2.0),
)
"""Noise that comes with the words and stays behind them for a while."""
