"""Spaces attempts to connect across the streams of a key, once the server has answered 429."""

from __future__ import annotations

import math

from .backoff import JITTER, LONGEST_DELAY_S, PROBE_EVERY_S

SPACING_S = 0.25
"""The time between two attempts under one key after the server said that there are too many."""
RATE_LIMITED_S = 1.0
"""How long a key is paused after a 429 that names no time."""
LONGEST_PAUSE_S = 60.0
"""The longest pause of a key, whatever time a 429 names: one stream got that answer, and all of them wait."""


class ConnectLimiter:
    """Spaces attempts under one key once the server has answered 429. All times are monotonic seconds.

    While the key is paused, a stream in mid-turn may connect all the same, since the 429 did not answer it. If the
    server asked for more than LONGEST_PAUSE_S, so may one attempt every PROBE_EVERY_S. A connection ends the pause.
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
        """A connection was made, so the server takes them again."""
        if self._next_at is not None:
            self._next_at = min(self._next_at, now + SPACING_S)
        self._probe_at = math.inf

    def reserve(self, now: float, at_most_s: float = math.inf, *, urgent: bool = False) -> float:
        """Reserves the next place in the queue of attempts, unless the wait for it exceeds `at_most_s` seconds.

        Args:
            now: the present.
            at_most_s: the longest wait.
            urgent: a turn is open and waits for this connection.

        Returns:
            Seconds to wait before connecting; 0 if nothing was refused lately. More than `at_most_s` means that no
            place was reserved.
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
        """A stream waits by itself for `wait_s` and jitter. Until it is back, an empty queue does not end the pause."""
        self._returning_until = max(self._returning_until, now + max(wait_s, LONGEST_DELAY_S) * (1 + JITTER))
