"""Flushes: whether the server is waited for, and the silence that it is sent."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.events import Flushed
from livekit.plugins.cartesia_turns.core.requests import FLUSH_S, FLUSH_SILENCE_S
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnUpdate
from support.scenario import RATE, START, Scenario, in_turn


def flushed(scenario: Scenario) -> bool:
    """Flushes; whether that is answered at once."""
    scenario.note()
    scenario.client.flush(scenario.now)
    return scenario.client.take_events() == [Flushed()]


def test_a_flush_waits_for_the_server_unless_there_was_nothing_but_digital_silence_since_the_last_turn() -> None:
    scenario = Scenario()
    assert flushed(scenario)
    scenario.speak(0.5, is_silent=True)
    assert flushed(scenario)
    hum = (1).to_bytes(2, "little") + (-1).to_bytes(2, "little", signed=True)
    scenario.client.push_audio(hum * (RATE // 10), scenario.now)
    scenario.pump()
    assert not flushed(scenario)
    scenario.say(START, TurnEnd("r", "yes"))
    assert scenario.told == ["start", "end yes"]


def test_a_second_flush_without_new_audio_is_answered_at_once_and_each_one_has_its_bound() -> None:
    scenario = Scenario()
    scenario.speak(0.5)
    assert not flushed(scenario)
    before = scenario.now
    scenario.wait(FLUSH_S + 0.1)
    assert scenario.client.deadline > before + FLUSH_S
    assert flushed(scenario)


def test_flushes_before_the_first_one_is_answered_send_no_more_silence() -> None:
    scenario = in_turn("a b")
    scenario.sent.clear()
    for _ in range(5):
        scenario.client.flush(scenario.now)
        scenario.wait(0.1)
    assert scenario.client.stats.silent_s == pytest.approx(FLUSH_SILENCE_S)


def test_a_late_end_of_a_turn_that_a_flush_has_closed_does_not_answer_the_next_flush() -> None:
    scenario = in_turn("turn left")
    assert not flushed(scenario)
    scenario.wait(FLUSH_S + 0.1)
    assert scenario.told == ["end turn left"]
    scenario.speak(0.5)
    assert not flushed(scenario)
    scenario.client.receive(TurnEnd("r", "turn left"), scenario.now)
    assert scenario.client.take_events() == []
    scenario.say(START, TurnEnd("r", "and stop"))
    assert scenario.told[1:] == ["start", "end and stop"]
    scenario.wait(FLUSH_S)
    assert scenario.client.take_events() == []


def test_a_flush_is_answered_where_the_server_begins_another_turn_and_does_not_cut_that_off() -> None:
    scenario = in_turn("one")
    assert not flushed(scenario)
    scenario.say(START, TurnUpdate("r", "two"))
    scenario.wait(FLUSH_S + 0.1)
    assert scenario.told == ["end one", "start", "update two"]
