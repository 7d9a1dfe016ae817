"""Whether and when to try again after the end of a socket, or of the attempt to open one: `decide`.

It asks three questions: what the end says about the server (`judge`), whether another attempt makes sense
(`may_try_again`), and how long to wait before it, given the attempts so far (`RetryPolicy`).
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

from .link import HangUp
from .liveness import DEAD_AFTER_S

FIRST_DELAY_S = 0.1
LATER_DELAY_S = 1.0
LONGEST_DELAY_S = 2.0
JITTER = 0.25
"""A delay grows by up to this part of itself, so that streams that failed together do not return together."""
LONGEST_RETRY_AFTER_S = 60.0
"""A server that asks for a longer pause than this has refused, since no call waits so long."""
PROBE_EVERY_S = 5.0
"""How often a server is tried all the same that asked for a longer pause than the call can wait."""
FINAL_STATUSES = frozenset({401, 402, 403, 404})
"""If the server itself answers a call with one of these, waiting will not help: no key, money, right or endpoint."""
STEADY_AFTER_S = 5.0
"""A socket that served this long, or brought a whole turn, counts as a success: failures are counted anew after it."""
HUNG = (HangUp.NOT_CONNECTED, HangUp.DEAD, HangUp.STALLED)
"""Reasons that count as a failure of the server, so that a user with another STT at hand can switch in the end."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What was wrong with a socket, or with the attempt to open one."""

    retryable: bool = True
    """It may pass by itself."""
    is_drop: bool = False
    """The socket was closed or lost, and nobody said what was wrong."""
    is_clean: bool = False
    """The server closed it in the ordinary way."""
    from_outside: bool = False
    """It is the answer to a handshake, an error in place of `connected`, or the lack of an answer."""
    vendors_status: int | None = None
    """The status of the answer, if its fields show that it was the server's own."""
    retry_after_s: float | None = None
    """For how many seconds the server asked not to be called again."""


HANGS = Failure(from_outside=True)
"""The failure of a server that hangs."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a socket, or of the attempt to open one, and how the stream stands after it."""

    failure: Failure | None = None
    hang_up: HangUp | None = None
    """Why the client closed it, if it did."""
    connected_s: float = 0.0
    """How long it was open, in seconds; 0 without a `connected`."""
    in_call: bool = False
    """The server has said `connected` to this stream, on this socket or on one before."""
    in_turn: bool = False
    """A turn is open."""
    is_idle: bool = False
    """No turn is open and no speech waits for one."""
    with_less: bool = False
    """The next socket leaves out what this one failed for: options, or speed. That can't go on without end."""
    is_over: bool = False
    """The input has ended and no more events can come of it."""

    @property
    def needs_no_other(self) -> bool:
        """No other socket is needed: no more events can come, and the server did not refuse to serve the stream."""
        is_refusal = self.failure is not None and not self.failure.retryable and not self.connected_s
        return self.is_over and not is_refusal


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows an ending."""

    delay_s: float | None
    """Seconds to wait before the next attempt, 0 to make it at once; None to give up."""
    is_told: bool
    """The user of the stream is told of a failed attempt."""
    history: RetryPolicy
    """The attempts so far, for the next decision."""


def decide(ending: Ending, history: RetryPolicy, now: float, *, jitter: float) -> Decision:
    """Decides what follows an ending. It changes none of its arguments.

    Args:
        ending: what happened.
        history: the attempts before, as the last decision left it.
        now: the present, in monotonic seconds.
        jitter: random, from 0 to 1.
    """
    history = copy.copy(history)
    is_drop = ending.failure is not None and ending.failure.is_drop
    verdict = judge(ending.hang_up, ending.connected_s, is_drop=is_drop)
    if verdict.lasted:
        history.succeeded()
    if ending.needs_no_other:
        return Decision(0.0, is_told=False, history=history)
    # A server that closes a connected socket while nobody speaks may have another reason than the speed. Nobody waits
    # for the next socket then, so the ordinary delay applies.
    if ending.with_less and not (ending.connected_s and ending.is_idle):
        return Decision(0.0, is_told=not is_drop, history=history)
    if verdict.at_once:
        return Decision(0.0, is_told=False, history=history)
    delay_s = _delay_s(ending, history, now, jitter)
    # The user does not notice the loss of a connected socket between turns.
    is_harmless = is_drop and not ending.hang_up and ending.connected_s and not ending.in_turn
    return Decision(delay_s, is_told=delay_s is None or not is_harmless, history=history)


def _delay_s(ending: Ending, history: RetryPolicy, now: float, jitter: float) -> float | None:
    failure = ending.failure if ending.failure and not ending.hang_up else HANGS
    retryable = failure.retryable or ending.with_less
    outside, status = failure.from_outside, failure.vendors_status
    if not may_try_again(retryable=retryable, in_call=ending.in_call, from_outside=outside, vendors_status=status):
        return None
    return history.delay_after_failure(
        now,
        jitter=jitter,
        retry_after_s=failure.retry_after_s,
        # A server may close idle sockets as often as it likes, since no speech is missed.
        forgiven=ending.with_less or (failure.is_clean and ending.is_idle),
        in_call=ending.in_call,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the end of a socket means for the next one."""

    lasted: bool
    """The socket counts as a success, however it ended."""
    at_once: bool
    """The next attempt needs no delay: the client closed the socket, or it was lost after it had lasted."""


def judge(hang_up: HangUp | None, connected_s: float, *, is_drop: bool) -> Verdict:
    """Judges a socket by its end.

    Args:
        hang_up: why the client closed it, if it did.
        connected_s: how long it was open, in seconds; 0 without a `connected`.
        is_drop: it was closed or lost, and nobody said what was wrong.
    """
    served_s = connected_s - DEAD_AFTER_S if hang_up is HangUp.DEAD else connected_s
    # A server that stalls in a turn has failed, however long the socket was open before that turn.
    lasted = served_s >= STEADY_AFTER_S and hang_up is not HangUp.STALLED
    return Verdict(lasted, hang_up not in HUNG if hang_up else is_drop and lasted)


def may_try_again(*, retryable: bool, in_call: bool, from_outside: bool, vendors_status: int | None) -> bool:
    """Whether another attempt makes sense after a failed one.

    A stream that was connected once has shown that address, key and settings are right. An odd answer to its next
    handshake then comes from something in between, or is a passing mistake, unless the server itself says otherwise.

    Args:
        retryable: the failure by itself may pass.
        in_call: the server has said `connected` to this stream before.
        from_outside: it is the answer to a handshake, an error in place of `connected`, or the lack of an answer.
        vendors_status: the status of the answer, if its fields show that it was the server's own.
    """
    return retryable or (in_call and from_outside and vendors_status not in FINAL_STATUSES)


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
