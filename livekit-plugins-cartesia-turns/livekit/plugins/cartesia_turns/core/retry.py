"""Whether and when to try again after the end of a socket, or of the attempt to open one: `decide`.

It asks three questions: what the end says about the server (`judge`), whether another attempt makes sense
(`may_try_again`), and how long to wait before it, given the attempts so far (`RetryPolicy`).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

from .backoff import RetryPolicy
from .link import HangUp
from .liveness import DEAD_AFTER_S

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
    """It is of the server or of the way to it, and not of this side's own arguments or code."""
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
    """The next socket leaves out what this one failed for: options, or speed. This can happen only a few times."""
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

    A stream that was connected once has shown that address, key and settings are right. An odd error on its socket, or
    in answer to its next handshake, is then a passing mistake, unless the server says that waiting will not help.

    Args:
        retryable: the failure by itself may pass.
        in_call: the server has said `connected` to this stream before.
        from_outside: it is of the server or of the way to it.
        vendors_status: the status of the answer, if its fields show that it was the server's own.
    """
    return retryable or (in_call and from_outside and vendors_status not in FINAL_STATUSES)
