"""Silence goes out when audio stops in mid-turn: never early, as much as is missing, at real-time pace."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core.timeouts import (
    GIVE_UP_AFTER_S,
    LATE_LOOK_S,
    LONGEST_EXTRA_S,
    LOOK_S,
    MOST_LOOKS,
    PACE_S,
    RESCUE_LINKED_S,
    RESCUE_S,
    DeafRule,
    RescueRule,
    StallRule,
    Watchdog,
)


def watching(frame_s: float = 0.02, min_timeout_s: float = 0.5, now: float = 10.0) -> Watchdog:
    watchdog = Watchdog(min_timeout_s)
    watchdog.audio_sent(frame_s, now)
    return watchdog


def look(watchdog: Watchdog) -> None:
    """The first look of a gap, in time."""
    assert watchdog.postpone(watchdog.deadline())


@pytest.mark.parametrize(("frame_s", "min_timeout_s", "wait_s"), [(0.02, 0.5, 0.5), (0.4, 0.5, 0.8), (1, 3, 3)])
def test_the_wait_is_the_timeout_or_twice_the_last_frame(frame_s: float, min_timeout_s: float, wait_s: float) -> None:
    watchdog = watching(frame_s, min_timeout_s)
    look(watchdog)
    assert watchdog.deadline() == pytest.approx(10 + wait_s)
    assert watchdog.due_s(10 + wait_s - 0.001) == 0
    assert watchdog.due_s(10 + wait_s) == pytest.approx(wait_s)


@given(
    st.floats(0.01, 3),
    st.floats(0.001, 3),
    st.lists(st.floats(0, LONGEST_EXTRA_S), min_size=1, max_size=60),
)
def test_silence_is_never_early_and_sums_to_the_gap(min_timeout_s: float, frame_s: float, delays: list[float]) -> None:
    watchdog, now = watching(frame_s, min_timeout_s, 0.0), 0.0
    look(watchdog)
    for delay_s in delays:
        now = watchdog.deadline() + delay_s
        due_s = watchdog.due_s(now)
        assert due_s > 0
        watchdog.silence_sent(due_s, now)
        assert watchdog.silence_s <= now + 1e-9
        assert watchdog.silence_s == pytest.approx(now)
    assert now >= max(min_timeout_s, 2 * frame_s)


def test_after_the_gap_silence_goes_out_at_the_pace_of_real_time() -> None:
    watchdog = watching()
    look(watchdog)
    watchdog.silence_sent(0.5, 10.5)
    for _ in range(20):
        now = watchdog.deadline()
        watchdog.silence_sent(watchdog.due_s(now), now)
    assert watchdog.deadline() == pytest.approx(10.5 + 21 * PACE_S)
    assert watchdog.silence_s == pytest.approx(0.5 + 20 * PACE_S)


def test_a_process_that_was_held_up_sends_no_flood() -> None:
    assert watching().due_s(1000.0) == 0.5 + LONGEST_EXTRA_S


def test_silence_goes_out_in_time_after_a_look_that_found_the_process_running() -> None:
    watchdog = watching()
    assert watchdog.deadline() == 10.5 - LOOK_S
    assert watchdog.postpone(10.5 - LOOK_S)
    assert watchdog.deadline() == 10.5
    assert not watchdog.postpone(10.5)
    assert not watchdog.postpone(10.5 + 0.9 * LATE_LOOK_S)


def test_a_look_that_is_late_is_followed_by_another_so_many_times_in_a_gap() -> None:
    watchdog, now = watching(), 10.45
    for _ in range(MOST_LOOKS):
        now += 0.2
        assert watchdog.postpone(now)
        assert watchdog.deadline() == now + LOOK_S
    assert not watchdog.postpone(15.0)
    assert watchdog.due_s(15.0) == 0.5 + LONGEST_EXTRA_S
    watchdog.audio_sent(0.02, 20.0)
    assert watchdog.deadline() == 20.5 - LOOK_S
    assert watchdog.postpone(21.0)
    assert watchdog.postpone(21.0 + LOOK_S + LATE_LOOK_S)


def test_silence_that_goes_out_already_waits_too_where_a_look_is_late() -> None:
    watchdog = watching()
    look(watchdog)
    watchdog.silence_sent(0.5, 10.5)
    assert not watchdog.postpone(10.5 + PACE_S)
    assert watchdog.postpone(10.9)
    assert watchdog.deadline() == 10.9 + LOOK_S
    assert watchdog.due_s(10.9 + LOOK_S) == pytest.approx(0.4 + LOOK_S)


def test_audio_that_comes_back_stops_it() -> None:
    watchdog = watching()
    watchdog.silence_sent(0.5, 10.5)
    watchdog.audio_sent(0.02, 10.6)
    assert watchdog.silence_s == 0
    assert watchdog.deadline() == 11.1 - LOOK_S


def test_audio_that_is_not_booked_yet_puts_off_the_next_look_as_it_will_once_it_is() -> None:
    watchdog = watching()
    watchdog.silence_sent(0.5, 10.5)
    assert watchdog.postpone(10.6)
    before = watchdog.deadline(live_at=10.7)
    watchdog.audio_sent(0.02, 10.7)
    assert before == watchdog.deadline() == 11.2 - LOOK_S


def test_a_turn_that_opens_where_no_audio_went_out_is_given_silence_soon_and_not_of_an_endless_gap() -> None:
    watchdog = Watchdog(0.5)
    watchdog.turn_opened(10.0)
    assert watchdog.postpone(10.0)
    assert watchdog.deadline() == 10.0 + LOOK_S
    assert watchdog.due_s(10.0 + LOOK_S) == pytest.approx(0.5 + LOOK_S)


def test_a_turn_that_opens_while_audio_flows_changes_nothing() -> None:
    watchdog = watching()
    watchdog.turn_opened(10.2)
    assert watchdog.deadline() == 10.5 - LOOK_S


def test_it_gives_up_a_second_after_the_server_should_have_ended_the_turn() -> None:
    watchdog = watching()
    watchdog.silence_sent(5.6 + GIVE_UP_AFTER_S - 0.1, 17.0)
    assert not watchdog.gives_up(5.6)
    watchdog.silence_sent(0.1, 17.1)
    assert watchdog.gives_up(5.6)


def test_a_server_has_stalled_when_neither_time_nor_audio_is_an_excuse() -> None:
    rule = StallRule()
    rule.heard(100.0)
    assert rule.stalled_at(8.6) == math.inf
    rule.audio_sent(8.5)
    assert rule.stalled_at(8.6) == math.inf
    rule.audio_sent(0.1)
    assert rule.stalled_at(8.6) == pytest.approx(108.6)
    rule.heard(101.0)
    assert rule.stalled_at(8.6) == math.inf


def send_quiet(rule: DeafRule, seconds: float, now: float, *, voiced: bool = False, power: float = 0.0) -> None:
    for _ in range(round(seconds / 0.1)):
        rule.audio_sent(0.1, now, voiced=voiced, power=power, limit_s=8.6)


def test_a_server_that_lets_a_long_pause_pass_without_ending_its_turn_is_deaf() -> None:
    rule = DeafRule()
    rule.turn_left(not_before=100.0)
    send_quiet(rule, 8.0, 110.0)
    assert rule.deadline == math.inf
    send_quiet(rule, 1.0, 111.0)
    assert rule.deadline == 111.0


def test_a_noise_that_never_pauses_for_long_proves_nothing_of_the_server() -> None:
    rule = DeafRule()
    rule.turn_left(not_before=100.0)
    for _ in range(100):
        send_quiet(rule, 0.6, 110.0)
        send_quiet(rule, 0.1, 110.0, voiced=True)
    assert rule.deadline == math.inf


@pytest.mark.parametrize(("softer_by_db", "is_pause"), [(0.0, False), (3.0, False), (9.0, True), (30.0, True)])
def test_audio_in_which_nothing_stands_out_is_a_pause_only_if_it_is_softer_than_the_turn_was(
    softer_by_db: float, is_pause: bool
) -> None:
    rule = DeafRule()
    send_quiet(rule, 9.0, 90.0, power=1000.0)
    rule.turn_left(not_before=100.0)
    send_quiet(rule, 9.0, 110.0, power=1000.0 * 10 ** (-softer_by_db / 10))
    assert (rule.deadline == 110.0) is is_pause


def test_the_pauses_between_words_that_are_not_answered_prove_it_together() -> None:
    rule = DeafRule()
    rule.turn_left(not_before=100.0)
    for _ in range(4):
        send_quiet(rule, 2.0, 110.0)
        send_quiet(rule, 1.0, 110.0, voiced=True)
    assert rule.deadline == math.inf
    send_quiet(rule, 1.0, 120.0)
    assert rule.deadline == 120.0


def test_a_server_that_had_words_and_fell_silent_needs_no_other_proof() -> None:
    rule = DeafRule()
    rule.turn_left(not_before=130.0, is_deaf=True)
    assert rule.deadline == 130.0
    rule.heard()
    assert rule.deadline == math.inf


def test_an_event_that_neither_ends_the_turn_nor_goes_on_with_it_leaves_it_to_be_waited_for() -> None:
    rule = DeafRule()
    rule.turn_left(not_before=100.0)
    send_quiet(rule, 8.0, 110.0)
    rule.heard(settles=False)
    assert rule.is_in_doubt
    send_quiet(rule, 8.0, 120.0)
    assert rule.deadline == math.inf
    send_quiet(rule, 1.0, 121.0)
    assert rule.deadline == 121.0


def test_a_deaf_server_is_not_replaced_before_its_time_and_an_event_proves_that_it_hears() -> None:
    rule = DeafRule()
    send_quiet(rule, 20.0, 90.0)
    assert rule.deadline == math.inf
    rule.turn_left(not_before=130.0)
    send_quiet(rule, 20.0, 110.0)
    assert rule.deadline == 130.0
    rule.heard()
    send_quiet(rule, 20.0, 140.0)
    assert rule.deadline == math.inf


def test_a_turn_waits_ten_seconds_for_its_replay_and_a_late_socket_has_some_of_them_at_least() -> None:
    rule = RescueRule()
    rule.lost(100.0)
    assert rule.deadline == 100 + RESCUE_S
    rule.linked(101.0)
    assert rule.deadline == 100 + RESCUE_S
    rule.linked(109.0)
    assert rule.deadline == 109 + RESCUE_LINKED_S
    rule.linked(119.0)
    assert rule.deadline == 100 + 2 * RESCUE_S
