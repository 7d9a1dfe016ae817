"""Callers who pause within their sentences, in a room that is never silent, and a recognizer that hears loudness."""

from __future__ import annotations

import asyncio
import io
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from livekit import rtc
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.recording import Recorder
from livekit.plugins.cartesia_turns.server import LocalServer, Recognizer
from numpy.typing import NDArray

from . import speech
from .noise import Room
from .waiting import until

RATE = speech.RATE
LEAD_S = 0.6
ROOM = Room("office", white_dbfs=-52, hum_hz=50, offset=0.02)
_WINDOW = RATE // 50


@dataclass(frozen=True)
class Caller:
    """What a caller says: 16 kHz mono 16-bit, and where it is known to be, in seconds."""

    pcm: bytes
    turns: list[tuple[float, float]]
    pauses: list[tuple[float, float]]

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / RATE


Samples = NDArray[np.int16]


def caller(*turns: tuple[str, float], gap_s: float = 2.5, room: Room = ROOM) -> Caller:
    """One who speaks these clips, each with a pause of so many seconds in its middle, and waits after each."""
    return speaker(*((*halves(clip(name)), pause_s) for name, pause_s in turns), gap_s=gap_s, room=room)


def speaker(*turns: tuple[Samples, Samples, float], gap_s: float = 2.5, room: Room = ROOM) -> Caller:
    """One who speaks two pieces of a sentence in each turn, with so many seconds between them, and waits after it."""
    pieces, at = [np.zeros(round(LEAD_S * RATE), np.int16)], LEAD_S
    spans, pauses = [], []
    for before, after, pause_s in turns:
        paused_at = at + before.size / RATE
        pieces += [before, np.zeros(round(pause_s * RATE), np.int16), after, np.zeros(round(gap_s * RATE), np.int16)]
        end = paused_at + pause_s + after.size / RATE
        if pause_s:
            pauses.append((paused_at, paused_at + pause_s))
        spans.append((at, end))
        at = end + gap_s
    return Caller(room.around(np.concatenate(pieces), RATE).tobytes(), spans, pauses)


def clip(name: str) -> Samples:
    """A recorded sentence from its first loud moment to its last."""
    return trimmed(np.frombuffer(speech.pcm(name), "<i2"))


def espeak(text: str) -> Samples:
    """The text as espeak-ng says it."""
    command = ["espeak-ng", "-v", "en-us", "-s", "160", "--stdin", "--stdout"]
    told = subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout  # our own
    with wave.open(io.BytesIO(told)) as file:
        rate = file.getframerate()
    samples = np.frombuffer(told[44:], "<i2")
    at = np.arange(0, samples.size - 1, rate / RATE)
    return trimmed(np.interp(at, np.arange(samples.size), samples).astype(np.int16))


def trimmed(samples: Samples) -> Samples:
    """The clip from its first loud moment to its last."""
    loud = np.flatnonzero(_loudness(samples) > 0.15 * np.sqrt(np.square(samples.astype(float)).mean()))
    return samples[int(loud[0]) * _WINDOW : (int(loud[-1]) + 1) * _WINDOW]


def halves(samples: Samples) -> tuple[Samples, Samples]:
    """The clip before and after its quietest moment, not too near its ends: a gap between two words."""
    loudness = np.convolve(_loudness(samples), np.ones(4), mode="same")
    third = loudness.size // 3
    cut = (third + int(np.argmin(loudness[third : 2 * third]))) * _WINDOW
    return samples[:cut], samples[cut:]


def _loudness(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    frames = samples[: samples.size // _WINDOW * _WINDOW].astype(float).reshape(-1, _WINDOW)
    return np.asarray(np.sqrt(np.square(frames).mean(axis=1)))


def recognizer() -> Recognizer:
    """Takes what is loud for speech, and hears the same words in all of it: it takes next to no time."""
    return Recognizer(lambda: _is_loud, lambda _: "words", in_thread=False)


def _is_loud(window: NDArray[np.float32]) -> float:
    return float(np.std(np.diff(window)) > 10 ** (-45 / 20))


async def record(server: LocalServer, spoken: Caller, folder: Path, **options: object) -> Path:
    """Speaks to the server in real time and has it recorded; returns the folder of the call."""
    before = recorded(folder)
    stt = cartesia_turns.STT(base_url=server.url, api_key=server.key, recorder=Recorder(folder), **options)  # type: ignore[arg-type]  # as given
    stream, size = stt.stream(), 640
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number, start in enumerate(range(0, len(spoken.pcm), size), 1):
        piece = spoken.pcm[start : start + size]
        stream.push_frame(rtc.AudioFrame(piece, RATE, 1, len(piece) // 2))
        await asyncio.sleep(max(0.0, began + number * 0.02 - loop.time()))
    stream.end_input()
    async for _ in stream:
        pass
    await stt.aclose()
    await until(lambda: recorded(folder) - before, within_s=15, what="the recording")
    (call,) = recorded(folder) - before
    return call


def recorded(folder: Path) -> set[Path]:
    """The calls in the folder that are written to their end."""
    return {path.parent for path in folder.glob("*-*/audio.flac")}
