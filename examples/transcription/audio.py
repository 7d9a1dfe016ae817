"""Reads audio files as frames, such as a LiveKit track would deliver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
import numpy.typing as npt
from livekit import rtc

from .call import Clock

SAMPLE_RATE = 16000
FRAME_S = 0.02
SKIPPED_PACKETS = 2
"""So many packets in a row may be damaged. In speech that is less than a second."""

Samples: TypeAlias = npt.NDArray[np.int16]


class UserError(Exception):
    """Something the user can put right. Its text is one line that says what."""


@dataclass(frozen=True)
class Recording:
    """Mono 16-bit audio at `SAMPLE_RATE`, and what to call it."""

    name: str
    samples: Samples

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE


def load(path: Path) -> Recording:
    """Decodes a file of any format FFmpeg knows.

    Raises:
        UserError: there is no such file, it is not audio, it is damaged, or there is nothing in it.
    """
    if path.is_file() and path.stat().st_size == 0:
        raise UserError(f"{path} is empty")
    try:
        samples = decode(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except av.FFmpegError:
        raise UserError(f"{path} is not an audio file") from None
    if not len(samples):
        raise UserError(f"{path} holds no audio")
    return Recording(path.name, samples)


def silence(duration_s: float) -> Samples:
    return np.zeros(round(duration_s * SAMPLE_RATE), np.int16)


def decode(path: Path) -> Samples:
    """The audio of a file, without the errors that `load` makes of what FFmpeg raises before the first sample.

    Raises:
        UserError: from somewhere on it can't be decoded.
    """
    pieces: list[Samples] = []
    with av.open(str(path)) as container:
        if not container.streams.audio:
            raise UserError(f"{path} is not an audio file")
        try:
            # Where files were joined, the rate or the channels may change, and a resampler takes one format.
            for _, alike in groupby(decoded(container), key=lambda frame: (frame.sample_rate, frame.layout.name)):
                pieces += resampled(alike)
        except av.FFmpegError:
            if not pieces:
                raise
            read_s = sum(map(len, pieces)) / SAMPLE_RATE
            what = f"{path} can't be decoded after {read_s:.1f} s: it is damaged, or its format changes there"
            raise UserError(what) from None
    return np.concatenate([np.zeros(0, np.int16), *pieces])


def decoded(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    """The frames of a file. Like a player it skips single packets that hold no audio, as where MP3 files were joined.

    Raises:
        av.FFmpegError: the file can't be read, or many packets in a row can't be decoded.
    """
    skipped = 0
    for packet in container.demux(audio=0):
        try:
            yield from packet.decode()
            skipped = 0
        except av.InvalidDataError:  # noqa: PERF203  # each packet may be damaged by itself
            skipped += 1
            if skipped > SKIPPED_PACKETS:
                raise


def resampled(frames: Iterable[av.AudioFrame]) -> Iterator[Samples]:
    """Frames of one format as mono samples at `SAMPLE_RATE`."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    for frame in chain(frames, [None]):  # None flushes the resampler
        yield from (chunk.to_ndarray().ravel().astype(np.int16) for chunk in resampler.resample(frame))


def frames(samples: Samples) -> Iterator[rtc.AudioFrame]:
    """Cuts audio into frames of `FRAME_S`; the last may be shorter."""
    size = round(SAMPLE_RATE * FRAME_S)
    for start in range(0, len(samples), size):
        part = samples[start : start + size]
        yield rtc.AudioFrame(part.tobytes(), SAMPLE_RATE, 1, len(part))


def levels(samples: Samples, bins: int) -> list[float]:
    """The peak of each of `bins` equal stretches, from 0 to 1, where 1 is the loudest of all."""
    if not len(samples) or bins < 1:
        return [0.0] * max(bins, 0)
    edges = np.linspace(0, len(samples), bins + 1).astype(int)
    heights = np.abs(samples.astype(np.int32))
    peaks = [int(heights[start:end].max(initial=0)) for start, end in pairwise(edges)]
    return [peak / max(1, *peaks) for peak in peaks]


class Player:
    """Plays a recording as a microphone would: each frame comes when its last sample has been spoken."""

    def __init__(self, recording: Recording, *, is_live: bool = True) -> None:
        self.name = recording.name
        self.duration_s: float | None = recording.duration_s
        self.clock = Clock(is_live=is_live)
        self.played_s = 0.0
        self._samples = recording.samples
        self._stopped = False

    @property
    def samples(self) -> Samples:
        return self._samples

    def since(self, start_s: float) -> Samples:
        return self._samples[round(start_s * SAMPLE_RATE) :]

    async def frames(self) -> AsyncIterator[rtc.AudioFrame]:
        self.clock.start(time.time())
        for frame in frames(self.samples):
            await asyncio.sleep(max(0.0, self.clock.wall(self.played_s + frame.duration) - time.time()))
            if self._stopped:
                return
            self.played_s += frame.duration
            yield frame

    def stop(self) -> None:
        """Ends `frames` after the frame that is under way."""
        self._stopped = True
