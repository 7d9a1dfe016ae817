"""Times that travel in the audio and in the text, by the clock that all processes of a machine share."""

from __future__ import annotations

import time

import numpy as np
from livekit import rtc

RATE = 16000
BYTES_PER_S = 2 * RATE
MAGIC = b"\x5a\x11\x2b\x0e\x4c\x0b\x33\x07"
STAMP_BYTES = 16
CYCLE_S, SPEECH_S = 5.0, 3.0
"""A call is turns of this length over and over, of which somebody speaks so long."""


def now_ns() -> int:
    """The clock: system-wide on Linux."""
    return time.monotonic_ns()


def _noise(level: int, frame_s: float) -> bytes:
    samples: np.ndarray[tuple[int], np.dtype[np.float64]] = np.random.default_rng(1).normal(
        0, level, round(RATE * frame_s)
    )
    return samples.astype("<i2").tobytes()


class Talk:
    """Frames of a call: speech or silence by their number, each with the time at which it was made.

    Args:
        frame_ms: how long a frame is.
    """

    def __init__(self, frame_ms: int) -> None:
        self.frame_s = frame_ms / 1000
        self._voice, self._quiet = _noise(4000, self.frame_s), _noise(20, self.frame_s)

    def frame(self, number: int) -> rtc.AudioFrame:
        """Frame `number`, made now."""
        body = self._voice if number * self.frame_s % CYCLE_S < SPEECH_S else self._quiet
        return stamped(body)


def stamped(body: bytes, at_ns: int | None = None) -> rtc.AudioFrame:
    """A frame whose first samples say when it was pushed: now where no time is given."""
    stamp = (now_ns() if at_ns is None else at_ns).to_bytes(8, "little")
    pcm = MAGIC + stamp + body[STAMP_BYTES:]
    return rtc.AudioFrame(pcm, RATE, 1, len(pcm) // 2)


def read(stamp: bytes) -> int | None:
    """The time in the first bytes of a frame, in nanoseconds; None where there is none."""
    return int.from_bytes(stamp[8:STAMP_BYTES], "little") if stamp[:8] == MAGIC else None


def last_word(text: str) -> int | None:
    """The time that is the last word of a text, in nanoseconds; None where it is none."""
    word = text.rpartition(" ")[2]
    return int(word) if word.isdecimal() else None
