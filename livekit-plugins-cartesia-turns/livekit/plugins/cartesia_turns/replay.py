"""Audio that may have to be sent again, and audio that waits to be sent: one queue with a cursor.

Left of the cursor is what this socket was given and no turn.end has settled yet; right of it the backlog. A new socket
starts over at the left end. The wire has no acknowledgement of audio, so what may be forgotten is inferred: see
`settle` and `forget_idle`.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

PAUSE_S = 0.4
"""The shortest pause that is taken for the end of a turn."""
TAIL_S = 0.2
"""Of the pause in which a turn ended so much is kept: the next turn may begin right behind it."""
LATE_S = 2.0
"""How much later than expected a turn.end may come, where that can be told."""
UNHEARD_S = 5.0
"""Voice sent so long ago may still start a turn, at a server that is far behind."""
ROOM_AFTER_OVERFLOW = 0.9
"""An overflow drops audio down to this part of the limit, so that it is a rare event and not one for each frame."""


@dataclass(slots=True)
class Chunk:
    """A piece of PCM audio on its way to the server."""

    pcm: bytes
    seconds: float
    voiced: bool = True
    """Somebody may speak in it."""
    droppable: bool = False
    """Deep in a silence: the first to go when there is too much."""
    injected: bool = False
    """Silence of the watchdog's, not the user's audio."""
    position_s: float = 0.0
    """Where it begins, in seconds since the first audio; set by the buffer."""
    sent_at: float | None = None
    """When it was last given to a socket, monotonic seconds."""


class ReplayBuffer:
    """Bounded queue of audio.

    Args:
        limit_s: how much audio it holds at most, in seconds.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._chunks: deque[Chunk] = deque()
        self._cursor = 0
        self._held_s = 0.0
        self._backlog_s = 0.0
        self._unreplayable_s = 0.0
        self._end_s = 0.0
        self.lost_s = 0.0
        """The user's audio over the limit: dropped unsent, or needed by a new socket and gone."""

    @property
    def held_s(self) -> float:
        """Seconds of audio in memory."""
        return self._held_s

    @property
    def backlog_s(self) -> float:
        """Seconds of audio that this socket has not been given."""
        # The sum keeps a rounding error, and whoever waits for audio to send would take that for audio.
        return self._backlog_s if self._cursor < len(self._chunks) else 0.0

    @property
    def has_backlog(self) -> bool:
        """There is audio that this socket has not been given."""
        return self._cursor < len(self._chunks)

    @property
    def has_unsent(self) -> bool:
        """There is audio that no socket was ever given."""
        return bool(self._chunks) and self._chunks[-1].sent_at is None

    @property
    def has_voice(self) -> bool:
        """Somebody may speak in the audio held."""
        return any(chunk.voiced for chunk in self._chunks)

    @property
    def begins_s(self) -> float:
        """Where the queue begins, in seconds since the first audio: nothing before it is held."""
        return self._position_s(0)

    @property
    def sent_to_s(self) -> float:
        """Where the cursor is, in seconds since the first audio."""
        return self._position_s(self._cursor)

    def append(self, chunk: Chunk) -> None:
        """Adds audio at the end; over the limit, something older goes."""
        chunk.position_s = self._end_s
        self._end_s += chunk.seconds
        self._chunks.append(chunk)
        self._held_s += chunk.seconds
        self._backlog_s += chunk.seconds
        if self._held_s > self._limit_s:
            self._make_room()

    def peek(self) -> Chunk | None:
        """The next audio to send, if there is any."""
        return self._chunks[self._cursor] if self._cursor < len(self._chunks) else None

    def advance(self, chunk: Chunk, now: float) -> bool:
        """The audio of the last `peek` is with the socket.

        Returns:
            Whether it had been sent before, on an earlier socket.
        """
        again = chunk.sent_at is not None
        chunk.sent_at = now
        if self.peek() is chunk:
            self._cursor += 1
            self._backlog_s -= chunk.seconds
        elif not chunk.injected:
            # It was dropped while it was on its way: sent, but not for a replay.
            self.lost_s -= chunk.seconds
            self._unreplayable_s += chunk.seconds
        return again

    def rewind(self) -> None:
        """All audio held is to be sent again, on a new socket."""
        self.lost_s += self._unreplayable_s
        self._unreplayable_s = 0.0
        self._cursor = 0
        self._backlog_s = self._held_s

    def settle(self, before: float, heard_by: float, *, finished: bool = False) -> None:
        """Forgets the audio of a turn that the server has ended.

        What was sent up to the time `before` is the turn's, and of what was sent since and may have been heard, all
        before the last pause: turns end in pauses.

        Args:
            before: monotonic seconds.
            heard_by: what was sent later had not reached the server when it ended the turn; monotonic seconds.
            finished: the server was asked to finish: with the last audio, a turn ends without a pause.
        """
        self._unreplayable_s = 0.0
        for _ in range(self._end_of_last_turn() if finished else self._end_of_turn(before, heard_by)):
            self._forget_first()

    def forget_idle(self, keep_s: float, before: float) -> None:
        """Forgets audio in which no turn began, all but the last `keep_s` seconds of what was sent before `before`.

        Where somebody is heard in what was sent in the UNHEARD_S seconds before that, a turn may be about to start, at
        a server that is behind: all is kept from `keep_s` seconds before that voice on. Voice before it was none.
        """
        unheard = self._sent_by(before - UNHEARD_S)
        for index in range(unheard):
            self._chunks[index].voiced = False
        end = first = self._first_of_last(keep_s, self._cursor, before)
        for index in range(unheard, end):
            if self._chunks[index].voiced:
                first = self._first_of_last(keep_s, index, before)
                break
        for _ in range(first):
            self._forget_first()

    def _first_of_last(self, seconds: float, end: int, before: float) -> int:
        """Where the last `seconds` seconds begin of what lies left of `end` and was sent before `before`."""
        first, sum_s = end, 0.0
        while first and sum_s < seconds:
            first -= 1
            if (self._chunks[first].sent_at or 0.0) <= before:
                sum_s += self._chunks[first].seconds
        return first

    def _end_of_turn(self, before: float, heard_by: float) -> int:
        first, end = self._sent_by(before), self._sent_by(heard_by)
        late = self._pause_before_speech(before - LATE_S)
        if late is not None and late < first:
            # Nothing that was sent since is a pause, so the turn ended there, or before.
            first, end = 0, late
        else:
            end = max(end, self._first_pause())
        while end > first and not self._ends_pause(end):
            end -= 1
        kept_s = 0.0
        while end > first and kept_s + self._chunks[end - 1].seconds <= TAIL_S:
            end -= 1
            kept_s += self._chunks[end].seconds
        return end

    def _pause_before_speech(self, since: float) -> int | None:
        """Where the pause before the speech that is being sent ends, if it was sent after `since`."""
        tail = range(self._first_of_last(TAIL_S, self._cursor, math.inf), self._cursor)
        if not any(self._chunks[index].voiced for index in tail):
            return None
        return next(filter(self._ends_pause, range(self._cursor, self._sent_by(since), -1)), None)

    def _first_pause(self) -> int:
        """Where the first pause after speech ends: a turn that has ended is no shorter than that."""
        return next(filter(self._ends_pause, range(self._first_voice() + 1, self._cursor + 1)), 0)

    def _first_voice(self) -> int:
        return next((index for index, chunk in enumerate(self._chunks) if chunk.voiced), self._cursor)

    def _end_of_last_turn(self) -> int:
        voice = self._first_voice()
        return next(filter(self._ends_pause, range(self._cursor, voice, -1)), self._cursor)

    def _ends_pause(self, end: int) -> bool:
        """Whether the chunks before this index make a pause in which a turn may end."""
        pause_s = 0.0
        while end and not self._chunks[end - 1].voiced and pause_s < PAUSE_S:
            end -= 1
            pause_s += self._chunks[end].seconds
        return pause_s >= PAUSE_S

    def _sent_by(self, when: float) -> int:
        """How many of the first chunks this socket was given up to the time `when`."""
        count = self._cursor
        while count and (self._chunks[count - 1].sent_at or 0.0) > when:
            count -= 1
        return count

    def _forget_first(self) -> None:
        chunk = self._chunks.popleft()
        self._held_s -= chunk.seconds
        if self._cursor:
            self._cursor -= 1
        else:
            self._backlog_s -= chunk.seconds
            self._count_lost(chunk)

    def _position_s(self, index: int) -> float:
        return self._chunks[index].position_s if index < len(self._chunks) else self._end_s

    def _count_lost(self, chunk: Chunk) -> None:
        if not chunk.injected:
            self.lost_s += chunk.seconds

    def _make_room(self) -> None:
        """Drops what was sent already, oldest first; then silence that waits; then whatever is oldest."""
        goal_s = self._limit_s * ROOM_AFTER_OVERFLOW
        while self._cursor and self._held_s > goal_s:
            self._unreplayable_s += self._chunks[0].seconds * (not self._chunks[0].injected)
            self._forget_first()
        if self._held_s > goal_s:
            self._drop_silence(goal_s)
        while self._held_s > goal_s:
            self._forget_first()

    def _drop_silence(self, goal_s: float) -> None:
        kept: deque[Chunk] = deque()
        for chunk in self._chunks:
            if chunk.droppable and self._held_s > goal_s:
                self._held_s -= chunk.seconds
                self._backlog_s -= chunk.seconds
                self._count_lost(chunk)
            else:
                kept.append(chunk)
        self._chunks = kept
