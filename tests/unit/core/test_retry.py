"""When attempts follow each other: fast once, then a second apart at least.

What a socket's end means for the next one comes first.
"""

from __future__ import annotations

import math

import pytest
from livekit.plugins.cartesia_turns.core.backoff import PROBE_EVERY_S, RetryPolicy
from livekit.plugins.cartesia_turns.core.link import HangUp
from livekit.plugins.cartesia_turns.core.liveness import DEAD_AFTER_S
from livekit.plugins.cartesia_turns.core.retry import (
    STEADY_AFTER_S,
    Ending,
    Failure,
    Verdict,
    decide,
    judge,
    may_try_again,
)

LATER_S = STEADY_AFTER_S + DEAD_AFTER_S
DROP = Failure(is_drop=True, from_outside=True)
CLEAN = Failure(is_drop=True, is_clean=True, from_outside=True)
BUSY = Failure(vendors_status=503)
REFUSED = Failure(retryable=False, vendors_status=400)
NO_KEY = Failure(retryable=False, from_outside=True, vendors_status=401)
NOBODY = Failure(from_outside=True)
ODD = Failure(retryable=False, from_outside=True)


def decided(ending: Ending, *, max_retry: int = 0) -> tuple[float | None, bool]:
    """The delay after a first failure of a stream, and whether it is told."""
    decision = decide(ending, RetryPolicy(max_retry, 0.0), 100.0, jitter=0.0)
    return decision.delay_s, decision.is_told


@pytest.mark.parametrize(
    ("ending", "delay_s", "is_told"),
    [
        # The attempt to open a socket failed.
        (Ending(NOBODY), 0.1, True),
        (Ending(ODD), None, True),
        (Ending(ODD, in_call=True), 0.1, True),
        (Ending(NO_KEY, in_call=True), None, True),
        (Ending(REFUSED, with_less=True, is_idle=True), 0.0, True),
        # The server reported an error.
        (Ending(BUSY, connected_s=1.0, in_call=True), 0.1, True),
        (Ending(BUSY, connected_s=LATER_S, in_call=True), 0.1, True),
        (Ending(REFUSED, connected_s=LATER_S, in_call=True), None, True),
        (Ending(REFUSED, connected_s=1.0, in_call=True, with_less=True), 0.0, True),
        (Ending(REFUSED, connected_s=1.0, in_call=True, with_less=True, is_idle=True), 0.1, True),
        # A socket was lost: between turns that is no error, in a turn it is told by itself where it costs no wait.
        (Ending(DROP), 0.1, True),
        (Ending(DROP, connected_s=1.0, in_call=True), 0.1, False),
        (Ending(DROP, connected_s=1.0, in_call=True, in_turn=True), 0.1, True),
        (Ending(DROP, connected_s=LATER_S, in_call=True, in_turn=True), 0.0, False),
        (Ending(DROP, connected_s=1.0, in_call=True, in_turn=True, with_less=True), 0.0, False),
        (Ending(DROP, connected_s=1.0, in_call=True, with_less=True, is_idle=True), 0.1, False),
        # This side gave it up.
        (Ending(hang_up=HangUp.ROTATE, connected_s=1.0, in_call=True), 0.0, False),
        (Ending(DROP, HangUp.ROTATE, 1.0, in_call=True), 0.0, False),
        (Ending(hang_up=HangUp.NOT_CONNECTED), 0.1, True),
        (Ending(hang_up=HangUp.DEAD, connected_s=LATER_S, in_call=True), 0.1, True),
        (Ending(DROP, HangUp.DEAD, LATER_S, in_call=True), 0.1, True),
        (Ending(REFUSED, HangUp.STALLED, LATER_S, in_call=True), 0.1, True),
        # All has come, unless the server has refused to hear it.
        (Ending(DROP, connected_s=1.0, in_call=True, is_over=True), 0.0, False),
        (Ending(REFUSED, connected_s=1.0, in_call=True, is_over=True), 0.0, False),
        (Ending(REFUSED, is_over=True), None, True),
        (Ending(hang_up=HangUp.DRAINED, connected_s=1.0, in_call=True, is_over=True), 0.0, False),
    ],
)
def test_an_ending_decides_what_follows(ending: Ending, delay_s: float | None, *, is_told: bool) -> None:
    assert decided(ending, max_retry=1) == (delay_s, is_told)


@pytest.mark.parametrize(
    ("ending", "delay_s"),
    [
        (Ending(NOBODY), None),
        (Ending(CLEAN, connected_s=1.0, in_call=True), None),
        (Ending(CLEAN, connected_s=1.0, in_call=True, is_idle=True), 0.1),
        (Ending(DROP, connected_s=1.0, in_call=True, is_idle=True), None),
        (Ending(REFUSED, connected_s=1.0, in_call=True, is_idle=True, with_less=True), 0.1),
        (Ending(CLEAN, HangUp.DEAD, 1.0, in_call=True, is_idle=True), None),
        (Ending(DROP, connected_s=LATER_S, in_call=True), 0.0),
    ],
)
def test_where_no_failure_is_to_be_retried_only_what_costs_nobody_anything_is(
    ending: Ending, delay_s: float | None
) -> None:
    assert decided(ending)[0] == delay_s


