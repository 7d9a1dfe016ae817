"""How the server's listener hears a call, in time that is counted in audio and so the same on every machine.

The recognizer's answers come when so much more audio has been heard as the lag says, however long they really took.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from livekit.plugins.cartesia_turns.server.handshake import StreamRequest
from livekit.plugins.cartesia_turns.server.recognition.listener import Listener
from livekit.plugins.cartesia_turns.server.recognition.pcm import RATE, Samples
from livekit.plugins.cartesia_turns.server.recognition.recognizer import Decoder, Recognizer
from livekit.plugins.cartesia_turns.wire.messages import (
    ServerMessage,
    TurnEnd,
    TurnResume,
    TurnSettings,
    TurnStart,
    TurnUpdate,
)
from livekit.plugins.cartesia_turns.wire.protocol import parse

Lag = Callable[[float, int], float]
"""From the seconds of audio transcribed, and the count of times before, to the seconds of audio that it takes."""


class AudioClock:
    """The seconds of audio heard so far."""

    now_s = 0.0


class LaggingText(Future[str]):
    """A text that is there at once for whoever waits for it, and done when its time comes."""

    def __init__(self, text: str, clock: AudioClock, due_s: float) -> None:
        super().__init__()
        self._clock = clock
        self._due_s = due_s
        self.set_result(text)

    def add_done_callback(self, fn: Callable[[Future[str]], object]) -> None:
        self._due_s = 0.0
        super().add_done_callback(fn)

    def done(self) -> bool:
        return self._clock.now_s >= self._due_s


class LaggingDecoder(Decoder):
    """Transcribes at once and tells it later, one job at a time."""

    def __init__(self, recognizer: Recognizer, clock: AudioClock, lag: Lag) -> None:
        super().__init__(replace(recognizer, transcriber=self._hear, in_thread=False))
        self._real = recognizer.transcriber
        self._clock = clock
        self._lag = lag
        self._count = 0
        self._busy_until_s = 0.0

    @property
    def is_free(self) -> bool:
        return self._clock.now_s >= self._busy_until_s

    def submit(self, audio: Samples, *, final: bool = False) -> Future[str]:
        self._busy_until_s = max(self._clock.now_s, self._busy_until_s)
        text = super().submit(audio, final=final).result()
        return LaggingText(text, self._clock, self._busy_until_s)

    def _hear(self, audio: Samples) -> str:
        self._busy_until_s += self._lag(len(audio) / RATE, self._count)
        self._count += 1
        return self._real(audio)


@dataclass
class Heard:
    """The messages of a call, each with the seconds of audio heard when it came."""

    messages: list[tuple[float, ServerMessage]] = field(default_factory=list)

    def finals(self) -> list[str]:
        return [message.transcript for _, message in self.messages if isinstance(message, TurnEnd)]

    def starts_s(self) -> list[float]:
        return [at_s for at_s, message in self.messages if isinstance(message, TurnStart)]

    def update_gaps_s(self) -> list[float]:
        """From each start, resume and update to the update after it, where nothing lies between them."""
        return [
            after_s - before_s
            for (before_s, before), (after_s, after) in pairwise(self.messages)
            if isinstance(before, TurnStart | TurnResume | TurnUpdate) and isinstance(after, TurnUpdate)
        ]


async def hear(recognizer: Recognizer, pcm: bytes, lag: Lag, *, frame_bytes: int = 640) -> Heard:
    """What a connection that sends this audio (16 kHz, 16-bit, mono) in frames of this size is told."""
    clock, heard = AudioClock(), Heard()
    stream = StreamRequest("id", "pcm_s16le", RATE, TurnSettings())
    listener = Listener(stream, recognizer, LaggingDecoder(recognizer, clock, lag))
    for start in range(0, len(pcm), frame_bytes):
        frame = pcm[start : start + frame_bytes]
        clock.now_s += len(frame) / 2 / RATE
        heard.messages += [(clock.now_s, parse(text)) async for text in listener.hear(frame)]
    heard.messages += [(clock.now_s, parse(text)) async for text in listener.finish()]
    return heard


def steady(factor: float, least_s: float = 0.03) -> Lag:
    """Transcribing takes this part of the audio's duration."""
    return lambda audio_s, _: least_s + factor * audio_s


def uneven(seed: int, most_s: float = 0.6) -> Lag:
    """Transcribing takes any time up to the most, as on a machine that others use too."""
    return lambda _, count: float(np.random.default_rng((seed, count)).uniform(0.02, most_s))


def worsened(pcm: bytes, *, noise_dbfs: float | None = None, offset: float = 0.0) -> bytes:
    """The audio with white noise of this loudness and a constant offset (1.0 is full scale) on top."""
    samples = np.frombuffer(pcm, "<i2") / 32768 + offset
    if noise_dbfs is not None:
        samples = samples + np.random.default_rng(0).normal(0, 10 ** (noise_dbfs / 20), len(samples))
    return bytes((np.clip(samples, -1, 32767 / 32768) * 32768).astype("<i2").tobytes())
