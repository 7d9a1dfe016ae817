"""When to try again: per socket (judge), per stream (RetryPolicy), across the streams of a key (ConnectLimiter)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .link import HangUp
from .liveness import DEAD_AFTER_S

FIRST_DELAY_S = 0.1
LATER_DELAY_S = 1.0
LONGEST_DELAY_S = 2.0
JITTER = 0.25
"""A delay grows by up to this part of itself, so that streams that failed together do not return together."""
SPACING_S = 0.25
"""Between two attempts under one key after the server said that there are too many."""
LONGEST_RETRY_AFTER_S = 60.0
"""A server that wants to be left alone for longer than this has refused: nobody waits so long in a call."""
RATE_LIMITED_S = 1.0
"""How long a key is left alone after a 429 that names no time."""
LONGEST_PAUSE_S = 60.0
"""How long it is left alone at most, whatever time a 429 names: that was said to one stream, and all wait."""
PROBE_EVERY_S = 5.0
"""How often a server is asked all the same that wants to be left alone for longer than any call can wait."""
FINAL_STATUSES = frozenset({401, 402, 403, 404})
"""In a call, what the server itself says with one of these will not pass: no key, no money, no right, no endpoint."""
STEADY_AFTER_S = 5.0
"""A socket that served so long, or brought a whole turn, counts as a success: the next failure is a new one."""
HUNG = (HangUp.NOT_CONNECTED, HangUp.DEAD, HangUp.STALLED)
"""A server that hangs: a failure, so that whoever has another STT at hand hears of it in the end."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the end of a socket means for the next one."""

    lasted: bool
    """It counts as a success, whatever it ended with."""
    at_once: bool
    """There is nothing to wait for: it was not wanted any more, or it was lost after it had lasted."""


def judge(hang_up: HangUp | None, connected_s: float, *, is_drop: bool) -> Verdict:
    """Judges a socket by its end.

    Args:
        hang_up: why it was closed from this side, if it was.
        connected_s: how long it was open, in seconds; 0 without a `connected`.
        is_drop: it was lost, without a word of what was wrong.
    """
    served_s = connected_s - DEAD_AFTER_S if hang_up is HangUp.DEAD else connected_s
    # A server that can't get through a turn is no better for the time in which it had none.
    lasted = served_s >= STEADY_AFTER_S and hang_up is not HangUp.STALLED
    return Verdict(lasted, hang_up not in HUNG if hang_up else is_drop and lasted)


def may_try_again(*, retryable: bool, in_call: bool, from_outside: bool, vendors_status: int | None) -> bool:
    """Whether another attempt makes sense after a failed one.

    A call that was connected has shown that address, key and settings are right. An odd answer to its next handshake is
    then somebody's in between, or a mistake that passes, unless the server itself says otherwise.

    Args:
        retryable: what the failure alone says.
        in_call: a connection of this stream has been served before.
        from_outside: it is an answer to a handshake (also an error in place of `connected`), or the lack of one.
        vendors_status: the status of an answer that was the server's own, by its fields.
    """
    return retryable or (in_call and from_outside and vendors_status not in FINAL_STATUSES)


class RetryPolicy:
    """Decides after each failed attempt whether and when to try again. All times are monotonic seconds.

    Args:
        max_retry: failed attempts in a row that are followed by another one, whatever time they took.
        patience_s: for how long attempts go on beyond that. The last one is made as this runs out.
    """

    def __init__(self, max_retry: int, patience_s: float) -> None:
        self._max_retry = max_retry
        self._patience_s = patience_s
        self._failures = self._forgiven = 0
        self._failing_since: float | None = None
        self._last_at = -math.inf

    def succeeded(self) -> None:
        """A connection was made: the count starts over."""
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
            retry_after_s: what the server asked for, in seconds.
            forgiven: no reason to give up, however often it happens; the next attempts are spaced all the same.
            in_call: a connection has been served before. A server that wants to be left alone for longer than patience
                lasts is then asked every PROBE_EVERY_S, and is taken for one that has refused only otherwise.

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
                # Whoever has no patience left, or never had any, has another STT at hand.
                if not in_call or self._patience_s - failing_s < PROBE_EVERY_S:
                    return None
                retry_after_s = PROBE_EVERY_S
            delay_s = max(delay_s, retry_after_s * spread)
        left_s = self._failing_since + self._patience_s - now
        if self._failures <= self._max_retry or delay_s <= left_s:
            return delay_s
        return left_s if left_s >= FIRST_DELAY_S and retry_after_s is None else None

    def _spacing_s(self, now: float) -> float:
        """The first attempt after a success follows soon, unless the last failure was a moment ago."""
        before, since_s = self._failures + self._forgiven, now - self._last_at
        self._last_at = now
        if not before:
            return FIRST_DELAY_S if since_s >= LATER_DELAY_S else LATER_DELAY_S
        return min(LATER_DELAY_S * 2.0 ** min(before - 1, 8), LONGEST_DELAY_S)

    def _longest_retry_after_s(self, failing_s: float) -> float:
        """What a server may ask for after so many seconds of failures: what patience allows, or an ordinary delay."""
        return min(max(self._patience_s - failing_s, LONGEST_DELAY_S), LONGEST_RETRY_AFTER_S)


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
