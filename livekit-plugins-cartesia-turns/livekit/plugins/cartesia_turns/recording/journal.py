"""Takes what happens in a call from the event loop to the thread that writes it down.

The event loop only appends to buffers and a queue. The thread does everything that takes time.
"""

from __future__ import annotations

import json
import sys
from array import array
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from ..core.events import ClientEvent
from .schema import Fields, event_to, without_words

MANY_STEPS = 100
"""This many steps make a line: two seconds of a call, or less."""
MANY_BYTES = 4 * 1024 * 1024
"""When this much audio waits to be written, the thread that writes is woken."""
MOST_BYTES = 64 * 1024 * 1024
"""When this much audio waits (half an hour of a call), the thread does not keep up, and the recording ends."""
MANY_ENTRIES, MOST_ENTRIES = 2_000, 20_000
"""The same limits for the number of entries that wait."""


class Steps:
    """The calls that come with each frame, in buffers, so that a call costs no object.

    Each call has its letter in `letters` and its time in `times`. `pushed` and `pcm` have the audio that was pushed,
    `sent` the start and the bytes of the audio that was offered, `silent` which of that is silence of the client's own,
    and `pongs` the numbers of the pings that were answered.
    """

    __slots__ = ("letters", "pcm", "pongs", "pushed", "sent", "silent", "times")

    def __init__(self) -> None:
        self.letters: bytearray = bytearray()
        self.times: array[float] = array("d")
        self.pushed: array[int] = array("q")
        self.sent: array[int] = array("q")
        self.silent: list[int] = []
        self.pongs: list[int] = []
        self.pcm: bytearray = bytearray()

    def taken(self) -> Steps:
        """Returns a copy and empties the buffers, which stay the same objects since others keep their methods."""
        copy = Steps()
        for name in self.__slots__:
            buffer = getattr(self, name)
            setattr(copy, name, buffer[:])
            del buffer[:]
        return copy

    def fields(self) -> Fields:
        """The fields of their line, without `at`."""
        times = self.times
        if sys.byteorder == "big":
            times = times[:]
            times.byteswap()
        fields: Fields = {"steps": self.letters.decode(), "times": b64encode(times).decode()}
        if self.pushed:
            fields["pushed"] = self.pushed.tolist()
        if self.sent:
            fields["sent"] = self.sent.tolist()
        rare = {"silent": self.silent, "pongs": self.pongs}
        return fields | {name: numbers for name, numbers in rare.items() if numbers}


Entry: TypeAlias = Steps | tuple[float, Sequence[ClientEvent] | Callable[[], Fields]]
"""Calls that come with each frame; or a monotonic time with events of the client, or with a function for a line."""


class Journal:
    """What happens, in order. One thread notes, and another one takes.

    Calls that come with each frame are noted with `letter` and `time`, and with `pushed` and `pcm` or `sent`. These
    append to the buffers of `steps`.
    """

    def __init__(self) -> None:
        self.steps: Steps = Steps()
        self.letter: Callable[[int], None] = self.steps.letters.append
        self.time: Callable[[float], None] = self.steps.times.append
        self.pushed: Callable[[int], None] = self.steps.pushed.append
        self.pcm: Callable[[bytes], None] = self.steps.pcm.extend
        self.sent: Callable[[Iterable[int]], None] = self.steps.sent.extend
        self.is_closed: bool = False
        """Nothing more is noted."""
        self.is_overrun: bool = False
        """The thread that takes did not keep up, so the rest is not recorded."""
        self.wake: Callable[[], None] = _do_nothing
        """Wakes the thread that takes."""
        self._entries: deque[Entry] = deque()
        self._bytes_in = self._bytes_out = 0

    def note(self, now: float, what: Sequence[ClientEvent] | Callable[[], Fields]) -> None:
        """Notes the client's events, or a line, for which the other thread calls the function."""
        if self.steps.letters:
            self.end_steps()
        self._put((now, what))

    def end_steps(self) -> None:
        """Puts the calls that came with frames so far into the queue."""
        steps = self.steps.taken()
        self._bytes_in += len(steps.pcm)
        self._put(steps)

    def _put(self, entry: Entry) -> None:
        if self.is_closed:
            return
        self._entries.append(entry)
        waiting, waiting_bytes = len(self._entries), self._bytes_in - self._bytes_out
        if waiting_bytes > MANY_BYTES or waiting > MANY_ENTRIES:
            self.wake()
        if waiting_bytes > MOST_BYTES or waiting > MOST_ENTRIES:
            self.is_overrun = self.is_closed = True

    def take(self) -> list[Entry]:
        """Takes all that waits, in order. Only one thread may call it."""
        # What comes meanwhile is taken the next time. Each step is safe while another thread appends.
        take = self._entries.popleft
        taken = [take() for _ in range(len(self._entries))]
        self._bytes_out += sum(len(entry.pcm) for entry in taken if isinstance(entry, Steps))
        return taken


def _do_nothing() -> None:
    """Does nothing, since there is no thread to wake yet."""


class Lines:
    """Turns entries into lines of `call.jsonl` and the audio that belongs to them.

    Args:
        transcripts: keep the words; otherwise they are masked.
    """

    def __init__(self, *, transcripts: bool) -> None:
        self._transcripts = transcripts

    def of(self, entries: Iterable[Entry]) -> tuple[str, bytes]:
        """The lines, each with a line break, and the audio that was pushed."""
        lines: list[str] = []
        audio: list[bytes | bytearray] = []
        for entry in entries:
            if isinstance(entry, Steps):
                audio.append(entry.pcm)
                lines.append(json.dumps({"at": entry.times[0], **entry.fields()}))
            else:
                now, what = entry
                fields = what() if callable(what) else {"events": [event_to(event) for event in what]}
                fields = {"at": now, **fields}
                lines.append(json.dumps(fields if self._transcripts else without_words(fields)))
        return "".join(f"{line}\n" for line in lines), b"".join(audio)
