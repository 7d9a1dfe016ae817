"""Turns the frames that the framework pushes into the PCM that the wire takes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from livekit import rtc


class PcmConverter:
    """Mixes audio down to mono, resamples it and, if wanted, cuts it into chunks of one length.

    The format of the frames may change at any time.

    Args:
        sample_rate: of the output, in Hz; it is signed 16-bit little-endian mono.
        chunk_ms: the length of the chunks that are returned, in milliseconds; None returns frames at the length they
            come in.
    """

    def __init__(self, sample_rate: int, chunk_ms: int | None = None) -> None:
        self._sample_rate = sample_rate
        self._chunk_bytes = 0 if chunk_ms is None else max(1, sample_rate * chunk_ms // 1000) * 2
        self._pending = bytearray()
        self._resampler: rtc.AudioResampler | None = None
        self._resampler_rate = sample_rate

    @property
    def is_holding(self) -> bool:
        """Some audio waits for its chunk to fill up."""
        return bool(self._pending)

    def as_it_is(self, frame: rtc.AudioFrame) -> bytes | None:
        """The audio of a frame that may be sent as it is; None if it is empty or `push` has something to do with it."""
        is_raw = frame.num_channels == 1 and frame.sample_rate == self._sample_rate
        is_free = self._resampler is None and not self._chunk_bytes
        return bytes(frame.data) or None if is_raw and is_free else None

    def push(self, frame: rtc.AudioFrame) -> list[bytes]:
        """Converts a frame of any rate and number of channels, and returns the audio that is ready to be sent."""
        pcm = _mono(frame)
        if frame.sample_rate == self._sample_rate and self._resampler is None:
            return self._cut(pcm)
        return self._cut(self._resampled(pcm, frame.sample_rate))

    def flush(self) -> list[bytes]:
        """Returns all audio that is held back, including a chunk that is not full."""
        tail = b"" if self._resampler is None else _joined(self._resampler.flush())
        self._resampler = None
        ready = [*self._cut(tail), bytes(self._pending)]
        self._pending.clear()
        return [pcm for pcm in ready if pcm]

    def _resampled(self, pcm: bytes, rate: int) -> bytes:
        head = b""
        if self._resampler is not None and rate != self._resampler_rate:
            head = _joined(self._resampler.flush())
            self._resampler = None
        if rate == self._sample_rate:
            return head + pcm
        if self._resampler is None:
            self._resampler = rtc.AudioResampler(rate, self._sample_rate, quality=rtc.AudioResamplerQuality.HIGH)
            self._resampler_rate = rate
        return head + _joined(self._resampler.push(bytearray(pcm)))

    def _cut(self, pcm: bytes) -> list[bytes]:
        if not self._chunk_bytes:
            return [pcm] if pcm else []
        self._pending += pcm
        ready = []
        while len(self._pending) >= self._chunk_bytes:
            ready.append(bytes(self._pending[: self._chunk_bytes]))
            del self._pending[: self._chunk_bytes]
        return ready


def pieces_of(frame: rtc.AudioFrame, longest_s: float) -> Iterator[rtc.AudioFrame]:
    """The frame, or the pieces of a frame that is longer than `longest_s` seconds."""
    longest = max(1, round(frame.sample_rate * longest_s))
    if frame.samples_per_channel <= longest:
        yield frame
        return
    for start in range(0, frame.samples_per_channel, longest):
        count = min(longest, frame.samples_per_channel - start)
        data = frame.data[start * frame.num_channels : (start + count) * frame.num_channels].tobytes()
        yield rtc.AudioFrame(data, frame.sample_rate, frame.num_channels, count)


def _mono(frame: rtc.AudioFrame) -> bytes:
    if frame.num_channels == 1:
        return bytes(frame.data)
    samples = np.frombuffer(frame.data, dtype=np.int16).reshape(-1, frame.num_channels)
    mono: bytes = samples.mean(axis=1).astype(np.int16).tobytes()
    return mono


def _joined(frames: list[rtc.AudioFrame]) -> bytes:
    return b"".join(bytes(frame.data) for frame in frames)
