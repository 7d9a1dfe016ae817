"""Raw PCM as it travels on the wire, turned into windows of 16 kHz mono samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from livekit import rtc
from numpy.typing import NDArray

from ...wire.options import check_sample_rate

Samples: TypeAlias = NDArray[np.float32]
"""Mono, 16 kHz, -1.0 to 1.0."""

RATE = 16000
WINDOW = 512
"""Samples in a window: what Silero takes at 16 kHz."""
WINDOW_S = WINDOW / RATE
SPEECH = 0.5
"""The probability of speech from which a window counts as speech."""


def _from_mulaw(data: NDArray[np.uint8]) -> NDArray[np.int16]:
    code = ~data
    magnitude = ((((code & 0x0F).astype(np.int32) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _from_alaw(data: NDArray[np.uint8]) -> NDArray[np.int16]:
    code = data ^ 0x55
    exponent = (code >> 4) & 7
    mantissa = ((code & 0x0F).astype(np.int32) << 4) + 8
    magnitude = np.where(exponent == 0, mantissa, (mantissa + 0x100) << np.maximum(exponent.astype(np.int32) - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _from_float(data: NDArray[np.float16] | NDArray[np.float32]) -> NDArray[np.int16]:
    unit = np.clip(np.nan_to_num(data.astype(np.float32)), -1.0, 1.0)
    return np.minimum(np.rint(unit * 32768), 32767).astype(np.int16)


_READERS: dict[str, tuple[int, Callable[[bytes], NDArray[np.int16]]]] = {
    "pcm_s16le": (2, lambda data: np.frombuffer(data, "<i2").astype(np.int16)),
    "pcm_s32le": (4, lambda data: (np.frombuffer(data, "<i4") >> 16).astype(np.int16)),
    "pcm_f16le": (2, lambda data: _from_float(np.frombuffer(data, "<f2"))),
    "pcm_f32le": (4, lambda data: _from_float(np.frombuffer(data, "<f4"))),
    "pcm_mulaw": (1, lambda data: _from_mulaw(np.frombuffer(data, np.uint8))),
    "pcm_alaw": (1, lambda data: _from_alaw(np.frombuffer(data, np.uint8))),
}

SAMPLE_BYTES = {encoding: width for encoding, (width, _) in _READERS.items()}
"""Bytes of one sample, by the wire's name of the encoding. It lists every encoding there is."""


class PcmReader:
    """Turns the bytes of one stream into windows; a frame may end anywhere, within a sample too.

    Args:
        encoding: the wire's name, a key of SAMPLE_BYTES.
        sample_rate: of the bytes, in Hz, 8000-48000.

    Raises:
        ValueError: the sample rate is out of range.
    """

    def __init__(self, encoding: str, sample_rate: int) -> None:
        check_sample_rate(sample_rate)
        self._width, self._decode = _READERS[encoding]
        self._resampler = None if sample_rate == RATE else rtc.AudioResampler(sample_rate, RATE)
        self._bytes = b""
        self._samples: NDArray[np.int16] = np.zeros(0, np.int16)

    def push(self, data: bytes) -> Iterator[Samples]:
        """Yields the windows that are now whole."""
        data = self._bytes + data
        whole = len(data) - len(data) % self._width
        self._bytes = data[whole:]
        yield from self._windows(self._resampled(self._decode(data[:whole])))

    def flush(self) -> Iterator[Samples]:
        """Yields what is left, the last window filled up with silence; bytes of a broken sample are dropped."""
        rest = np.zeros(0, np.int16) if self._resampler is None else _joined(self._resampler.flush())
        yield from self._windows(np.concatenate([rest, np.zeros(WINDOW - 1, np.int16)]))

    def _resampled(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        if self._resampler is None or not len(samples):
            return samples
        return _joined(self._resampler.push(bytearray(samples.tobytes())))

    def _windows(self, samples: NDArray[np.int16]) -> Iterator[Samples]:
        samples = np.concatenate([self._samples, samples])
        whole = len(samples) - len(samples) % WINDOW
        self._samples = samples[whole:].copy()  # a part of the array would keep all of it
        for window in samples[:whole].reshape(-1, WINDOW):
            yield window.astype(np.float32) / np.float32(32768)


def _joined(frames: list[rtc.AudioFrame]) -> NDArray[np.int16]:
    return np.concatenate([np.zeros(0, np.int16), *(np.frombuffer(frame.data, np.int16) for frame in frames)])
