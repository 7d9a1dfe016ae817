"""Takes what happens in a call from the event loop to the thread that writes it down.

The event loop only appends to a queue. The thread does everything that takes time.
"""

from __future__ import annotations

import json
import sys
from array import array
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from ..core.events import ClientEvent
from ..wire.messages import ServerMessage
from .schema import LIVE, PUSHED, Fields, event_to, message_to, without_words

MANY_STEPS = 100
"""At most this many steps make a line: two seconds of a call, or less."""
MANY_BYTES = 4 * 1024 * 1024
"""When this much audio waits to be written, the thread that writes is woken."""
MOST_BYTES = 64 * 1024 * 1024
"""When this much audio waits (half an hour of a call), the thread does not keep up, and the recording ends."""
MANY_ENTRIES, MOST_ENTRIES = 10_000, 100_000
"""The same limits for the number of entries that wait."""


class Audio(NamedTuple):
    """Audio that was pushed in pieces of one length, and other steps that were made at the times of these."""

    letters: str
    """Of all steps."""
    pieces: list[bytes]
    times: list[float]
    """When each piece was pushed, monotonic seconds. Another step has the time of the piece before it."""


StepEntry: TypeAlias = tuple[str, float, tuple[int, int, bool] | int | None]
"""Other calls that come with each frame: the letter of each, and the monotonic time of all.

The third is the first sample and the bytes of what was offered, and whether that is silence of the client's own; or the
number of the ping that was answered.
"""
Noted: TypeAlias = Fields | list[ClientEvent] | ServerMessage | Callable[[], Fields]
"""Something else: the fields of a line, events, a message that was received, or a function that returns the fields."""

BETWEEN, BREAK = '}, {"at": ', '}\n{"at": '
"""What stands between two lines that were encoded as one list, and what stands there in the file."""

_encode = json.JSONEncoder(check_circular=False).encode

Note: TypeAlias = tuple[float, Noted]
"""Something else, after its monotonic time."""
Entry: TypeAlias = Audio | StepEntry | Note


class Journal:
    """What happens, in order. One thread notes, and another one takes.

    Calls that come with each frame are noted by `add` and `push`, and the others by `note`. What is noted must never
    change afterwards.
    """

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes_in = self._bytes_out = 0
        self.add: Callable[[Entry], None] = self._entries.append
        """Notes a step other than audio."""
        self.is_closed: bool = False
        """Nothing more is noted."""
        self.is_overrun: bool = False
        """The thread that takes did not keep up, so the rest is not recorded."""
        self.wake: Callable[[], None] = _do_nothing
        """Wakes the thread that takes."""

    def push(self, letters: str, pieces: list[bytes], times: list[float]) -> None:
        """Notes audio that was pushed, in pieces of one length, and other steps that were made at those times."""
        self._bytes_in += len(pieces) * len(pieces[0])
        self.add(Audio(letters, pieces, times))
        self._check()

    def note(self, now: float, what: Noted) -> None:
        """Notes events, a message, or the fields of a line. If it is a function, the other thread calls it."""
        self.add((now, what))
        self._check()

    def close(self) -> None:
        """Notes nothing more. What was noted can still be taken."""
        self.is_closed = True
        self.add = _forget

    def take(self) -> list[Entry]:
        """Takes all that waits, in order. Only one thread may call it."""
        # What comes meanwhile is taken the next time. Each step is safe while another thread appends.
        take = self._entries.popleft
        taken = [take() for _ in range(len(self._entries))]
        self._bytes_out = self._bytes_in
        return taken

    def _check(self) -> None:
        waiting, waiting_bytes = len(self._entries), self._bytes_in - self._bytes_out
        if waiting > MANY_ENTRIES or waiting_bytes > MANY_BYTES:
            self.wake()
            if waiting > MOST_ENTRIES or waiting_bytes > MOST_BYTES:
                self.is_overrun = True
                self.close()


def _do_nothing() -> None:
    """Does nothing, since there is no thread to wake yet."""


def _forget(_: Entry) -> None:
    """Notes nothing."""


class Lines:
    """Turns entries into lines of `call.jsonl` and the audio that belongs to them.

    Args:
        transcripts: keep the words; otherwise they are masked.
    """

    def __init__(self, *, transcripts: bool) -> None:
        self._transcripts = transcripts

    def of(self, entries: Iterable[Entry]) -> tuple[str, bytes]:
        """The lines, each with a line break, and the audio that was pushed."""
        lines: list[Fields] = []
        audio: list[bytes] = []
        steps: list[Audio | StepEntry] = []
        letters = ""
        for entry in entries:
            if len(entry) == 2 or len(letters) >= MANY_STEPS:
                if steps:
                    lines.append(_steps_line(letters, steps))
                letters, steps = "", []
            if len(entry) == 2:
                lines.append(self._line(*entry))
                continue
            letters += entry[0]
            steps.append(entry)
            if isinstance(entry, Audio):
                audio += entry.pieces
        if steps:
            lines.append(_steps_line(letters, steps))
        return _written(lines), b"".join(audio)

    def _line(self, at: float, what: Noted) -> Fields:
        if isinstance(what, dict):
            fields = {"at": at, **what}
        elif isinstance(what, list):
            fields = {"at": at, "events": [event_to(event) for event in what]}
        elif callable(what):
            fields = {"at": at, **what()}
        else:
            fields = {"at": at, "call": "receive", "message": message_to(what)}
        return fields if self._transcripts else without_words(fields)


def _steps_line(letters: str, steps: Iterable[Audio | StepEntry]) -> Fields:
    times: array[float] = array("d")
    pushed: list[int] = []
    sent: list[int] = []
    silent: list[int] = []
    pongs: list[int] = []
    for entry in steps:
        if isinstance(entry, Audio):
            times.extend(_times_of(entry.letters, entry.times))
            pushed += [len(entry.pieces[0])] * len(entry.pieces)
            continue
        made, at, what = entry
        times.extend([at] * len(made))
        if what is None:
            continue
        if isinstance(what, tuple):
            start, size, is_silence = what
            if is_silence:
                silent.append(len(sent) // 2)
            sent += (start, size)
        else:
            pongs.append(what)
    at = times[0]
    if sys.byteorder == "big":
        times.byteswap()
    line: Fields = {"at": at, "steps": letters, "times": b64encode(times).decode()}
    for name, numbers in (("pushed", pushed), ("sent", sent), ("silent", silent), ("pongs", pongs)):
        if numbers:
            line[name] = numbers
    return line


def _times_of(letters: str, times: list[float]) -> list[float]:
    """When each of the steps was made that were noted with pieces of audio at these times."""
    if len(letters) == len(times):
        return times
    pushed = iter(times)
    made: list[float] = []
    for letter in letters:
        made.append(next(pushed) if letter in (LIVE, PUSHED) else made[-1])
    return made


def _written(lines: list[Fields]) -> str:
    """The lines as JSON, each with a line break. To encode all at once takes half the time of one by one."""
    if not lines:
        return ""
    # Each line begins with `at`, and no object within a line does. In a text of JSON, quotes are escaped.
    return _encode(lines)[1:-1].replace(BETWEEN, BREAK) + "\n"
