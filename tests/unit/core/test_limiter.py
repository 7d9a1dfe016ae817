"""Attempts under one key are spaced once the server has answered 429."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core.backoff import PROBE_EVERY_S, RetryPolicy
from livekit.plugins.cartesia_turns.core.limiter import LONGEST_PAUSE_S, RATE_LIMITED_S, SPACING_S, ConnectLimiter


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
