"""Spaces attempts to connect across the streams of a key, once the server has answered 429."""

from __future__ import annotations

import math

from .retry import JITTER, LONGEST_DELAY_S, PROBE_EVERY_S

SPACING_S = 0.25
"""Between two attempts under one key after the server said that there are too many."""
RATE_LIMITED_S = 1.0
"""How long a key is left alone after a 429 that names no time."""
LONGEST_PAUSE_S = 60.0
"""How long it is left alone at most, whatever time a 429 names: that was said to one stream, and all wait."""


class ConnectLimiter:
    """Spaces attempts under one key once the server has answered 429. All times are monotonic seconds.

    While the key is paused, a stream in mid-turn is let through, since the 429 was not for it. Where the server asked
    for more than LONGEST_PAUSE_S, one attempt every PROBE_EVERY_S is, too. A connection that is made ends the pause.
    """

    def __init__(self) -> None:
        self._next_at: float | None = None
        self._paused_until = self._urgent_at = self._returning_until = -math.inf
        self._probe_at = math.inf

    def rate_limited(self, now: float, retry_after_s: float | None) -> None:
        """An attempt was refused with 429."""
        asked_s = RATE_LIMITED_S if retry_after_s is None else retry_after_s
        wait_s = min(asked_s, LONGEST_PAUSE_S)
        self._next_at = max(self._next_at or now, now + wait_s)
        self._paused_until = max(self._paused_until, now + wait_s)
        if asked_s > LONGEST_PAUSE_S and self._probe_at == math.inf:
            self._probe_at = now
        self._sent_away(now, wait_s)

    def opened(self, now: float) -> None:
        """A connection was made: the server takes them again."""
        if self._next_at is not None:
            self._next_at = min(self._next_at, now + SPACING_S)
        self._probe_at = math.inf

    def reserve(self, now: float, at_most_s: float = math.inf, *, urgent: bool = False) -> float:
        """Takes a place in the row, unless that means to wait for longer than `at_most_s` seconds.

        Args:
            now: the present.
            at_most_s: the longest wait.
            urgent: a turn is open and waits for this connection.

        Returns:
            Seconds to wait before connecting; 0 where nothing was refused lately.
        """
        if self._next_at is None:
            return 0.0
        if now > max(self._next_at + SPACING_S, self._returning_until):
            self._next_at, self._probe_at = None, math.inf
            return 0.0
        if urgent:
            at = max(self._urgent_at, now)
            self._urgent_at = at + SPACING_S
            return at - now
        at, probe_at = max(self._next_at, now), max(self._probe_at, now)
        if at - now <= at_most_s:
            self._next_at = at + SPACING_S
            return at - now
        if probe_at + SPACING_S > self._paused_until:
            probe_at = math.inf
        if probe_at - now <= at_most_s:
            self._probe_at = probe_at + PROBE_EVERY_S
            return probe_at - now
        wait_s = min(at, probe_at) - now
        self._sent_away(now, wait_s)
        return wait_s

    def _sent_away(self, now: float, wait_s: float) -> None:
        """Somebody waits elsewhere, so long and the jitter on it: until then a row that is empty is not over."""
        self._returning_until = max(self._returning_until, now + max(wait_s, LONGEST_DELAY_S) * (1 + JITTER))
