"""How long to wait before the next attempt to connect, and when to give up: exponential backoff, within bounds."""

from __future__ import annotations

import math

FIRST_DELAY_S = 0.1
LATER_DELAY_S = 1.0
LONGEST_DELAY_S = 2.0
JITTER = 0.25
"""A delay grows by up to this part of itself, so that streams that failed together do not return together."""
LONGEST_RETRY_AFTER_S = 60.0
"""A server that asks for a longer pause than this has refused, since no call waits so long."""
PROBE_EVERY_S = 5.0
"""How often a server is tried all the same that asked for a longer pause than the call can wait."""


class RetryPolicy:
    """Decides after each failed attempt whether and when to try again. All times are monotonic seconds.

    Args:
        max_retry: how many failed attempts in a row are followed by another one, however long they took.
        patience_s: for how many seconds of failures attempts go on beyond that. The last one is made at their end.
    """

    def __init__(self, max_retry: int, patience_s: float) -> None:
        self._max_retry = max_retry
        self._patience_s = patience_s
        self._failures = self._forgiven = 0
        self._failing_since: float | None = None
        self._last_at = -math.inf

    def succeeded(self) -> None:
        """A connection was made, so failures are counted anew."""
        self._failures = self._forgiven = 0
        self._failing_since = None

    def delay_after_failure(
        self,
        now: float,
        *,
        jitter: float,
        retry_after_s: float | None = None,
        forgiven: bool = False,
        in_call: bool = False,
    ) -> float | None:
        """An attempt failed in a way that may pass.

        Args:
            now: the time of the failure.
            jitter: random, from 0 to 1.
            retry_after_s: the pause that the server asked for, in seconds.
            forgiven: the failure is no reason to give up, however often it happens. The attempts are still spaced.
            in_call: the server has said `connected` before. If it asks for a longer pause than patience lasts, it is
                tried every PROBE_EVERY_S; without `in_call` such a pause counts as a refusal.

        Returns:
            Seconds to wait before the next attempt; None to give up.
        """
        spread = 1 + JITTER * jitter
        delay_s = self._spacing_s(now) * spread
        if forgiven:
            self._forgiven += 1
            return delay_s
        if self._failing_since is None:
            self._failing_since = now
        self._failures += 1
        if retry_after_s is not None:
            failing_s = now - self._failing_since
            if retry_after_s > self._longest_retry_after_s(failing_s):
                # A user who sets no patience, or has none left, has another STT at hand.
                if not in_call or self._patience_s - failing_s < PROBE_EVERY_S:
                    return None
                retry_after_s = PROBE_EVERY_S
            delay_s = max(delay_s, retry_after_s * spread)
        left_s = self._failing_since + self._patience_s - now
        if self._failures <= self._max_retry or delay_s <= left_s:
            return delay_s
        return left_s if left_s >= FIRST_DELAY_S and retry_after_s is None else None

    def _spacing_s(self, now: float) -> float:
        """The delay by the failures so far. The first one after a success is short if the last failure is long ago."""
        before, since_s = self._failures + self._forgiven, now - self._last_at
        self._last_at = now
        if not before:
            return FIRST_DELAY_S if since_s >= LATER_DELAY_S else LATER_DELAY_S
        return min(LATER_DELAY_S * 2.0 ** min(before - 1, 8), LONGEST_DELAY_S)

    def _longest_retry_after_s(self, failing_s: float) -> float:
        """The longest pause that a server may ask for after so many seconds of failures.

        That is what is left of patience, or an ordinary delay if longer.
        """
        return min(max(self._patience_s - failing_s, LONGEST_DELAY_S), LONGEST_RETRY_AFTER_S)
