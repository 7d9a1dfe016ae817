"""Audio that may have to be sent again, and audio that waits to be sent: one queue with a cursor.

Left of the cursor is what this socket was given and no turn.end has settled yet; right of it the backlog. A new socket
starts over at the left end. The wire has no acknowledgement of audio, so what may be forgotten is inferred: see
`settle` and `forget_idle`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

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
        self.forgotten_s = 0.0
        """Where the queue begins, in seconds since the first audio."""
        self.lost_s = 0.0
        """The user's audio dropped while it waited to be sent."""

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
    def sent_to_s(self) -> float:
        """Where the cursor is, in seconds since the first audio."""
        return self.forgotten_s + self._held_s - self._backlog_s

    def append(self, chunk: Chunk) -> None:
        """Adds audio at the end; over the limit, something older goes."""
        self._chunks.append(chunk)
        self._held_s += chunk.seconds
        self._backlog_s += chunk.seconds
        if self._held_s > self._limit_s:
            self._make_room()

    def peek(self) -> Chunk | None:
        """The next audio to send, if there is any."""
        return self._chunks[self._cursor] if self._cursor < len(self._chunks) else None

    def advance(self, now: float) -> bool:
        """The audio of the last `peek` is with the socket.

        Returns:
            Whether it had been sent before, on an earlier socket.
        """
        chunk = self._chunks[self._cursor]
        again = chunk.sent_at is not None
        chunk.sent_at = now
        self._cursor += 1
        self._backlog_s -= chunk.seconds
        return again

    def rewind(self) -> None:
        """All audio held is to be sent again, on a new socket."""
        self._cursor = 0
        self._backlog_s = self._held_s

    def settle(self, before: float) -> None:
        """Forgets what was sent up to the time `before`: the server is done with it."""
        while self._cursor and (self._chunks[0].sent_at or 0.0) <= before:
            self._forget_first()

    def settle_speech(self, pause_s: float) -> None:
        """Forgets the first stretch of voice that was sent, up to a pause of `pause_s` seconds behind it.

        For a turn.end that comes while the server is behind: which audio it is about is told by the pause alone.
        """
        heard_voice, quiet_s = False, 0.0
        for index in range(self._cursor):
            chunk = self._chunks[index]
            heard_voice = heard_voice or chunk.voiced
            quiet_s = 0.0 if chunk.voiced else quiet_s + chunk.seconds
            if heard_voice and quiet_s >= pause_s:
                for _ in range(index + 1):
                    self._forget_first()
                return

    def forget_idle(self, keep_s: float, before: float) -> None:
        """Forgets audio in which no turn began, all but the last `keep_s` seconds of what was sent before `before`."""
        kept_s = 0.0
        first = self._cursor
        while first and kept_s < keep_s:
            first -= 1
            if (self._chunks[first].sent_at or 0.0) <= before:
                kept_s += self._chunks[first].seconds
        for _ in range(first):
            self._forget_first()

    def _forget_first(self) -> None:
        chunk = self._chunks.popleft()
        self._held_s -= chunk.seconds
        self.forgotten_s += chunk.seconds
        if self._cursor:
            self._cursor -= 1
        else:
            self._backlog_s -= chunk.seconds
            self._count_lost(chunk)

    def _count_lost(self, chunk: Chunk) -> None:
        if not chunk.injected:
            self.lost_s += chunk.seconds

    def _make_room(self) -> None:
        """Drops what was sent already, oldest first; then silence that waits; then whatever is oldest."""
        goal_s = self._limit_s * ROOM_AFTER_OVERFLOW
        while self._cursor and self._held_s > goal_s:
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
                self.forgotten_s += chunk.seconds
                self._count_lost(chunk)
            else:
                kept.append(chunk)
        self._chunks = kept
