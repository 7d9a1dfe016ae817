"""When attempts follow each other: fast once, then a second apart at least, and spaced under one key after a 429.

What a socket's end means for the next one comes first.
"""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core.link import HangUp
from livekit.plugins.cartesia_turns.core.liveness import DEAD_AFTER_S
from livekit.plugins.cartesia_turns.core.retry import (
    JITTER,
    LONGEST_DELAY_S,
    LONGEST_PAUSE_S,
    PROBE_EVERY_S,
    RATE_LIMITED_S,
    SPACING_S,
    STEADY_AFTER_S,
    ConnectLimiter,
    RetryPolicy,
    Verdict,
    judge,
    may_try_again,
)

LATER_S = STEADY_AFTER_S + DEAD_AFTER_S


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
        # What it says on an open socket is its own, and what went wrong on this side stays.
        (False, True, False, 409, False),
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


def delays(policy: RetryPolicy, count: int, *, jitter: float = 0.0, now: float = 0.0) -> list[float | None]:
    """The delays after so many failed attempts that take no time."""
    given_out: list[float | None] = []
    for _ in range(count):
        delay_s = policy.delay_after_failure(now, jitter=jitter)
        given_out.append(delay_s)
        now += delay_s or 0
    return given_out


def test_the_schedule_is_one_quick_attempt_and_then_an_exponential_one() -> None:
    assert delays(RetryPolicy(99, 0), 7) == [0.1, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0]


@given(st.lists(st.floats(0, 1), min_size=3, max_size=100))
def test_after_the_first_two_there_is_at_most_one_attempt_a_second(jitters: list[float]) -> None:
    policy, now, attempts = RetryPolicy(1000, 0), 0.0, [0.0]
    for jitter in jitters:
        delay_s = policy.delay_after_failure(now, jitter=jitter)
        assert delay_s is not None
        assert delay_s <= LONGEST_DELAY_S * (1 + JITTER)
        now += delay_s
        attempts.append(now)
    assert all(later - earlier > 1.0 - 1e-9 for earlier, later in itertools.pairwise(attempts[1:]))


def test_jitter_only_lengthens_a_delay() -> None:
    assert delays(RetryPolicy(9, 0), 2, jitter=1.0) == [0.1 * (1 + JITTER), 1 + JITTER]


def test_a_connection_starts_the_count_over() -> None:
    policy = RetryPolicy(1, 0)
    assert delays(policy, 1) == [0.1]
    policy.succeeded()
    assert delays(policy, 2, now=50.0) == [0.1, None]


def test_a_success_in_between_brings_the_next_two_attempts_no_nearer_to_each_other() -> None:
    policy = RetryPolicy(9, 0)
    assert delays(policy, 1) == [0.1]
    policy.succeeded()
    assert delays(policy, 1, now=0.5) == [1.0]
    policy.succeeded()
    assert delays(policy, 1, now=2.0) == [0.1]


def test_failures_that_are_forgiven_are_spaced_and_never_given_up_on() -> None:
    policy, now = RetryPolicy(1, 0), 0.0
    for expected_s in (0.1, 1.0, 2.0, 2.0):
        assert policy.delay_after_failure(now, jitter=0.0, forgiven=True) == expected_s
        now += 100.0
    assert policy.delay_after_failure(now, jitter=0.0) == 2.0
    assert policy.delay_after_failure(now, jitter=0.0) is None


@given(st.floats(0, 60), st.floats(0, 1))
def test_the_server_is_asked_again_no_sooner_than_it_says(retry_after_s: float, jitter: float) -> None:
    delay_s = RetryPolicy(3, 60).delay_after_failure(0.0, jitter=jitter, retry_after_s=retry_after_s)
    assert delay_s is not None
    assert delay_s >= max(retry_after_s, 0.1)


