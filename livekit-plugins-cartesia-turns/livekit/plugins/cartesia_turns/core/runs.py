"""Which stretches of the audio have voice. Positions are samples since the first audio of the call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of audio with or without voice; positions in samples."""

    start: int
    end: int
    voiced: bool


class Runs:
    """The audio that is held, as stretches with and without voice. The first may begin before that audio does."""

    __slots__ = ("_past", "_start", "_voiced", "end", "voice_end")

    def __init__(self) -> None:
        self._past: list[Run] = []
        self._start, self._voiced = 0, False
        """The start of the last run, which is still growing, and whether it is voiced."""
        self.end: int = 0
        """The position where the next audio begins."""
        self.voice_end: int = 0
        """The position where the last voice ends; 0 if there is none that counts."""

    def __iter__(self) -> Iterator[Run]:
        yield from self._past
        if self._start < self.end:
            yield Run(self._start, self.end, self._voiced)

    def add(self, samples: int, *, voiced: bool) -> None:
        """Adds audio at the end."""
        start, self.end = self.end, self.end + samples
        if voiced:
            self.voice_end = self.end
        if voiced != self._voiced:
            if self._start < start:
                self._past.append(Run(self._start, start, self._voiced))
            self._start, self._voiced = start, voiced

    def forget_to(self, begins: int) -> None:
        """Forgets the runs before this position."""
        past = self._past
        while past and past[0].end <= begins:
            del past[0]
        if begins == self.end:
            self._start = begins

    def first_voice(self, since: int, before: int) -> int:
        """Where the first voice between two positions begins; `before` if there is none. Older voice counts no more."""
        if self.voice_end <= since:
            self.voice_end = 0
        voices = (run.start for run in self if run.voiced and run.end > since and run.start < before)
        return min(max(next(voices, before), since), before)
