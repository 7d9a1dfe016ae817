"""Reads the folder of a recorded call."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from ..core.requests import Limits
from ..wire.options import Options
from .audio_file import FLAC, WAV, read_audio
from .damage import check_header, check_lines
from .letters import LIVE, PUSHED
from .schema import SCHEMAS, Fields, SchemaError, limits_of, options_of
from .steps import Step, steps_of, unfolded

CALL_FILE = "call.jsonl"
PAGE_FILE = "view.html"
LABELS_FILE = "labels.json"
UNFINISHED = ".part"
"""What the name of a file ends in until the file is whole."""
FILES = (CALL_FILE, WAV, FLAC, PAGE_FILE, LABELS_FILE, *(name + UNFINISHED for name in (FLAC, PAGE_FILE, LABELS_FILE)))
"""All files that are ever written into the folder of a call."""


@dataclass(frozen=True)
class Recording:
    """A recorded call.

    `header` is the first line of `call.jsonl` (see `schema`), and `lines` are the others, `unfolded`. `audio` is signed
    16-bit little-endian mono at `options.sample_rate`, None if it was not kept. All times are monotonic seconds of the
    process that recorded the call.
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

    def check_audio(self) -> None:
        """Checks that the audio is as long as what was pushed, if it was kept.

        Raises:
            SchemaError: it is shorter: the file was cut off.
        """
        missing = 0 if self.audio is None else sum(step.pushed for step in self.steps) - len(self.audio)
        if missing > 0:
            missing_s = missing / 2 / self.options.sample_rate
            raise SchemaError(f"{self.folder}: the audio is cut off: {missing_s:.1f} s of it are missing")


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
    folder = _folder_of(path)
    with (folder / CALL_FILE).open(encoding="utf-8", errors="replace") as file:
        lines = file.readlines()
    # The audio is read last: of a call that still goes on it then has all that the lines tell of.
    return recording_of(lines, read_audio(folder), folder)


def _folder_of(path: str | PathLike[str]) -> Path:
    folder = Path(path)
    return folder.parent if folder.name == CALL_FILE else folder


def calls_in(path: str | PathLike[str]) -> list[Path]:
    """The folders of recorded calls: this one if it is the folder of a call (or its `call.jsonl`), else those in it.

    Raises:
        SchemaError: there is none.
        OSError: the folder can't be read.
    """
    folder = _folder_of(path)
    if (folder / CALL_FILE).exists():
        return [folder]
    calls = sorted(inner for inner in folder.iterdir() if (inner / CALL_FILE).exists())
    if not calls:
        raise SchemaError(f"{folder} has no recorded call: record some with STT(recorder=Recorder(...))")
    return calls


def calls_of(paths: Iterable[str | PathLike[str]]) -> list[Path]:
    """The folders of recorded calls in all of these folders, each of them once.

    Raises:
        SchemaError: one of them has none.
        OSError: a folder can't be read.
    """
    return [*{call.resolve(): call for path in paths for call in calls_in(path)}.values()]


def replace_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all: if the disk is full or Ctrl-C comes, what was there before stays.

    What UTF-8 can't write, such as some bytes of a folder's name, becomes a question mark.

    Raises:
        OSError: the disk does not take it.
    """
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8", errors="replace")  # a device, such as /dev/stdout
        return
    # A link stays, and so does /dev/stdout where the shell leads it into a file.
    path = Path(os.path.realpath(path))
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        unfinished.write_text(text, encoding="utf-8", errors="replace")
        unfinished.replace(path)
    except OSError as error:
        # A full disk does not tell which file it was.
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        unfinished.unlink(missing_ok=True)


def recording_of(lines: Iterable[str], audio: bytes | None, folder: Path) -> Recording:
    """Reads the lines of `call.jsonl`; the other arguments are fields of Recording.

    Raises:
        SchemaError: they are no recording, or one that only a newer version can read.
    """
    read = [_read(line) for line in lines]
    header = read[0] if read else {}
    if not {"schema", "at"} <= header.keys():
        raise SchemaError(f"{folder} is not the record of a call: the first line has no `schema` or no `at`")
    if header["schema"] not in SCHEMAS:
        known = f"{SCHEMAS[0]} to {SCHEMAS[-1]}"
        raise SchemaError(f"{folder} has schema {header['schema']}: this version reads {known}")
    if not read[-1]:
        # If the process was killed, the last line may be incomplete.
        read.pop()
    try:
        check_header(header)
        check_lines(read[1:], float(header["at"]))
    except SchemaError as error:
        raise SchemaError(f"{folder}: {error}") from None
    return Recording(folder, header, [*unfolded(read[1:])], audio)


def _read(line: str) -> Fields:
    """The fields of a line; none if it is damaged."""
    try:
        fields: Any = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    at = fields.get("at", 0.0) if isinstance(fields, dict) else None
    # U+FFFD stands for bytes that are no UTF-8. The recorder itself writes ASCII.
    return fields if isinstance(at, int | float) and abs(at) < math.inf and "\ufffd" not in line else {}
