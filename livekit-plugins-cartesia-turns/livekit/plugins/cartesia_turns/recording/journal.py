"""Takes what happens in a call from the event loop to the thread that writes it down.

The event loop only appends to a queue. The thread does everything that takes time.
"""

from __future__ import annotations

import json
import sys
from array import array
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..core.events import ClientEvent
from ..core.live_lane import Piece
from ..wire.messages import ServerMessage
from .schema import BOOKED, LIVE, PUSHED, Fields, event_to, message_to, without_words

MANY_STEPS = 100
"""At most this many steps make a line: two seconds of a call, or less."""
MANY_BYTES = 4 * 1024 * 1024
"""When this much audio waits to be written, the thread that writes is woken."""
MOST_BYTES = 64 * 1024 * 1024
"""When this much audio waits (half an hour of a call), the thread does not keep up, and the recording ends."""
MANY_ENTRIES, MOST_ENTRIES = 10_000, 100_000
"""The same limits for the number of entries that wait."""

Live: TypeAlias = tuple[bytes, "array[float]", int, str]
"""Live audio, the monotonic times of its steps, the bytes of each of its pieces, and the letters of its steps."""
StepEntry: TypeAlias = tuple[str, float, bytes | tuple[int, int, bool] | int | None]
"""A call that comes with each frame: its letter and its monotonic time.

The third is the audio that was pushed; or the first sample and the bytes of what was offered, and whether that is
silence of the client's own; or the number of the ping that was answered.
"""
Noted: TypeAlias = Fields | Sequence[ClientEvent] | ServerMessage | Callable[[], Fields]
"""Something else: the fields of a line, events, a message that was received, or a function that returns the fields."""

BETWEEN, BREAK = '}, {"at": ', '}\n{"at": '
"""What stands between two lines that were encoded as one list, and what stands there in the file."""

_encode = json.JSONEncoder(check_circular=False).encode


@dataclass(slots=True)
class Note:
    """Something else, and its monotonic time."""

    at: float
    what: Noted


Entry: TypeAlias = Live | StepEntry | Note


class Journal:
    """What happens, in order. One thread notes, and another one takes.

    Calls that come with each frame are noted by `add`, `push` and `live`, and the others by `note`. What is noted must
    never change afterwards.
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

    def push(self, pcm: bytes, now: float) -> None:
        """Notes audio that was pushed."""
        self._bytes_in += len(pcm)
        self.add((PUSHED, now, pcm))
        self._check()

    def live(self, pieces: Sequence[Piece], *, booked: bool) -> None:
        """Notes live audio: pieces of one length; `booked` if the client takes them into account now."""
        # Two objects in place of many: to come back to those once they have left the caches would take longer.
        pcm = b"".join([pcm for pcm, _ in pieces])
        self._bytes_in += len(pcm)
        times, letters = array("d", [at for _, at in pieces]), LIVE * len(pieces)
        if booked:
            times.append(times[-1])
            letters += BOOKED
        self.add((pcm, times, len(pieces[0][0]), letters))
        self._check()

    def note(self, now: float, what: Noted) -> None:
        """Notes events, a message, or the fields of a line. If it is a function, the other thread calls it."""
        self.add(Note(now, what))
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


class _Steps:
    """The steps of one line."""

    def __init__(self) -> None:
        self.letters = ""
        self.times: array[float] = array("d")
        self.pushed: list[int] = []
        self.sent: list[int] = []
        self.silent: list[int] = []
        self.pongs: list[int] = []

    def take_live(self, live: Live) -> None:
        _, times, size, letters = live
        self.letters += letters
        self.times.extend(times)
        self.pushed += [size] * letters.count(LIVE)

    def take(self, step: StepEntry) -> None:
        letter, now, what = step
        self.letters += letter
        self.times.append(now)
        if what is None:
            pass
        elif isinstance(what, bytes):
            self.pushed.append(len(what))
        elif isinstance(what, tuple):
            start, size, is_silence = what
            if is_silence:
                self.silent.append(len(self.sent) // 2)
            self.sent += (start, size)
        else:
            self.pongs.append(what)

    def line(self) -> Fields:
        times = self.times
        at = times[0]
        if sys.byteorder == "big":
            times.byteswap()
        line: Fields = {"at": at, "steps": self.letters, "times": b64encode(times).decode()}
        numbers = {"pushed": self.pushed, "sent": self.sent, "silent": self.silent, "pongs": self.pongs}
        return line | {name: each for name, each in numbers.items() if each}


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
        steps = _Steps()
        for entry in entries:
            if steps.letters and (isinstance(entry, Note) or len(steps.letters) >= MANY_STEPS):
                lines.append(steps.line())
                steps = _Steps()
            if isinstance(entry, Note):
                lines.append(self._line(entry))
            elif len(entry) == 4:
                steps.take_live(entry)
                audio.append(entry[0])
            else:
                steps.take(entry)
                if isinstance(entry[2], bytes):
                    audio.append(entry[2])
        if steps.letters:
            lines.append(steps.line())
        return _written(lines), b"".join(audio)

    def _line(self, note: Note) -> Fields:
        what = note.what
        if isinstance(what, dict):
            fields = {"at": note.at, **what}
        elif callable(what):
            fields = {"at": note.at, **what()}
        elif isinstance(what, Sequence):
            fields = {"at": note.at, "events": [event_to(event) for event in what]}
        else:
            fields = {"at": note.at, "call": "receive", "message": message_to(what)}
        return fields if self._transcripts else without_words(fields)


def _written(lines: list[Fields]) -> str:
    """The lines as JSON, each with a line break. To encode all at once takes half the time of one by one."""
    if not lines:
        return ""
    # Each line begins with `at`, and no object within a line does. In a text of JSON, quotes are escaped.
    return _encode(lines)[1:-1].replace(BETWEEN, BREAK) + "\n"
