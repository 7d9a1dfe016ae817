"""Whether a turn hangs by now, in which way, and when to look again, by all the rules of `timeouts` together.

All times are monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum

from .chunk import Chunk, Stretch
from .link import Link
from .timeouts import STALLED_AFTER_S, DeafRule, RescueRule, StallRule, Watchdog

REPLACED_EVERY_S = 30.0
"""At most once in this time a socket is replaced because its server has stalled."""


class Hang(Enum):
    """In which way a turn hangs."""

    STALLED = "the server takes audio in mid-turn and says nothing more"
    DEAF = "the server does not hear, long after a turn was closed for want of its events"
    NOT_RESUMED = "the replay did not bring the turn back in time"
    NO_AUDIO = "the audio stopped in mid-turn, so that silence is due unless the audio is only late"
    OVERDUE = "silence has not ended the turn"


class Hangs:
    """Follows everything by which a turn may hang.

    Args:
        min_timeout_s: as for `Watchdog`.
    """

    def __init__(self, min_timeout_s: float) -> None:
        self.watchdog: Watchdog = Watchdog(min_timeout_s)
        self._stall = StallRule()
        self._deaf = DeafRule()
        self._rescue = RescueRule()
        self._replaced_at = -math.inf

    @property
    def is_deaf(self) -> bool:
        """The server is deaf, and its socket is replaced as soon as REPLACED_EVERY_S allows."""
        return self._deaf.is_proven

    @property
    def may_be_deaf(self) -> bool:
        """The client closed a turn that the server has not ended."""
        return self._deaf.is_in_doubt

    # What happens.

    def socket_opened(self, now: float) -> None:
        """There is a new socket."""
        self._stall.heard(now)
        self._deaf.heard()
        self._rescue.linked(now)

    def socket_lost(self, now: float) -> None:
        """The socket was lost in mid-turn."""
        self._rescue.lost(now)

    def turn_started(self, now: float) -> None:
        """The server is in a turn, by its own messages."""
        self._stall.heard(now)

    def heard(self, now: float, *, has_text: bool, settles: bool) -> None:
        """An event of a turn came.

        Args:
            now: the present.
            has_text: the turn has words, told or not. Messages without words do not keep a turn open that has none.
            settles: as for `DeafRule.heard`.
        """
        self._deaf.heard(settles=settles)
        if has_text:
            self._stall.heard(now)

    def audio_sent(
        self, chunks: Sequence[Chunk | Stretch], now: float, link: Link | None, *, piece_s: float | None = None
    ) -> None:
        """Audio went out.

        Args:
            chunks: the audio.
            now: the present.
            link: the present socket.
            piece_s: the length in seconds of each piece of it that the user pushed; None for silence of our own.
        """
        if piece_s is not None:
            self.watchdog.audio_sent(piece_s, now)
        limit_s = _limit_s(link) if self._deaf.is_in_doubt else math.inf
        for chunk in chunks:
            self._stall.audio_sent(chunk.seconds)
            self._deaf.audio_sent(chunk.seconds, now, voiced=chunk.voiced, power=chunk.power, limit_s=limit_s)

    def turn_left(self, now: float, *, is_deaf: bool) -> bool:
        """The client closes a turn that the server has not ended.

        Args:
            now: the present.
            is_deaf: the server had words for the turn and fell silent, or did not end the turn after enough silence.

        Returns:
            Whether the socket is to be replaced at once. If not, that may become due later.
        """
        if is_deaf and now >= self._replaced_at + REPLACED_EVERY_S:
            self.replaced(now)
            return True
        not_before = self._replaced_at + REPLACED_EVERY_S
        self._deaf.turn_left(not_before if is_deaf else max(now, not_before), is_deaf=is_deaf)
        return False

    def replaced(self, now: float) -> None:
        """The socket is replaced."""
        self._replaced_at = now
        self._deaf.heard()

    # What is due.

    def deadline(
        self, link: Link | None, *, is_resuming: bool, waits_for_audio: bool, live_at: float | None = None
    ) -> float:
        """When to call `due` again; the arguments are those of `due`, and of `Watchdog.deadline`."""
        return min(
            self._rescue.deadline if is_resuming else math.inf,
            self._stalled_at(link),
            self._deaf.deadline if link else math.inf,
            self._silence_at(link, live_at) if waits_for_audio else math.inf,
        )

    def due(self, now: float, link: Link | None, *, is_resuming: bool, waits_for_audio: bool) -> Hang | None:
        """In which way the turn hangs by now, if it does.

        Args:
            now: the present.
            link: the present socket.
            is_resuming: the turn waits for its replay.
            waits_for_audio: there is no backlog, and more audio may come.
        """
        if now >= self._stalled_at(link):
            return Hang.STALLED
        if link and now >= self._deaf.deadline:
            return Hang.DEAF
        if is_resuming and now >= self._rescue.deadline:
            return Hang.NOT_RESUMED
        if not waits_for_audio or link is None or now < self._silence_at(link):
            return None
        is_overdue = answers(link, now) and self.watchdog.gives_up(link.configs.end_timeout_s)
        return Hang.OVERDUE if is_overdue else Hang.NO_AUDIO

    def _stalled_at(self, link: Link | None) -> float:
        if not _in_turn(link):
            return math.inf
        at = self._stall.stalled_at(_limit_s(link))
        # A peer that does not answer pings either is dead, not stalled: its turn goes on with the next socket.
        return at if answers(link, at) else math.inf

    def _silence_at(self, link: Link | None, live_at: float | None = None) -> float:
        return self.watchdog.deadline(live_at) if _in_turn(link) else math.inf


def answers(link: Link | None, now: float) -> bool:
    """Whether the peer still answers pings at the time `now`, as far as is known."""
    return link is not None and now <= link.liveness.answers_until


def _in_turn(link: Link | None) -> bool:
    return link is not None and link.in_turn and not link.hang_up


def _limit_s(link: Link | None) -> float:
    """How much audio a server in a turn may take without an event before it counts as stalled."""
    return link.configs.end_timeout_s + STALLED_AFTER_S if link else math.inf
