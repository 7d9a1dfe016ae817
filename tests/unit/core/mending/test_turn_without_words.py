"""Noise that starts a turn in which no word is heard."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.audio_queue import ROOM_AFTER_OVERFLOW
from livekit.plugins.cartesia_turns.core.events import Notice
from livekit.plugins.cartesia_turns.core.hangs import REPLACED_EVERY_S
from livekit.plugins.cartesia_turns.core.link import HangUp
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.core.timeouts import STALLED_AFTER_S
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnUpdate
from support.scenario import START, TIMEOUT_S, Scenario
from support.simulated_server import FRAME_S as SIMULATED_FRAME_S
from support.simulated_server import Noise


def hear_noise(scenario: Scenario, seconds: float) -> None:
    """A noise without a pause, to which the server says nothing."""
    scenario.speak(seconds)


def test_a_long_noise_is_closed_once_and_costs_neither_a_socket_nor_audio_twice() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START)
    hear_noise(scenario, 145.0)
    assert scenario.told == ["start", "end"]
    assert scenario.notices == [Notice.NO_WORDS]
    assert scenario.client.sockets.hang_up is None
    assert scenario.client.stats.sent_s == pytest.approx(146.0)
    scenario.lose()
    scenario.open()
    scenario.wait(30.0)
    assert 30.0 < scenario.client.stats.replayed_s <= ROOM_AFTER_OVERFLOW * Limits().buffer_s + 1.0
    assert scenario.client.stats.lost_s == 0
    assert scenario.client.stats.stalls == 0


@pytest.mark.parametrize("dbfs", [-45.0, -35.0, -25.0])
def test_a_steady_noise_in_which_nothing_stands_out_is_no_proof_that_the_server_is_deaf(dbfs: float) -> None:
    scenario = Scenario()
    noise = Noise(dbfs=dbfs).frames([False] * 300)
    for number in range(1250):
        scenario.wait(SIMULATED_FRAME_S)
        scenario.client.push_audio(noise[number % 300].tobytes(), scenario.now)
        scenario.note()
        scenario.pump()
        if number == 50:
            scenario.say(START)
    assert scenario.told == ["start", "end"]
    assert scenario.notices == [Notice.NO_WORDS]
    assert scenario.client.sockets.hang_up is None
    assert scenario.client.stats.lost_s == 0


def test_empty_updates_do_not_keep_a_turn_without_words_open() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START)
    for _ in range(30):
        hear_noise(scenario, 1.0)
        scenario.say(TurnUpdate("r", ""))
    assert scenario.told == ["start", "end"]


def test_the_next_words_of_a_turn_that_was_closed_for_want_of_words_are_a_turn() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START)
    hear_noise(scenario, 20.0)
    scenario.told.clear()
    scenario.say(TurnUpdate("r", "a"), TurnUpdate("r", "a b"), TurnEnd("r", "a b c"))
    assert scenario.told == ["start", "update a", "update a b", "end a b c"]
    scenario.say(START, TurnEnd("r", "d"))
    assert scenario.told[4:] == ["start", "end d"]


def test_a_server_that_lets_a_long_silence_pass_in_such_a_turn_is_deaf_and_is_replaced() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START)
    hear_noise(scenario, 10.0)
    scenario.speak(TIMEOUT_S + STALLED_AFTER_S + 0.2, is_silent=True)
    assert scenario.client.sockets.hang_up is HangUp.STALLED
    assert scenario.client.stats.stalls == 1


def test_a_server_that_falls_silent_after_messages_without_words_is_deaf_too() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START)
    hear_noise(scenario, 10.0)
    scenario.say(TurnUpdate("r", ""))
    hear_noise(scenario, 50.0)
    assert scenario.client.stats.held_s > 50.0
    scenario.speak(TIMEOUT_S + STALLED_AFTER_S + 0.2, is_silent=True)
    assert scenario.client.sockets.hang_up is HangUp.STALLED


def test_a_server_that_ends_a_turn_without_words_is_in_no_doubt_any_more() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START)
    hear_noise(scenario, 20.0)
    scenario.say(TurnEnd("r", ""))
    assert scenario.client.stats.held_s < 1.0
    scenario.speak(20.0, is_silent=True)
    assert scenario.client.sockets.hang_up is None


def test_a_server_that_goes_on_stalling_is_replaced_twice_a_minute_at_most() -> None:
    scenario = Scenario()
    sockets = 1
    for _ in range(120):
        scenario.speak(1.0)
        if not scenario.client.turn.is_open:
            scenario.say(START, TurnUpdate("r", f"a {sockets} {scenario.number}"))
        if scenario.client.sockets.hang_up:
            scenario.lose()
            scenario.open()
            sockets += 1
    assert 2 <= sockets <= 1 + 120 / REPLACED_EVERY_S
    # A stall is counted only where its socket is given up; a turn is closed also where the socket stays.
    assert scenario.client.stats.stalls == sockets - 1
    assert scenario.notices.count(Notice.STALLED) > sockets - 1


def test_a_server_that_is_silent_between_turns_has_not_stalled() -> None:
    scenario = Scenario()
    scenario.speak(20.0)
    assert scenario.notices == []
    assert scenario.client.sockets.hang_up is None
