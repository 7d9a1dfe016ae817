"""Audio that an outage leaves no room for, and the words that were told of it."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.events import Notice
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.core.timeouts import RESCUE_S
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnUpdate
from support.scenario import START, Scenario, in_turn


def test_words_are_neither_swallowed_nor_lost_when_an_outage_takes_the_audio_of_what_was_told() -> None:
    scenario = in_turn("a b", limits=Limits(buffer_s=5.0))
    scenario.speak(1.0)
    scenario.say(TurnUpdate("r", "a b c"))
    scenario.lose()
    scenario.speak(4.9, answers=False)
    assert Notice.AUDIO_LOST in scenario.notices
    scenario.open()
    scenario.say(START, TurnUpdate("r", "d"), TurnEnd("r", "d e"))
    assert scenario.told[-1] == "end a b c d e"


def test_words_of_a_turn_that_an_outage_outlasted_are_not_waited_for_when_their_audio_is_gone() -> None:
    scenario = in_turn("a b", limits=Limits(buffer_s=5.0))
    scenario.lose()
    scenario.speak(RESCUE_S + 0.1, answers=False)
    assert scenario.told == ["end a b"]
    assert scenario.notices == [Notice.AUDIO_LOST, Notice.NOT_RECONNECTED]
    scenario.open()
    scenario.say(START, TurnEnd("r", "c d e"))
    assert scenario.told[1:] == ["start", "end c d e"]


def test_text_whose_audio_went_over_the_limit_stays_in_front_of_what_the_replay_brings() -> None:
    scenario = in_turn(limits=Limits(buffer_s=5.0))
    for _ in range(3):
        scenario.speak(2.0)
        scenario.say(TurnUpdate("r", "a b c"))
    assert scenario.client.stats.lost_s == 0
    scenario.lose()
    assert 1.0 < scenario.client.stats.lost_s < 3.0
    assert scenario.notices == [Notice.AUDIO_LOST]
    scenario.open()
    scenario.say(START, TurnUpdate("r", "c"), TurnEnd("r", "c d"))
    assert scenario.told == ["update a b c", "end a b c d"]


def test_an_outage_costs_bounded_memory_and_is_told_once_with_the_newest_speech_kept() -> None:
    scenario = Scenario(limits=Limits(buffer_s=5.0))
    scenario.speak(1.0)
    scenario.lose()
    for _ in range(20):
        scenario.speak(0.7, answers=False)
        scenario.speak(0.3, answers=False, is_silent=True)
        scenario.client.attempt_failed()
        assert scenario.client.stats.held_s <= 5.0
    assert scenario.notices == [Notice.AUDIO_LOST]
    assert scenario.client.stats.lost_s == pytest.approx(21.0 - scenario.client.stats.held_s)
    assert scenario.client.stats.failed_attempts == 20
    scenario.open()
    scenario.wait(2.0)
    last = range(scenario.number - len(scenario.audio) + 1, scenario.number + 1)
    assert scenario.audio == [number if (number - 11) % 10 < 7 else 0 for number in last]
