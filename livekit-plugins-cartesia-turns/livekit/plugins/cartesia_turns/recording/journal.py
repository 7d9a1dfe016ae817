"""Takes what happens in a call from the event loop to the thread that writes it down.

The event loop only appends to lists. The thread does everything that takes time.
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from struct import pack
from typing import Any, TypeAlias, TypeVar

from ..core.events import ClientEvent
from ..core.stats import Stats
from ..wire.messages import ServerMessage
from .letters import ANSWERED, HEARD, LIVE, NOTED, OFFERED, PUSHED, SILENCE, SPOKE, TOLD, UPDATED
from .schema import Fields, event_to, masked, message_to, stats_to, without_words

MANY_BYTES = 4 * 1024 * 1024
"""When this much audio waits to be written, the thread that writes is woken."""
MOST_BYTES = 64 * 1024 * 1024
"""When this much audio waits (half an hour of a call), the thread does not keep up, and the recording ends."""
MANY_ENTRIES, MOST_ENTRIES = 10_000, 100_000
"""The same limits for the number of entries that wait."""

Noted: TypeAlias = Fields | list[ClientEvent] | Stats | ServerMessage
"""What a line of its own tells: its fields, events, the counters, or a message that was received."""
Column = TypeVar("Column")

RESIZED = "/"
"""Stands among the letters before audio of another length than that before it, so that the thread looks at each length
only there. It is not written."""
APART = ""
"""Stands between two lines that are encoded as one list."""
BETWEEN, BREAK = '}, "", {', "}\n{"
"""What thus stands between them then, and what stands there in the file."""
_encode = json.JSONEncoder(check_circular=False).encode


@dataclass(slots=True)
class Columns:
    """What was noted, in order: letters, and in the other lists what belongs to them (see `letters`).

    All but `notes` hold texts, bytes and numbers, which the garbage collector need not follow. What belongs to a letter
    is appended before the letter, so that the thread, which goes by the letters, finds all of it.
    """

    letters: list[str] = field(default_factory=list)
    """Each is one letter or several."""
    times: list[float] = field(default_factory=list)
    """Monotonic seconds, of each letter."""
    pcm: list[bytes] = field(default_factory=list)
    """The audio of LIVE and PUSHED."""
    sent: list[int] = field(default_factory=list)
    """The first sample and the bytes of OFFERED and SILENCE."""
    pongs: list[bytes] = field(default_factory=list)
    """The payloads of ANSWERED."""
    updates: list[str] = field(default_factory=list)
    """The request id, the turn id and the text of UPDATED."""
    heard: list[float] = field(default_factory=list)
    """The numbers of HEARD and SPOKE (see `letters`)."""
    speech: list[str] = field(default_factory=list)
    """The label of TOLD, and the label and the type of SPOKE."""
    notes: list[Noted] = field(default_factory=list)
    """The content of NOTED."""


class Journal:
    """What happens, in order. One thread notes, and another one takes.

    Calls that come with each frame are noted in `columns`, and the others by `note`. What is noted must never change
    afterwards.
    """

    def __init__(self) -> None:
        self.columns: Columns = Columns()
        """Takes the notes. It must be asked for each time, since a recording may end."""
        self._kept = self.columns
        self._bytes_in = self._bytes_out = 0
        self.is_closed: bool = False
        """Nothing more is noted."""
        self.is_overrun: bool = False
        """The thread that takes did not keep up, so the rest is not recorded."""
        self.wake: Callable[[], None] = _do_nothing
        """Wakes the thread that takes."""

    def note(self, now: float, what: Noted) -> None:
        """Notes what a line of its own tells."""
        columns = self.columns
        columns.times.append(now)
        columns.notes.append(what)
        columns.letters.append(NOTED)
        self.audio_noted(0)

    def audio_noted(self, size: int) -> None:
        """So many bytes of audio were noted. If too much waits by now, the recording ends."""
        self._bytes_in += size
        waiting, waiting_bytes = len(self._kept.letters), self._bytes_in - self._bytes_out
        if waiting > MANY_ENTRIES or waiting_bytes > MANY_BYTES:
            self.wake()
            if waiting > MOST_ENTRIES or waiting_bytes > MOST_BYTES:
                self.is_overrun = True
                self.close()

    def close(self) -> None:
        """Notes nothing more. What was noted can still be taken."""
        self.is_closed = True
        self.columns = Columns(*(_Nothing() for _ in fields(Columns)))

    def take(self) -> Columns:
        """Takes all that waits, with all letters as one. Only one thread may call it."""
        kept, count = self._kept, len(self._kept.letters)
        # What comes meanwhile is taken the next time. Each step is safe while another thread appends.
        letters = "".join(_cut(kept.letters, count))
        self._bytes_out = self._bytes_in
        counted = letters.count
        return Columns(
            [letters],
            _cut(kept.times, len(letters) - counted(RESIZED)),
            _cut(kept.pcm, counted(LIVE) + counted(PUSHED)),
            _cut(kept.sent, 2 * (counted(OFFERED) + counted(SILENCE))),
            _cut(kept.pongs, counted(ANSWERED)),
            _cut(kept.updates, 3 * counted(UPDATED)),
            _cut(kept.heard, 2 * counted(HEARD) + 3 * counted(SPOKE)),
            _cut(kept.speech, counted(TOLD) + 2 * counted(SPOKE)),
            _cut(kept.notes, counted(NOTED)),
        )


def _cut(column: list[Column], count: int) -> list[Column]:
    """Takes the first `count` values out of a column."""
    taken = column[:count]
    del column[:count]
    return taken


def _do_nothing() -> None:
    """Does nothing, since there is no thread to wake yet."""


class _Nothing(list[Any]):
    """A column of a recording that has ended: it keeps nothing."""

    def append(self, _: object) -> None:
        """Keeps nothing."""

    def extend(self, _: object) -> None:
        """Keeps nothing."""


class Lines:
    """Turns what was noted into lines of `call.jsonl` and the audio that belongs to them.

    Args:
        transcripts: keep the words; otherwise they are masked.
    """

    def __init__(self, *, transcripts: bool) -> None:
        self._transcripts = transcripts

    def of(self, taken: Columns) -> tuple[str, bytes]:
        """The lines, each with a line break, and the audio that was pushed."""
        (noted,) = taken.letters
        letters = noted.replace(RESIZED, "")
        steps = letters.lstrip(NOTED)
        lines = [self._line(what) for what in taken.notes]
        # The lines that come before all steps stand before the line of these, with their times, and the others behind.
        before = len(letters) - len(steps)
        first = [{"at": at, **line} for at, line in zip(taken.times, lines[:before], strict=False)]
        pcm = b"".join(taken.pcm)
        sizes = _sizes(taken.pcm, may_differ=RESIZED in noted)
        told = self._steps_line(steps, taken.times[before:], taken, sizes) if steps else ""
        return _written(first) + told + _written(lines[before:]), pcm

    def _line(self, what: Noted) -> Fields:
        if isinstance(what, dict):
            line = what
        elif isinstance(what, list):
            line = {"events": [event_to(event) for event in what]}
        elif isinstance(what, Stats):
            line = {"stats": stats_to(what)}
        else:
            line = {"call": "receive", "message": message_to(what)}
        return line if self._transcripts else without_words(line)

    def _steps_line(self, steps: str, times: list[float], taken: Columns, sizes: list[int]) -> str:
        """The line; `times` are those of the steps, and `sizes` those of the audio."""
        line: Fields = {}
        if sizes:
            line["pushed"] = sizes
        if taken.sent:
            line["sent"] = taken.sent
        if taken.pongs:
            line["pongs"] = _joined(taken.pongs)
        if taken.updates:
            if not self._transcripts:
                taken.updates[2::3] = map(masked, taken.updates[2::3])
            line["updates"] = taken.updates
        if taken.speech:
            line["speech"] = taken.speech
        # The encoder would look at each sign of these long texts. None of theirs means anything in JSON.
        long = f'"steps": "{steps}", "times": "{_packed(times)}", "heard": "{_packed(taken.heard)}"'
        return f'{{"at": {times[0]!r}, {long}{f", {_encode(line)[1:]}" if line else "}"}\n'


def _joined(pongs: list[bytes]) -> str | list[str]:
    """The payloads as one text, since nearly all are numbers and a text each takes long; a list if one has a comma."""
    joined = b",".join(pongs).decode("latin-1")
    return joined if joined.count(",") == len(pongs) - 1 else [payload.decode("latin-1") for payload in pongs]


def _packed(numbers: list[float]) -> str:
    return b2a_base64(pack(f"<{len(numbers)}d", *numbers), newline=False).decode()


def _sizes(pcm: list[bytes], *, may_differ: bool) -> list[int]:
    """How many bytes each piece has; one number if all have the same."""
    sizes = [*map(len, pcm if may_differ else pcm[:1])]
    return sizes[:1] if len(set(sizes)) == 1 else sizes


def _written(lines: list[Fields]) -> str:
    """The lines as JSON, each with a line break. To encode all at once takes half the time of one by one."""
    if not lines:
        return ""
    # Nothing in a line looks like BETWEEN: no list has texts and objects, and in a text quotes are escaped.
    apart: list[Fields | str] = [APART] * (2 * len(lines) - 1)
    apart[::2] = lines
    return _encode(apart)[1:-1].replace(BETWEEN, BREAK) + "\n"
