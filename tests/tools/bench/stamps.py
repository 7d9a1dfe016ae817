"""Times that travel in the audio and in the text, by the clock that all processes of a machine share."""

from __future__ import annotations

import time

import numpy as np
from livekit import rtc

RATE = 16000
BYTES_PER_S = 2 * RATE
CYCLE_S, SPEECH_S = 5.0, 3.0
"""A call is turns of this length over and over, of which somebody speaks so long."""
SYLLABLE_S, VOICED_S = 0.25, 0.15
"""Speech is syllables of this length, of which so much is voiced."""
LOUD, SOFT = 4000, 20
"""How far samples are from zero on average where there is voice, and elsewhere."""

_HEX = b"0123456789abcdef"
_AS_SAMPLES, _AS_HEX = bytes.maketrans(_HEX, bytes(range(16))), bytes.maketrans(bytes(range(16)), _HEX)


def _samples(digits: bytes) -> bytes:
    """A sample for each hexadecimal digit. None is louder than the noise of a quiet room."""
    pcm = bytearray(2 * len(digits))
    pcm[::2] = digits.translate(_AS_SAMPLES)
    return bytes(pcm)


MAGIC = _samples(b"5a112b0e4c0b3307")
STAMP_BYTES = 2 * len(MAGIC)
"""A stamp is these samples, and as many with the time in nanoseconds."""


def now_ns() -> int:
    """The clock: system-wide on Linux."""
    return time.monotonic_ns()


def _noise(level: int, frame_s: float) -> bytes:
    samples: np.ndarray[tuple[int], np.dtype[np.float64]] = np.random.default_rng(1).normal(
        0, level, round(RATE * frame_s)
    )
    return samples.astype("<i2").tobytes()


class Talk:
    """Frames of a call: syllables or the noise of a quiet room by their number, each with the time when it was made.

    Args:
        frame_ms: how long a frame is.
    """

    def __init__(self, frame_ms: int) -> None:
        self.frame_s = frame_ms / 1000
        self._voice, self._quiet = _noise(LOUD, self.frame_s), _noise(SOFT, self.frame_s)

    def frame(self, number: int) -> rtc.AudioFrame:
        """Frame `number`, made now; one with a negative number has no voice."""
        at_s = number * self.frame_s % CYCLE_S
        is_voiced = number >= 0 and at_s < SPEECH_S and at_s % SYLLABLE_S < VOICED_S
        return stamped(self._voice if is_voiced else self._quiet)


def stamped(body: bytes, at_ns: int | None = None) -> rtc.AudioFrame:
    """A frame whose first samples say when it was pushed: now where no time is given."""
    stamp = MAGIC + _samples(b"%016x" % (now_ns() if at_ns is None else at_ns))
    pcm = stamp + body[STAMP_BYTES:]
    return rtc.AudioFrame(pcm, RATE, 1, len(pcm) // 2)


def read(stamp: bytes) -> int | None:
    """The time in the first bytes of a frame, in nanoseconds; None where there is none."""
    at, is_one = stamp[len(MAGIC) : STAMP_BYTES : 2], stamp.startswith(MAGIC) and len(stamp) >= STAMP_BYTES
    return int(at.translate(_AS_HEX), 16) if is_one else None


def last_word(text: str) -> int | None:
    """The time that is the last word of a text, in nanoseconds; None where it is none."""
    word = text.rpartition(" ")[2]
    return int(word) if word.isdecimal() else None
