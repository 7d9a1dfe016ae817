"""Audio that may have to be sent again, and audio that waits to be sent: one queue with a cursor.

Left of the cursor is audio that this socket was given and that no turn.end has settled yet. Right of it is the backlog.
A new socket starts over at the left end. `settling` decides which audio a turn.end settles. Positions are samples since
the first audio of the call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from .chunk import Chunk, Stretch
from .runs import Runs

ROOM_AFTER_OVERFLOW = 0.9
"""An overflow drops audio down to this part of the limit, so that not every later frame overflows again."""


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
        self._cursor = 0
        self._held = self._backlog = self._lost = self._unreplayable = 0
        self.runs: Runs = Runs()
        """Which stretches of it have voice."""
        self.sound_end: int = 0
        """The position where the last sound ends, however soft. Only digital silence follows it."""

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
        return self.runs.voice_end > self.begins

    @property
    def has_unsent_voice(self) -> bool:
        """Somebody may speak in the audio that this socket has not been given."""
        return self.runs.voice_end > self.sent_to

    @property
    def has_sound(self) -> bool:
        """The audio held is not digital silence alone."""
        return self.sound_end > self.begins

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
        return self.runs.end

    def append(self, chunk: Chunk, stretches: Sequence[Stretch] = ()) -> None:
        """Adds audio at the end. Over the limit, older audio is dropped.

        Args:
            chunk: the audio. If the socket was given it already, there must be no backlog.
            stretches: its stretches with and without voice; none if it is one stretch.
        """
        count = len(chunk.pcm) // 2
        chunk.start = self.runs.end
        if not stretches:
            self.runs.add(count, voiced=chunk.voiced)
        for stretch in stretches:
            self.runs.add(stretch.samples, voiced=stretch.voiced)
        self._chunks.append(chunk)
        self._held += count
        if not chunk.injected and chunk.pcm != bytes(len(chunk.pcm)):
            self.sound_end = self.runs.end
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
        first = self.runs.first_voice(unheard_from, before)
        self.forget_heard(first - round(keep_s * self._rate))

    def forget_heard(self, position: int) -> None:
        """Forgets the sent audio before this position, although no turn has ended there."""
        # Audio that an overflow dropped is no loss if it would have been forgotten by now anyway.
        self._unreplayable = min(self._unreplayable, max(0, self.begins - position))
        self._forget_to(position)

    def keep_onset(self, samples: int) -> None:
        """Marks the last `samples` samples as the possible beginning of speech that is appended next."""
        since = self.runs.end - samples
        for chunk in reversed(self._chunks):
            if chunk.start + len(chunk.pcm) // 2 <= since or (chunk.is_onset and chunk.voiced):
                # The audio before this earlier speech is marked already.
                break
            chunk.is_onset = True

    def drop_waiting_silence(self, since: int) -> None:
        """Removes injected silence from the end of the backlog, as far as it begins at `since` or later."""
        while self.has_backlog and self._chunks[-1].injected and self._chunks[-1].start >= since:
            self._drop(self._chunks.pop(), was_sent=False)

    # Inside.

    def _forget_to(self, position: int) -> None:
        """Forgets the sent audio before this position, and cuts the chunk in which it lies."""
        while self._cursor and self._chunks[0].start + self._chunks[0].samples <= position:
            self._held -= self._chunks.popleft().samples
            self._cursor -= 1
        if self._cursor and self._chunks[0].start < position:
            self._cut_first(position - self._chunks[0].start)
        self.runs.forget_to(self.begins)

    def _cut_first(self, samples: int) -> None:
        chunk = self._chunks[0]
        pcm, seconds = chunk.pcm[2 * samples :], chunk.seconds - samples / self._rate
        self._chunks[0] = replace(chunk, pcm=pcm, seconds=seconds, start=chunk.start + samples)
        self._held -= samples

    def _position(self, index: int) -> int:
        return self._chunks[index].start if index < len(self._chunks) else self.runs.end

    def _make_room(self) -> None:
        """Drops sent audio first and then the backlog; of each, silence first and then the oldest audio."""
        goal = self._limit * ROOM_AFTER_OVERFLOW
        self._drop_silence(goal)
        while self._cursor and self._held > goal:
            self._drop(self._chunks.popleft(), was_sent=True)
        self.runs.forget_to(self.begins)
        # Silence right before speech is dropped only if speech itself would have to be dropped otherwise.
        for onsets in (False, True):
            if self._held <= self._limit:
                return
            self._drop_silence(goal, onsets=onsets)
        if self._held <= self._limit:
            return
        while self._held > goal:
            self._drop(self._chunks.popleft(), was_sent=False)

    def _drop_silence(self, goal: float, *, onsets: bool = False) -> None:
        """Drops silence from the sent audio or, if there is none, from the backlog; `onsets`: also before speech."""
        kept: deque[Chunk] = deque()
        sent = self._cursor
        end = sent or len(self._chunks)
        for index, chunk in enumerate(self._chunks):
            if index >= end or not chunk.droppable or (chunk.is_onset and not onsets) or self._held <= goal:
                kept.append(chunk)
                continue
            self._drop(chunk, was_sent=index < sent)
        self._chunks = kept

    def _drop(self, chunk: Chunk, *, was_sent: bool) -> None:
        """Counts a chunk that no longer is in the queue. The user's audio is lost unless this socket was given it."""
        users = 0 if chunk.injected else chunk.samples
        self._held -= chunk.samples
        if was_sent:
            self._cursor -= 1
            self._unreplayable += users
        else:
            self._backlog -= chunk.samples
            self._lost += users
