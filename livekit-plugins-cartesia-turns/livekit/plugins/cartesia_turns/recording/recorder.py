"""Records the calls of an STT, each into a folder of its own."""

from __future__ import annotations

import os
import platform
import sys
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..core.pacing import Pace
from ..core.requests import Limits
from ..version import __version__
from ..wire.checks import check_flag, check_positive
from ..wire.options import Options
from .audio_file import AudioFile
from .client import RecordedClient
from .journal import Journal, Lines
from .schema import SCHEMA, Fields, limits_to, number_to, options_to, stats_to
from .shelf import Shelf
from .writer import CallWriter, Writer

if TYPE_CHECKING:
    from livekit.agents import stt

MEGABYTE = 1_000_000
DAY_S = 86_400.0


class Owner(Protocol):
    """What a stream needs of its STT. It repeats the Owner of `reporter`, whose layer is above this one."""

    def emit(self, event: str, *args: object) -> None:
        """Calls the handlers of one of the STT's own events."""

    def _warn_once(self, text: str) -> None:
        """Logs a static text."""

    def _apply(self, calls: Iterable[Any]) -> None:
        """Lets the streams of these calls take over their options."""


class Recorder:
    """Records each stream of the STTs that it is given to: `STT(recorder=Recorder("calls/"))`.

    The folder of a call has all that it takes to look at the call and to run it again: `call.jsonl` (see `schema`) and
    the audio as it was pushed, in `audio.wav` while the call lasts and in `audio.flac` afterwards. Keys, tokens,
    headers and addresses are never written. Words and voices are, unless you say otherwise. A thread does the writing.
    If the disk is full or too slow, the recording ends with one warning, and the call goes on.

    Args:
        folder: is made if it does not exist. Only its owner may look into the folders of calls.
        audio: keep the audio. A call without audio can be looked at, but not replayed.
        transcripts: keep the words. Otherwise each letter becomes an x, in key terms and in the server's errors too.
        max_size_mb: the megabytes that all recordings in the folder may take. The oldest are deleted first.
        max_age_days: how many days a recording is kept. Older ones are deleted when a call begins.

    Raises:
        ValueError: an argument can't be right.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        audio: bool = True,
        transcripts: bool = True,
        max_size_mb: float = 1000.0,
        max_age_days: float = 7.0,
    ) -> None:
        check_flag("audio", audio)
        check_flag("transcripts", transcripts)
        check_positive("max_size_mb", max_size_mb)
        check_positive("max_age_days", max_age_days)
        if not os.fspath(folder):
            raise ValueError("folder is empty: it must name a folder")
        # The process may change its working directory later.
        path = Path(os.path.expanduser(folder)).absolute()
        self._shelf = Shelf(path, round(min(max_size_mb * MEGABYTE, sys.maxsize)), max_age_days * DAY_S)
        self._audio = audio
        self._transcripts = transcripts
        self._writer = Writer()

    def begin(self, options: Options, limits: Limits, pace: Pace) -> RecordedCall:
        """Begins the recording of a stream, which takes its client from here.

        Args:
            options: those of the first socket.
            limits: those of the client.
            pace: how fast the endpoint takes a backlog.
        """
        journal, now = Journal(), time.monotonic()
        journal.note(now, self._header(options, limits))
        client = RecordedClient(options, limits, now, pace, journal=journal, clock=time.monotonic)
        folder = self._shelf.new()
        audio = AudioFile(folder, options.sample_rate) if self._audio else None
        writer = CallWriter(folder, journal, Lines(transcripts=self._transcripts), audio, self._room)
        self._writer.add(writer)
        finish = weakref.finalize(client, self._writer.finish, writer)
        # When the process ends, it is too late to start a thread.
        finish.atexit = False
        return RecordedCall(client, finish)

    def _header(self, options: Options, limits: Limits) -> Fields:
        versions = {
            "livekit-plugins-cartesia-turns": __version__,
            "livekit-agents": _version("livekit-agents"),
            "python": platform.python_version(),
        }
        return {
            "schema": SCHEMA,
            "versions": versions,
            "started": time.time(),
            "options": options_to(options),
            "limits": limits_to(limits),
            "audio": self._audio,
            "transcripts": self._transcripts,
        }

    def _room(self) -> int:
        return self._shelf.room(self._writer.folders)


def _version(package: str) -> str:
    """The version of an installed package. A program that was packed into one file may not know it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


class RecordedCall:
    """The recording of one stream.

    Args:
        client: the stream's client, which takes the notes.
        finish: has the rest written.
    """

    def __init__(self, client: RecordedClient, finish: weakref.finalize[..., RecordedClient]) -> None:
        self.client: RecordedClient = client
        self._finish = finish

    def passing_on(self, send: Callable[[stt.SpeechEvent], None]) -> Callable[[stt.SpeechEvent], None]:
        """A function that notes the speech events and passes them on to `send`."""
        client = self.client

        def told(event: stt.SpeechEvent) -> None:
            send(event)
            client.late.append((time.monotonic(), event))

        return told

    def overhearing(self, owner: Owner) -> Owner:
        """An object that notes the STT's own events and passes them on to the STT."""
        return _Overhearing(owner, self)

    def announced(self, name: str, event: object) -> None:
        """Notes one of the STT's own events."""
        self._note({"announced": name, **_plain(event)})

    def close(self) -> None:
        """The stream is over."""
        self._note({"end": True, "stats": stats_to(self.client.stats)})
        self._finish()

    def _note(self, fields: Fields) -> None:
        self.client.note(time.monotonic(), fields)


class _Overhearing:
    def __init__(self, owner: Owner, call: RecordedCall) -> None:
        self._owner = owner
        self._call = call

    def emit(self, event: str, *args: object) -> None:
        # Those of turns are left out, since the client's events have them.
        if not event.startswith("turn_"):
            for told in args:
                self._call.announced(event, told)
        self._owner.emit(event, *args)

    def _warn_once(self, text: str) -> None:
        self._owner._warn_once(text)

    def _apply(self, calls: Iterable[Any]) -> None:
        self._owner._apply(calls)


def _plain(event: object) -> Fields:
    """The fields of an event with simple values; of an error its type and the server's status, but never its text."""
    if not is_dataclass(event):
        return {}
    written: Fields = {}
    for field in fields(event):
        value = getattr(event, field.name)
        if isinstance(value, float):
            written[field.name] = number_to(value)
        elif isinstance(value, str | int | None):
            written[field.name] = value
        elif isinstance(value, Exception):
            written[field.name] = type(value).__name__
            written["status_code"] = getattr(value, "status_code", None)
    return written