def test_a_server_that_wants_to_be_left_alone_for_very_long_has_refused() -> None:
    assert RetryPolicy(9, 900).delay_after_failure(0.0, jitter=0.0, retry_after_s=60.0) == 60.0
    assert RetryPolicy(9, 900).delay_after_failure(0.0, jitter=0.0, retry_after_s=3600.0) is None


@pytest.mark.parametrize(
    ("patience_s", "failing_s", "retry_after_s", "waits"),
    [
        (0.0, 0.0, LONGEST_DELAY_S, True),
        (0.0, 0.0, 30.0, False),
        (0.0, 5.0, LONGEST_DELAY_S, True),
        (20.0, 0.0, 20.0, True),
        (20.0, 0.0, 20.1, False),
        (20.0, 10.0, 10.0, True),
        (20.0, 10.0, 10.1, False),
        (20.0, 99.0, 3.0, False),
    ],
)
def test_a_server_that_wants_to_be_left_alone_for_longer_than_patience_lasts_has_refused(
    *, patience_s: float, failing_s: float, retry_after_s: float, waits: bool
) -> None:
    policy = RetryPolicy(9, patience_s)
    policy.delay_after_failure(0.0, jitter=0.0)
    delay_s = policy.delay_after_failure(failing_s, jitter=0.0, retry_after_s=retry_after_s)
    assert delay_s == (retry_after_s if waits else None)


def test_it_gives_up_after_the_retries_and_not_before_patience_runs_out() -> None:
    assert delays(RetryPolicy(0, 0), 1) == [None]
    assert delays(RetryPolicy(3, 0), 4) == [0.1, 1.0, 2.0, None]
    assert delays(RetryPolicy(3, 6), 7) == [0.1, 1.0, 2.0, 2.0, pytest.approx(0.9), None, None]
    assert None not in delays(RetryPolicy(0, math.inf), 100)


@pytest.mark.parametrize("jitter", [0.0, 1.0])
@pytest.mark.parametrize("patience_s", [0.5, 1.0, 2.0, 3.0, 5.0])
def test_the_last_attempt_without_retries_is_made_as_patience_runs_out(patience_s: float, jitter: float) -> None:
    given_out = delays(RetryPolicy(0, patience_s), 9, jitter=jitter)
    waits = [delay_s for delay_s in given_out if delay_s is not None]
    assert given_out[len(waits) :] == [None] * (9 - len(waits)), "it gives up once and for all"
    assert patience_s - 0.1 <= sum(waits) <= patience_s + 1e-9


def test_a_server_that_asks_for_more_time_than_is_left_is_not_asked_sooner() -> None:
    policy = RetryPolicy(0, 3)
    assert policy.delay_after_failure(0.0, jitter=0.0, retry_after_s=2.0) == 2.0
    assert policy.delay_after_failure(2.0, jitter=0.0, retry_after_s=2.0) is None


def test_a_limiter_that_met_no_429_delays_nobody() -> None:
    limiter = ConnectLimiter()
    assert [limiter.reserve(1.0) for _ in range(100)] == [0.0] * 100


@pytest.mark.parametrize(("retry_after_s", "wait_s"), [(None, RATE_LIMITED_S), (7.0, 7.0), (0.0, 0.0)])
def test_after_a_429_attempts_line_up_behind_the_time_it_named(retry_after_s: float | None, wait_s: float) -> None:
    limiter = ConnectLimiter()
    limiter.rate_limited(100.0, retry_after_s)
    assert [limiter.reserve(100.0) for _ in range(4)] == [wait_s + SPACING_S * place for place in range(4)]


def test_a_second_429_never_moves_the_row_forward() -> None:
    limiter = ConnectLimiter()
    limiter.rate_limited(100.0, 10.0)
    limiter.rate_limited(101.0, 1.0)
    assert limiter.reserve(101.0) == 9.0


def test_a_place_that_would_be_waited_for_too_long_is_not_taken() -> None:
    limiter = ConnectLimiter()
    limiter.rate_limited(100.0, 5.0)
    assert [limiter.reserve(100.0, 4.9) for _ in range(3)] == [5.0] * 3
    assert limiter.reserve(100.0, 5.0) == 5.0
    assert limiter.reserve(100.0, 5.0) == 5.0 + SPACING_S


