"""Reads the folder of a recorded call."""

from __future__ import annotations

import itertools
import json
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from struct import unpack
from typing import Any

from ..core.limits import Limits
from ..wire.options import Options
from .audio_file import FLAC, WAV, read_audio
from .damage import check_header, check_lines
from .schema import ANSWERED, LIVE, OFFERED, PUSHED, SCHEMA, Fields, SchemaError, limits_of, options_of

CALL_FILE = "call.jsonl"
PAGE_FILE = "view.html"
LABELS_FILE = "labels.json"
FILES = (CALL_FILE, WAV, FLAC, f"{FLAC}.part", PAGE_FILE, LABELS_FILE)
"""All files that are ever written into the folder of a call."""


@dataclass(frozen=True)
class Recording:
    """A recorded call.

    `header` is the first line of `call.jsonl` and `lines` are the others (see `schema`). `audio` is signed 16-bit
    little-endian mono at `options.sample_rate`, None if it was not kept. All times are monotonic seconds of the process
    that recorded the call.
    """

    folder: Path
    header: Fields
    lines: list[Fields]
    audio: bytes | None

    @property
    def started_at(self) -> float:
        """The monotonic time of the start."""
        return float(self.header["at"])

    @property
    def options(self) -> Options:
        """The options for the first socket."""
        return options_of(self.header["options"])

    @property
    def limits(self) -> Limits:
        """The limits of the client."""
        return limits_of(self.header["limits"])

    @property
    def steps(self) -> Iterator[Step]:
        """All calls that came with frames, in order."""
        return itertools.chain.from_iterable(steps_of(line) for line in self.lines if "steps" in line)

    @property
    def is_complete(self) -> bool:
        """The recording goes on to the end of the stream."""
        return any("end" in line for line in self.lines)


@dataclass(frozen=True)
class Step:
    """One of the calls that come with each frame: its letter (see `schema.STEPS`) and its monotonic time.

    `pushed` is how many bytes of audio were pushed. `sent` is the start of the audio that went out, its number of
    samples, and whether it is silence of the client's own. `pong` is the number of the ping that was answered.
    """

    letter: str
    at: float
    pushed: int = 0
    sent: tuple[int, int, bool] | None = None
    pong: int | None = None


def steps_of(line: Fields) -> Iterator[Step]:
    """The calls that a line of `steps` stands for."""
    times = unpack(f"<{len(line['steps'])}d", b64decode(line["times"]))
    pushed, sent, silent = iter(line.get("pushed", ())), iter(line.get("sent", ())), set(line.get("silent", ()))
    offered, pongs = itertools.count(), iter(line.get("pongs", ()))
    for letter, at in zip(line["steps"], times, strict=True):
        if letter in (LIVE, PUSHED):
            yield Step(letter, at, pushed=next(pushed))
        elif letter == OFFERED:
            yield Step(letter, at, sent=(next(sent), next(sent) // 2, next(offered) in silent))
        else:
            yield Step(letter, at, pong=next(pongs) if letter == ANSWERED else None)


def pieces_of(call: Recording) -> Iterator[tuple[float, bytes]]:
    """Each piece of audio as it was pushed, and when, in seconds since the start of the call.

    Raises:
        SchemaError: the audio was not kept.
    """
    if call.audio is None:
        raise SchemaError(f"{call.folder} has no audio")
    start = 0
    for step in call.steps:
        if step.letter in (LIVE, PUSHED):
            yield step.at - call.started_at, call.audio[start : start + step.pushed]
            start += step.pushed


def load(path: str | PathLike[str]) -> Recording:
    """Reads the folder of a call, or its `call.jsonl`.

    Raises:
        SchemaError: it is no recording, or one that only a newer version can read.
        OSError: the files can't be read.
    """
    folder = Path(path)
    folder = folder.parent if folder.name == CALL_FILE else folder
    with (folder / CALL_FILE).open(encoding="utf-8") as file:
        return recording_of(file, read_audio(folder), folder)


def calls_in(path: str | PathLike[str]) -> list[Path]:
    """The folders of recorded calls: this one if it is the folder of a call, else those that stand in it, in order.

    Raises:
        SchemaError: there is none.
        OSError: the folder can't be read.
    """
    folder = Path(path)
    if (folder / CALL_FILE).exists():
        return [folder]
    calls = sorted(inner for inner in folder.iterdir() if (inner / CALL_FILE).exists())
    if not calls:
        raise SchemaError(f"{folder} has no recorded call: record some with STT(recorder=Recorder(...))")
    return calls


def recording_of(lines: Iterable[str], audio: bytes | None, folder: Path) -> Recording:
    """Reads the lines of `call.jsonl`; the other arguments are fields of Recording.

    Raises:
        SchemaError: they are no recording, or one that only a newer version can read.
    """
    # If the process was killed, the last line may be incomplete.
    read = [fields for line in lines if (fields := _read(line)) is not None]
    header = read[0] if read else {}
    if "schema" not in header:
        raise SchemaError(f"{folder} is not the record of a call: the first line has no `schema`")
    if header["schema"] != SCHEMA:
        raise SchemaError(f"{folder} has schema {header['schema']}: this version reads {SCHEMA}")
    try:
        check_header(header)
        check_lines(read[1:], steps_of)
    except SchemaError as error:
        raise SchemaError(f"{folder}: {error}") from None
    return Recording(folder, header, read[1:], audio)


def _read(line: str) -> dict[str, Any] | None:
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) and isinstance(fields.get("at"), int | float) else None
