"""Audio that may have to be sent again, and audio that waits to be sent: one queue with a cursor.

Left of the cursor is audio that this socket was given and that no turn.end has settled yet. Right of it is the backlog.
A new socket starts over at the left end. `settling` decides which audio a turn.end settles. Positions are samples since
the first audio of the call.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from .settling import Run

UNHEARD_S = 5.0
"""Voice that was sent at most this long ago may still start a turn, at a server that is far behind."""
ONSET_S = 0.3
"""Speech is noticed at most this long after its onset, so the audio this long before it is not dropped as silence."""
ROOM_AFTER_OVERFLOW = 0.9
"""An overflow drops audio down to this part of the limit, so that not every later frame overflows again."""


class Stretch(NamedTuple):
    """A stretch of audio with or without voice."""

    samples: int
    seconds: float
    voiced: bool
    """Somebody may speak in it."""
    power: float
    """How loud its loudest part is, as `Activity` measures it."""


@dataclass(slots=True)
class Chunk:
    """A piece of PCM audio on its way to the server."""

    pcm: bytes
    seconds: float
    voiced: bool = True
    """Somebody may speak in it."""
    power: float = 0.0
    """How loud it is, as `Activity` measures it."""
    droppable: bool = False
    """It lies deep in a silence, and is dropped first when there is too much audio."""
    injected: bool = False
    """It is silence of our own, in place of the user's audio."""
    is_onset: bool = False
    """It lies right before speech, which may have begun in it."""
    is_pause: bool = False
    """It lies in a silence that has lasted for a while. A backlog sent at hardly more than real time leaves it out."""
    start: int = 0
    """The position at which it begins; set by the buffer."""
    sent_at: float | None = None
    """When it was last given to a socket, monotonic seconds."""
    piece: int = 0
    """If it was given to the socket in pieces of one length: how many samples each has."""
    times: Sequence[float] = ()
    """When each of these pieces was given to the socket, monotonic seconds."""

    @property
    def samples(self) -> int:
        """The number of samples."""
        return len(self.pcm) // 2

    def unsent_by(self, when: float) -> int:
        """How many samples of it had not been given to the socket by that time, although all have by now."""
        return self.piece * (len(self.times) - bisect_right(self.times, when)) if self.times else self.samples


