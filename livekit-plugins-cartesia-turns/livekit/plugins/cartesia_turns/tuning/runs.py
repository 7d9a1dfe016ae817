"""Runs recorded calls through the plugin, in real time, and notes when the endpoint starts and ends turns.

Times are those of the audio: an event counts as come when so much audio had been sent. So a run measures what a caller
would wait, with the way to the endpoint and back. If this machine is held up, the audio waits with it: it is not sent
in a burst afterwards, since an endpoint's time is that of the audio.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from livekit.agents import APIError

from ..doctor.calls import Call, Server
from ..doctor.handshake import NO_ANSWER, said
from ..errors import status_of
from ..events import TurnEagerEndEvent, TurnEndEvent, TurnResumeEvent, TurnStartEvent
from ..recording.drawing import placed
from ..recording.files import load
from ..recording.labels import Labels
from ..recording.story import story_of
from ..wire.messages import TurnSettings
from ..wire.options import Options, complete, endpoint
from .grid import arguments_of
from .results import Key, Result
from .score import EAGER_END, END, RESUME, START

FRAME_S = 0.02
CATCH_UP_S = 0.06
"""Audio that is later than this is not caught up with."""
SILENCE_AFTER_S = 10.0
"""The plugin sends silence of its own where audio stops for so long: here it stops only if the machine is held up."""
TRIES = 3
AGAIN_AFTER_S = 1.0
MORE_S = 2.0
"""How much later than its timeout a turn may end, because of the way to the endpoint and back."""
TONE_S = 1.0
REFUSED = (400, 422)
"""How an endpoint answers settings that it does not take."""
KINDS = {TurnStartEvent: START, TurnEagerEndEvent: EAGER_END, TurnResumeEvent: RESUME, TurnEndEvent: END}


class RunError(Exception):
    """A run failed. The text says why.

    Attributes:
        is_refusal: the endpoint does not take these settings; others may do.
    """

    def __init__(self, error: APIError | None) -> None:
        super().__init__(said(error) if error else NO_ANSWER)
        self.is_refusal: bool = error is not None and status_of(error) in REFUSED


@dataclass(frozen=True)
class Sample:
    """A recorded call to be run: its name, its audio (16-bit mono) with its options, and where turns really ended."""

    name: str
    pcm: bytes
    options: Options
    labels: Labels

    @cached_property
    def digest(self) -> str:
        """Tells this audio, and how it is sent, from any other."""
        sent = replace(self.options, turn=TurnSettings())
        return hashlib.sha256(sent.query().encode() + b"\0" + self.pcm).hexdigest()[:16]

    @property
    def seconds(self) -> float:
        """How long the audio is."""
        return len(self.pcm) / 2 / self.options.sample_rate


@dataclass(frozen=True, slots=True)
class Job:
    """One run that is to be made."""

    sample: Sample
    turn: TurnSettings


def sample_of(call: Path, labels: Labels) -> Sample | None:
    """The call in this folder; None if its audio was not kept.

    Raises:
        SchemaError: it is no recording that this version can read.
        OSError: the files can't be read.
    """
    recording = load(call)
    pcm = placed(story_of(recording), recording.audio, recording.options.sample_rate)
    recording.check_audio()
    return Sample(call.resolve().name, pcm, recording.options, labels) if pcm else None


def key_of(server: Server, job: Job) -> Key:
    """What the run of this job at this server is known by."""
    address = endpoint(server.base_url, allow_plaintext=server.allow_plaintext)
    return Key(job.sample.digest, address, server.model or job.sample.options.model, job.turn)


async def run_all(
    server: Server, jobs: Sequence[Job], at_once: int, done: Callable[[Job, Result | RunError], None]
) -> None:
    """Runs all jobs, so many at once, and tells of each as it is done.

    A job whose settings the endpoint refuses is told of with its error, and the others go on.

    Raises:
        RunError: a run failed TRIES times for another reason. The others are stopped.
    """
    waiting = iter(jobs)
    workers = [asyncio.create_task(_work(server, waiting, done)) for _ in range(min(at_once, len(jobs)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def _work(server: Server, waiting: Iterator[Job], done: Callable[[Job, Result | RunError], None]) -> None:
    for job in waiting:
        for attempt in range(1, TRIES + 1):
            try:
                done(job, await run(server, job))
                break
            except RunError as error:
                if error.is_refusal:
                    done(job, error)
                    break
                if attempt == TRIES:
                    raise
                await asyncio.sleep(AGAIN_AFTER_S * attempt)


async def run(server: Server, job: Job) -> Result:
    """Sends one call under one setting.

    Raises:
        RunError: it could not connect, or the connection was lost, which would change the times.
    """
    options = job.sample.options
    stt = replace(server, model=server.model or options.model).stt(
        sample_rate=options.sample_rate,
        keyterm=list(options.keyterms),
        language_hints=list(options.language_hints),
        watchdog_min_timeout=SILENCE_AFTER_S,
        **arguments_of(job.turn),
    )
    async with Call(stt, server.timeout_s) as call:
        if not await call.connect():
            raise RunError(call.trouble)
        pushed_at = await _speak(call, job)
        if call.trouble is not None or call.is_over:
            raise RunError(call.trouble)
        sent_s = call.stream.stats.sent_s
    events = tuple(
        (kind, bisect_right(pushed_at, told.at) * FRAME_S)
        for told in call.told
        if (kind := KINDS.get(type(told.event))) is not None
    )
    late_s = max(0.0, pushed_at[-1] - pushed_at[0] - FRAME_S * (len(pushed_at) - 1)) if pushed_at else 0.0
    return Result(key_of(server, job), job.sample.name, len(pushed_at) * FRAME_S, sent_s, late_s, events)


async def _speak(call: Call, job: Job) -> list[float]:
    """Pushes the call in real time, and the sound of its room after it until the last turn is over.

    Returns:
        When each frame was pushed, in monotonic seconds.
    """
    rate, pushed_at = job.sample.options.sample_rate, list[float]()
    size = 2 * round(rate * FRAME_S)
    tail_s = complete(job.turn).end_timeout_ms / 1000 + MORE_S
    frames, most = len(job.sample.pcm) // size, round((job.sample.seconds + tail_s) / FRAME_S)
    tone = room_tone(job.sample.pcm, rate)
    last_s = max((one.end for one in job.sample.labels.stretches if one.ends_turn), default=None)
    due = time.monotonic()
    for number in range(most):
        if call.is_over or (number >= frames and not _is_awaited(call, last_s, pushed_at)):
            break
        at = number * size if number < frames else (number - frames) * size % len(tone)
        pcm = (job.sample.pcm if number < frames else tone)[at : at + size]
        call.push(pcm.ljust(size, b"\0"), rate)
        pushed_at.append(time.monotonic())
        due = max(due + FRAME_S, pushed_at[-1] + FRAME_S - CATCH_UP_S)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    return pushed_at


def _is_awaited(call: Call, last_s: float | None, pushed_at: Sequence[float]) -> bool:
    """Whether a turn is open, or none has ended since the caller was done with the last one, at `last_s`.

    Otherwise an endpoint that does not hear the caller at all would seem to be the quickest.
    """
    ends = call.all(TurnEndEvent)
    if len(call.all(TurnStartEvent)) > len(ends):
        return True
    return last_s is not None and all(bisect_right(pushed_at, told.at) * FRAME_S < last_s for told in ends)


def room_tone(pcm: bytes, rate: int) -> bytes:
    """The quietest second of a call, forwards and backwards, so that it can be repeated without a click.

    It stands for the room after the end of the recording, since no room is as silent as digital silence.
    """
    samples = np.frombuffer(pcm, np.int16)
    size = round(TONE_S * rate)
    pieces = samples[: samples.size // size * size].reshape(-1, size)
    # Digital silence stands for audio that did not come, as on hold.
    heard = [piece for piece in pieces if piece.any()]
    if not heard:
        return bytes(4 * size)
    quietest = min(heard, key=lambda piece: float(piece.astype(np.float64).std()))
    return np.concatenate([quietest, quietest[::-1]]).tobytes()