def test_a_decision_leaves_the_history_it_goes_by_as_it_was() -> None:
    history = RetryPolicy(9, 0.0)
    first = decide(Ending(NOBODY), history, 100.0, jitter=0.0)
    assert decide(Ending(NOBODY), history, 100.0, jitter=0.0).delay_s == first.delay_s == 0.1
    assert decide(Ending(NOBODY), first.history, 100.1, jitter=0.0).delay_s == 1.0


def test_a_socket_that_lasted_starts_the_count_over() -> None:
    history = RetryPolicy(1, 0.0)
    waits: list[float | None] = []
    for at, served_s in enumerate((0.0, LATER_S, 0.0)):
        ending = Ending(BUSY, connected_s=served_s, in_call=True)
        decision = decide(ending, history, 100.0 * at, jitter=0.0)
        waits.append(decision.delay_s)
        history = decision.history
    assert waits == [0.1, 0.1, None]


def test_what_a_server_asks_for_is_waited_for() -> None:
    decision = decide(Ending(Failure(retry_after_s=7.0)), RetryPolicy(3, 20.0), 0.0, jitter=0.0)
    assert (decision.delay_s, decision.is_told) == (7.0, True)


@pytest.mark.parametrize(
    ("hang_up", "connected_s", "is_drop", "lasted", "at_once"),
    [
        # Lost, or told what was wrong.
        (None, 0.0, True, False, False),
        (None, 4.9, True, False, False),
        (None, 5.0, True, True, True),
        (None, 4.9, False, False, False),
        (None, 5.0, False, True, False),
        # Given up by this side without a fault of the server's.
        (HangUp.ROTATE, 0.0, False, False, True),
        (HangUp.ROTATE, 5.0, False, True, True),
        (HangUp.DRAINED, 0.0, False, False, True),
        (HangUp.DRAINED, 5.0, True, True, True),
        # The server hangs. The time in which it was silent, or had no turn to get through, speaks for nothing.
        (HangUp.NOT_CONNECTED, 0.0, False, False, False),
        (HangUp.DEAD, 0.0, False, False, False),
        (HangUp.DEAD, DEAD_AFTER_S, True, False, False),
        (HangUp.DEAD, LATER_S - 0.1, False, False, False),
        (HangUp.DEAD, LATER_S, False, True, False),
        (HangUp.STALLED, 5.0, False, False, False),
        (HangUp.STALLED, 3600.0, True, False, False),
    ],
)
def test_the_end_of_a_socket_is_judged_by_who_ended_it_and_how_long_it_served(
    *, hang_up: HangUp | None, connected_s: float, is_drop: bool, lasted: bool, at_once: bool
) -> None:
    assert judge(hang_up, connected_s, is_drop=is_drop) == Verdict(lasted, at_once)


@pytest.mark.parametrize(
    ("retryable", "in_call", "from_outside", "vendors_status", "again"),
    [
        (True, False, True, 503, True),
        (True, True, False, 503, True),
        # Before a call has begun, what does not pass by itself surfaces at once.
        (False, False, True, None, False),
        (False, False, True, 401, False),
        # In a call, the server alone can end it.
        (False, True, True, None, True),
        (False, True, True, 409, True),
        *[(False, True, True, status, False) for status in (401, 402, 403, 404)],
        # What went wrong on this side stays.
        (False, True, False, None, False),
    ],
)
def test_a_call_that_was_connected_is_ended_by_nothing_but_the_servers_own_word(
    *, retryable: bool, in_call: bool, from_outside: bool, vendors_status: int | None, again: bool
) -> None:
    assert (
        may_try_again(retryable=retryable, in_call=in_call, from_outside=from_outside, vendors_status=vendors_status)
        == again
    )


def test_a_call_waits_for_no_server_that_wants_to_be_left_alone_for_longer_than_it_can_bear() -> None:
    policy = RetryPolicy(2, 20)
    assert policy.delay_after_failure(0.0, jitter=0.0, retry_after_s=3600.0, in_call=True) == PROBE_EVERY_S
    assert policy.delay_after_failure(5.0, jitter=0.0, retry_after_s=8.0, in_call=True) == 8.0
    assert policy.delay_after_failure(14.0, jitter=0.0, retry_after_s=math.inf, in_call=True) == PROBE_EVERY_S
    assert policy.delay_after_failure(19.0, jitter=0.0, retry_after_s=3600.0, in_call=True) is None


def test_a_call_whose_failures_are_to_surface_soon_does_not_wait_for_such_a_server() -> None:
    assert RetryPolicy(1, 0).delay_after_failure(0.0, jitter=0.0, retry_after_s=30.0, in_call=True) is None