class ReplayBuffer:
    """The bounded queue of audio.

    Args:
        limit_s: how much audio it holds at most, in seconds.
        sample_rate: of the audio, in Hz; it is signed 16-bit little-endian mono.
    """

    def __init__(self, limit_s: float, sample_rate: int) -> None:
        self._rate = sample_rate
        self._limit = limit_s * sample_rate
        self._chunks: deque[Chunk] = deque()
        self._runs: deque[Run] = deque()
        self._run_start, self._run_voiced = 0, False
        """The start of the last run, which is still growing, and whether it is voiced."""
        self._cursor = 0
        self._held = self._backlog = self._lost = self._unreplayable = 0
        self._end = self._sound_end = self._voice_end = 0

    @property
    def held_s(self) -> float:
        """Seconds of audio in memory."""
        return self._held / self._rate

    @property
    def backlog_s(self) -> float:
        """Seconds of audio that this socket has not been given."""
        return self._backlog / self._rate

    @property
    def lost_s(self) -> float:
        """Seconds of the user's audio lost over the limit: dropped unsent, or dropped before a new socket needed it."""
        return self._lost / self._rate

    @property
    def has_backlog(self) -> bool:
        """There is audio that this socket has not been given."""
        return self._backlog > 0

    @property
    def has_unsent(self) -> bool:
        """There is audio that no socket was ever given."""
        return bool(self._chunks) and self._chunks[-1].sent_at is None

    @property
    def has_voice(self) -> bool:
        """Somebody may speak in the audio held."""
        return self._voice_end > self.begins

    @property
    def has_unsent_voice(self) -> bool:
        """Somebody may speak in the audio that this socket has not been given."""
        return self._voice_end > self.sent_to

    @property
    def has_sound(self) -> bool:
        """The audio held is not digital silence alone."""
        return self._sound_end > self.begins

    @property
    def sound_end(self) -> int:
        """The position where the last sound ends, however soft. Only digital silence follows it."""
        return self._sound_end

    @property
    def begins(self) -> int:
        """The position where the queue begins. Nothing before it is held."""
        return self._position(0)

    @property
    def sent_to(self) -> int:
        """The position of the cursor: this socket was given all held audio before it."""
        return self._position(self._cursor)

    @property
    def ends(self) -> int:
        """The position where the next audio will be appended."""
        return self._end

    @property
    def runs(self) -> Iterator[Run]:
        """The audio held, as stretches with and without voice. The first may begin before the queue does."""
        yield from self._runs
        if self._run_start < self._end:
            yield Run(self._run_start, self._end, self._run_voiced)

    def append(self, chunk: Chunk, stretches: Sequence[Stretch] = ()) -> None:
        """Adds audio at the end. Over the limit, older audio is dropped.

        Args:
            chunk: the audio. If the socket was given it already, there must be no backlog.
            stretches: its stretches with and without voice; none if it is one stretch.
        """
        count = len(chunk.pcm) // 2
        chunk.start = self._end
        if not stretches:
            self._book(count, voiced=chunk.voiced)
        for stretch in stretches:
            self._book(stretch.samples, voiced=stretch.voiced)
        self._keep(chunk, count)
        if chunk.sent_at is None:
            self._backlog += count
        else:
            self._cursor += 1
        if self._held > self._limit:
            self._make_room()

    def peek(self) -> Chunk | None:
        """The next audio to send, if there is any."""
        return self._chunks[self._cursor] if self._cursor < len(self._chunks) else None

    def advance(self, chunk: Chunk, now: float) -> bool:
        """Moves the cursor past the audio of the last `peek`, which the socket has taken.

        Returns:
            Whether an earlier socket had been given it already.
        """
        again = chunk.sent_at is not None
        chunk.sent_at, chunk.times = now, ()
        if self.peek() is chunk:
            self._cursor += 1
            self._backlog -= chunk.samples
        elif not chunk.injected:
            # An overflow dropped it while the socket took it: it was sent, but no replay can bring it again.
            self._lost -= chunk.samples
            self._unreplayable += chunk.samples
        return again

    def rewind(self) -> None:
        """Moves the cursor to the beginning, so that a new socket is given all audio held."""
        self._lost += self._unreplayable
        self._unreplayable = 0
        self._cursor = 0
        self._backlog = self._held

    def sent_by(self, when: float) -> int:
        """The position up to which this socket had been given audio at the time `when`, monotonic seconds."""
        count = self._cursor
        while count and (self._chunks[count - 1].sent_at or 0.0) > when:
            count -= 1
        if count == self._cursor:
            return self._position(count)
        partly = self._chunks[count]
        return max(partly.start, partly.start + partly.samples - partly.unsent_by(when))

    def settle(self, position: int) -> None:
        """Forgets the audio before this position, which was all sent, since a turn has ended there."""
        self._unreplayable = 0
        self._forget_to(position)

    def forget_idle(self, keep_s: float, before: int, unheard_from: int) -> None:
        """Forgets sent audio in which no turn began, all but the last `keep_s` seconds before `before`.

        If there is voice between `unheard_from` and `before`, a server that is behind may yet start a turn with it, so
        everything from `keep_s` seconds before that voice is kept. Voice before `unheard_from` has started no turn in
        time, and counts as noise.
        """
        if self._voice_end <= unheard_from:
            self._voice_end = 0
        voices = (run.start for run in self.runs if run.voiced and run.end > unheard_from and run.start < before)
        first = max(next(voices, before), unheard_from)
        self.forget_heard(min(first, before) - round(keep_s * self._rate))

    def forget_heard(self, position: int) -> None:
        """Forgets the sent audio before this position, although no turn has ended there."""
        # Audio that an overflow dropped is no loss if it would have been forgotten by now anyway.
        self._unreplayable = min(self._unreplayable, max(0, self.begins - position))
        self._forget_to(position)

    def keep_onset(self, samples: int) -> None:
        """Marks the last `samples` samples as the possible beginning of speech that is appended next."""
        since = self._end - samples
        for chunk in reversed(self._chunks):
            if chunk.start + len(chunk.pcm) // 2 <= since or (chunk.is_onset and chunk.voiced):
                # The audio before this earlier speech is marked already.
                break
            chunk.is_onset = True

    def drop_waiting_silence(self, since: int) -> None:
        """Removes injected silence from the end of the backlog, as far as it begins at `since` or later."""
        while self.has_backlog and self._chunks[-1].injected and self._chunks[-1].start >= since:
            chunk = self._chunks.pop()
            self._held -= chunk.samples
            self._backlog -= chunk.samples

    # Inside.

    def _keep(self, chunk: Chunk, samples: int) -> None:
        self._chunks.append(chunk)
        self._held += samples
        if not chunk.injected and chunk.pcm != bytes(len(chunk.pcm)):
            self._sound_end = self._end

    def _book(self, samples: int, *, voiced: bool) -> None:
        start, self._end = self._end, self._end + samples
        if voiced:
            self._voice_end = self._end
        if voiced != self._run_voiced:
            if self._run_start < start:
                self._runs.append(Run(self._run_start, start, self._run_voiced))
            self._run_start, self._run_voiced = start, voiced

    def _forget_to(self, position: int) -> None:
        """Forgets the sent audio before this position, and cuts the chunk in which it lies."""
        while self._cursor and self._chunks[0].start + self._chunks[0].samples <= position:
            self._forget_first()
        if self._cursor and self._chunks[0].start < position:
            self._cut_first(position - self._chunks[0].start)
        self._forget_runs()

    def _forget_runs(self) -> None:
        begins = self.begins
        while self._runs and self._runs[0].end <= begins:
            self._runs.popleft()
        if begins == self._end:
            self._run_start = begins

    def _cut_first(self, samples: int) -> None:
        chunk = self._chunks[0]
        self._chunks[0] = replace(
            chunk,
            pcm=chunk.pcm[2 * samples :],
            seconds=chunk.seconds - samples / self._rate,
            start=chunk.start + samples,
        )
        self._held -= samples

    def _forget_first(self) -> None:
        chunk = self._chunks.popleft()
        self._held -= chunk.samples
        if self._cursor:
            self._cursor -= 1
        else:
            self._backlog -= chunk.samples
            self._count_lost(chunk)

    def _position(self, index: int) -> int:
        return self._chunks[index].start if index < len(self._chunks) else self._end

    def _count_lost(self, chunk: Chunk) -> None:
        if not chunk.injected:
            self._lost += chunk.samples

    def _make_room(self) -> None:
        """Drops sent audio first and then the backlog; of each, silence first and then the oldest audio."""
        goal = self._limit * ROOM_AFTER_OVERFLOW
        self._drop_silence(goal)
        while self._cursor and self._held > goal:
            self._unreplayable += self._chunks[0].samples * (not self._chunks[0].injected)
            self._forget_first()
        self._forget_runs()
        # Silence right before speech is dropped only if speech itself would have to be dropped otherwise.
        for onsets in (False, True):
            if self._held <= self._limit:
                return
            self._drop_silence(goal, onsets=onsets)
        if self._held <= self._limit:
            return
        while self._held > goal:
            self._forget_first()

    def _drop_silence(self, goal: float, *, onsets: bool = False) -> None:
        """Drops silence from the sent audio or, if there is none, from the backlog; `onsets`: also before speech."""
        kept: deque[Chunk] = deque()
        sent = self._cursor
        end = sent or len(self._chunks)
        for index, chunk in enumerate(self._chunks):
            if index >= end or not chunk.droppable or (chunk.is_onset and not onsets) or self._held <= goal:
                kept.append(chunk)
                continue
            self._held -= chunk.samples
            if index < sent:
                self._cursor -= 1
                self._unreplayable += chunk.samples * (not chunk.injected)
            else:
                self._backlog -= chunk.samples
                self._count_lost(chunk)
        self._chunks = kept
