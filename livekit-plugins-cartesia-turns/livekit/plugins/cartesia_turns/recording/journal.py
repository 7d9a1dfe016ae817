"""What happened in a call, on its way from the event loop to the thread that writes it down.

The event loop only appends to buffers and a queue; all that takes time is done by the other side.
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
"""So many make a line: two seconds of a call, or less."""
MANY_BYTES = 4 * 1024 * 1024
"""When so much audio waits to be written, the thread that writes is woken."""
MOST_BYTES = 64 * 1024 * 1024
"""When so much waits, that thread does not keep up: half an hour of a call."""
MANY_ENTRIES, MOST_ENTRIES = 2_000, 20_000
"""The same for all else."""


class Steps:
    """The calls that come with each frame, in buffers that cost no object a call.

    Each of them has its letter in `letters` and its time in `times`. `pushed` and `pcm` hold the audio that was pushed,
    `sent` the start and the bytes of what was offered, `silent` which of that is silence of the client's own, and
    `pongs` the numbers of the pings that were answered.
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
        """Gives away what there is. The buffers stay the same, so that others may keep their methods."""
        copy = Steps()
        for name in self.__slots__:
            buffer = getattr(self, name)
            setattr(copy, name, buffer[:])
            del buffer[:]
        return copy

    def fields(self) -> Fields:
        """The rest of their line."""
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
"""Calls that come with each frame; or the monotonic time and the client's events, or a function that gives a line."""


class Journal:
    """What happens, in order. One thread notes, and another one takes.

    Calls that come with each frame are noted by `letter` and `time`, and `pushed` and `pcm` or `sent`, which append to
    the buffers of `steps`.
    """

    def __init__(self) -> None:
        self.steps: Steps = Steps()
        self.letter: Callable[[int], None] = self.steps.letters.append
        self.time: Callable[[float], None] = self.steps.times.append
        self.pushed: Callable[[int], None] = self.steps.pushed.append
        self.pcm: Callable[[bytes], None] = self.steps.pcm.extend
        self.sent: Callable[[Iterable[int]], None] = self.steps.sent.extend
        self.is_closed: bool = False
        """Nothing more is to be taken."""
        self.is_overrun: bool = False
        """More came than was taken: the rest is not recorded."""
        self.wake: Callable[[], None] = _do_nothing
        """Has what waits taken soon."""
        self._entries: deque[Entry] = deque()
        self._bytes_in = self._bytes_out = 0

    def note(self, now: float, what: Sequence[ClientEvent] | Callable[[], Fields]) -> None:
        """Notes the client's events, or a line: the function is called on the other thread."""
        if self.steps.letters:
            self.end_steps()
        self._put((now, what))

    def end_steps(self) -> None:
        """Lets the calls that come with each frame be taken."""
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
        """All that waits, in order. For one thread only."""
        # What comes meanwhile is taken the next time. Each step is safe while another thread appends.
        take = self._entries.popleft
        taken = [take() for _ in range(len(self._entries))]
        self._bytes_out += sum(len(entry.pcm) for entry in taken if isinstance(entry, Steps))
        return taken


def _do_nothing() -> None:
    """There is nobody to wake."""


class Lines:
    """Turns entries into lines of `call.jsonl` and the audio that belongs to them.

    Args:
        transcripts: keep the words; else they are masked.
    """

    def __init__(self, *, transcripts: bool) -> None:
        self._transcripts = transcripts

    def of(self, entries: Iterable[Entry]) -> tuple[str, bytes]:
        """The lines, each with its end, and the audio that was pushed."""
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
