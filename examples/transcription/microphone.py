"""The default microphone, as the frames a LiveKit track would deliver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from types import ModuleType

import numpy as np
from livekit import rtc

from .audio import FRAME_S, SAMPLE_RATE, Samples, UserError
from .call import Clock


class Microphone:
    """Records until `stop`.

    Raises:
        UserError: there is no microphone, or nothing to read it with.
    """

    def __init__(self) -> None:
        self._sounddevice = _sounddevice()
        self.name = _device_name(self._sounddevice)
        self.duration_s: float | None = None
        self.played_s = 0.0
        self.clock = Clock()
        self._blocks: list[bytes] = []
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    @property
    def samples(self) -> Samples:
        """What was recorded so far."""
        return self.since(0.0)

    def since(self, start_s: float) -> Samples:
        """The same, from about that second on."""
        return np.frombuffer(b"".join(self._blocks[int(start_s / FRAME_S) :]), np.int16)

    async def frames(self) -> AsyncIterator[rtc.AudioFrame]:
        """The recording as it grows."""
        loop = asyncio.get_running_loop()

        def on_block(data: object, *_: object) -> None:  # in a thread of the audio driver
            loop.call_soon_threadsafe(self._queue.put_nowait, bytes(data))  # type: ignore[call-overload]  # a buffer

        size = round(SAMPLE_RATE * FRAME_S)
        self.clock.start(time.time())
        with self._sounddevice.RawInputStream(SAMPLE_RATE, size, channels=1, dtype="int16", callback=on_block):
            while (block := await self._queue.get()) is not None:
                self._blocks.append(block)
                self.played_s += FRAME_S
                yield rtc.AudioFrame(block, SAMPLE_RATE, 1, len(block) // 2)

    def stop(self) -> None:
        """Ends `frames` after what was recorded."""
        self._queue.put_nowait(None)


def _sounddevice() -> ModuleType:
    try:
        import sounddevice  # noqa: PLC0415  # looks for PortAudio at once
    except OSError:  # the package is there, and the library that it wraps is not
        raise UserError("--mic needs PortAudio: apt install libportaudio2, or brew install portaudio") from None
    module: ModuleType = sounddevice
    return module


def _device_name(sounddevice: ModuleType) -> str:
    try:
        device = sounddevice.query_devices(kind="input")
    except (ValueError, sounddevice.PortAudioError):
        raise UserError("no microphone was found") from None
    return str(device["name"])
