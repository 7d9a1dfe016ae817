"""How long to wait before the next attempt, and when to give up."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core.backoff import JITTER, LONGEST_DELAY_S, RetryPolicy


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