@pytest.mark.parametrize("retry_after_s", [LONGEST_PAUSE_S + 1, math.inf])
def test_no_429_closes_a_key_for_ever(retry_after_s: float) -> None:
    limiter = ConnectLimiter()
    limiter.rate_limited(100.0, retry_after_s)
    assert limiter.reserve(100.0) == LONGEST_PAUSE_S


def test_a_stream_in_mid_turn_is_let_through_a_pause_that_others_wait_for() -> None:
    limiter = ConnectLimiter()
    limiter.rate_limited(100.0, 3600.0)
    assert [limiter.reserve(100.0, 10.0, urgent=True) for _ in range(3)] == [0.0, SPACING_S, 2 * SPACING_S]
    assert limiter.reserve(100.0) == LONGEST_PAUSE_S


def test_in_a_pause_that_nobody_can_wait_for_one_attempt_is_let_through_every_few_seconds() -> None:
    limiter = ConnectLimiter()
    limiter.rate_limited(100.0, 3600.0)
    assert [limiter.reserve(100.0, 10.0) for _ in range(3)] == [0.0, PROBE_EVERY_S, 2 * PROBE_EVERY_S]
    assert limiter.reserve(100.0, 10.0) == 3 * PROBE_EVERY_S  # too far off: not taken
    limiter.rate_limited(105.0, 3600.0)
    assert limiter.reserve(105.0, 10.0) == 2 * PROBE_EVERY_S


def test_a_pause_that_a_call_can_wait_for_is_kept_by_all_that_are_not_in_mid_turn() -> None:
    limiter = ConnectLimiter()
    limiter.rate_limited(100.0, 30.0)
    assert [limiter.reserve(100.0, 10.0) for _ in range(3)] == [30.0] * 3


def test_a_connection_that_is_made_ends_the_pause_and_not_the_spacing() -> None:
    limiter = ConnectLimiter()
    limiter.rate_limited(100.0, 3600.0)
    limiter.opened(105.0)
    assert [limiter.reserve(105.0, 10.0) for _ in range(3)] == [SPACING_S, 2 * SPACING_S, 3 * SPACING_S]


def test_the_limit_ends_when_the_row_is_empty() -> None:
    limiter = ConnectLimiter()
    limiter.rate_limited(100.0, 1.0)
    assert limiter.reserve(100.0) == 1.0
    assert [limiter.reserve(110.0) for _ in range(3)] == [0.0] * 3


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.sampled_from([None, 0.0, 1.0, 5.0, 30.0, 60.0]))
def test_streams_that_come_back_each_in_its_time_are_spaced_too(jitters: list[float], retry_after_s: float) -> None:
    limiter, coming = ConnectLimiter(), []
    for jitter in jitters:
        limiter.rate_limited(0.0, retry_after_s)
        delay_s = RetryPolicy(3, 90).delay_after_failure(0.0, jitter=jitter, retry_after_s=retry_after_s)
        assert delay_s is not None
        coming.append(delay_s)
    attempts = [at + limiter.reserve(at) for at in sorted(coming)]
    assert all(later - earlier > SPACING_S - 1e-9 for earlier, later in itertools.pairwise(attempts))


@given(st.lists(st.floats(0, 0.3), min_size=2, max_size=50), st.floats(1, 5))
def test_attempts_of_a_limited_key_are_spaced_however_they_come(waits: list[float], retry_after_s: float) -> None:
    limiter, now, attempts = ConnectLimiter(), 0.0, []
    limiter.rate_limited(now, retry_after_s)
    for wait_s in waits:
        now += wait_s
        attempts.append(now + limiter.reserve(now))
    assert attempts[0] > retry_after_s - 1e-9
    assert all(later - earlier > SPACING_S - 1e-9 for earlier, later in itertools.pairwise(attempts))
