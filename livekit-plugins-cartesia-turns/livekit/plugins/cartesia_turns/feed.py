"""The audio on its way to the server: listened to, kept for a replay, counted when it is sent, and tied to the words.

All times are monotonic seconds.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace

from .activity import Activity
from .replay import Chunk, ReplayBuffer
from .stats import Stats

LONGEST_CHUNK_S = 1.0
"""Audio pushed in longer pieces is cut: sent, kept and dropped piece by piece."""
QUIET_S = 1.0
"""Silence beyond this is dropped first when too much audio waits."""
USAGE_EVERY_S = 5.0


class Feed:
    """A stream's audio, that of the user and the silence in its place.

    Args:
        sample_rate: of the audio, in Hz; it is signed 16-bit little-endian mono.
        limit_s: how much is kept at most, in seconds.
        now: the present.
    """

    def __init__(self, sample_rate: int, limit_s: float, now: float) -> None:
        self._sample_rate = sample_rate
        self._sent_s = self._silent_s = self._replayed_s = 0.0
        self._unreported_s = 0.0
        self._usage_at = now + USAGE_EVERY_S
        self._overflow_told = False
        self._marks = Marks()
        self.buffer = ReplayBuffer(limit_s)
        """What is kept, and what waits."""
        self.activity = Activity()
        """When somebody was heard in the user's audio."""

    @property
    def usage_at(self) -> float:
        """When usage is to be reported, inf where there is none."""
        return self._usage_at if self._unreported_s else math.inf

    def push(self, pcm: bytes, now: float) -> bool:
        """Takes the user's audio, of any length.

        Returns:
            Whether an overflow has begun: audio was lost, for the first time since `flows`.
        """
        lost_s = self.buffer.lost_s
        size = 2 * round(LONGEST_CHUNK_S * self._sample_rate)
        for start in range(0, len(pcm), size):
            self._append(pcm[start : start + size], now)
        return self._is_first_loss(lost_s)

    def rewind(self) -> bool:
        """All audio that is held is to be sent again, on a new socket.

        Returns:
            As `push`: what went from the open turn's audio is lost now.
        """
        lost_s = self.buffer.lost_s
        self.buffer.rewind()
        return self._is_first_loss(lost_s)

    def push_silence(self, seconds: float) -> float:
        """Puts whole samples of silence behind the audio; returns how many seconds that made."""
        samples = round(seconds * self._sample_rate)
        seconds = samples / self._sample_rate
        self.buffer.append(Chunk(bytes(2 * samples), seconds, voiced=False, droppable=True, injected=True))
        return seconds

    def flows(self) -> None:
        """The server is there: an overflow after this is a new one."""
        self._overflow_told = False

    def sent(self, chunk: Chunk, now: float) -> None:
        """A chunk of the buffer is with the socket."""
        again = self.buffer.advance(chunk, now)
        self._unreported_s += chunk.seconds
        self._sent_s += chunk.seconds
        self._silent_s += chunk.seconds * chunk.injected
        self._replayed_s += chunk.seconds * again

    def words_known(self, words: int) -> None:
        """The open turn has so many words by now, all from audio that was sent."""
        if words:
            self._marks.note(self.buffer.sent_to_s, words)
        else:
            self._marks.clear()

    def words_gone(self) -> int:
        """How many words of the open turn a replay can't bring back, since their audio is held no more."""
        return self._marks.words_before(self.buffer.begins_s)

    @property
    def words_end_s(self) -> float:
        """Up to where audio had been sent when the last word became known, in seconds since the first audio."""
        return self._marks.end_s

    def settle(self, before: float, heard_by: float, *, finished: bool) -> None:
        """The server ended a turn: its words and its audio are done with. See `ReplayBuffer.settle`."""
        self._marks.clear()
        self.buffer.settle(before, heard_by, finished=finished)

    def take_usage(self, now: float) -> float:
        """Seconds of audio sent since the last call."""
        seconds, self._unreported_s = self._unreported_s, 0.0
        self._usage_at = now + USAGE_EVERY_S
        return seconds

    def count(self, stats: Stats) -> Stats:
        """`stats` with what is known of the audio."""
        return replace(
            stats,
            sent_s=self._sent_s,
            silent_s=self._silent_s,
            replayed_s=self._replayed_s,
            lost_s=self.buffer.lost_s,
            backlog_s=abs(round(self.buffer.backlog_s, 3)),
            held_s=abs(round(self.buffer.held_s, 3)),
        )

    def _is_first_loss(self, before_s: float) -> bool:
        if self.buffer.lost_s == before_s or self._overflow_told:
            return False
        self._overflow_told = True
        return True

    def _append(self, pcm: bytes, now: float) -> None:
        seconds = len(pcm) / 2 / self._sample_rate
        self.activity.push(pcm, seconds, now)
        quiet_s = self.activity.quiet_s
        self.buffer.append(Chunk(pcm, seconds, voiced=quiet_s < seconds, droppable=quiet_s > QUIET_S))


class Marks:
    """How many words of a turn were known at which point of the audio: which of them a replay can't bring back."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()
        self._gone = 0

    @property
    def end_s(self) -> float:
        """Where the last word became known, in seconds since the first audio; -inf where no mark is left."""
        return self._marks[-1][0] if self._marks else -math.inf

    def note(self, position_s: float, words: int) -> None:
        """So many words are known now that audio was sent up to this position, in seconds since the first audio."""
        if words > (self._marks[-1][1] if self._marks else self._gone):
            self._marks.append((position_s, words))

    def words_before(self, position_s: float) -> int:
        """How many words were known when no audio behind this position had been sent."""
        while self._marks and self._marks[0][0] <= position_s:
            self._gone = self._marks.popleft()[1]
        return self._gone

    def clear(self) -> None:
        """The turn is over."""
        self._marks.clear()
        self._gone = 0
