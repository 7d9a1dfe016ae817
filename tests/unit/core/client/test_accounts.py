"""What the client counts: usage, and audio that was sent and lost."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.feed import USAGE_EVERY_S
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnUpdate
from support.scenario import OPTIONS, RATE, START, Scenario, in_turn


def test_usage_is_what_was_sent_silence_and_replay_included_and_told_once() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.speak(0.5, answers=False)
    assert scenario.usage() == pytest.approx(1.0)
    scenario.open()
    scenario.wait(0.3)
    scenario.say(START)
    scenario.wait(1.0)
    stats = scenario.client.stats
    assert stats.replayed_s == pytest.approx(1.0)
    assert stats.silent_s > 0
    assert stats.sent_s == pytest.approx(1.0 + 1.5 + stats.silent_s)
    assert scenario.usage() == pytest.approx(stats.sent_s - 1.0)
    assert scenario.usage() == 0


def test_usage_is_due_every_five_seconds_while_audio_is_sent_and_never_without() -> None:
    scenario = Scenario()
    scenario.wait(60)
    assert scenario.usage() == 0
    scenario.client.push_audio(b"\0\0", scenario.now)
    scenario.pump()
    scenario.wait(USAGE_EVERY_S - 0.1)
    assert scenario.usage_s == 0
    scenario.wait(0.1)
    assert scenario.usage_s == pytest.approx(1 / RATE)


def test_a_socket_that_was_refused_has_cost_nothing() -> None:
    scenario = Scenario(linked=False)
    scenario.speak(1.0)
    scenario.client.attempt_failed()
    assert scenario.usage() == 0
    assert scenario.client.stats.sent_s == 0
    assert scenario.client.stats.backlog_s == 1.0


def test_what_was_lost_in_an_outage_is_counted_once_however_many_sockets_follow() -> None:
    scenario = in_turn(limits=Limits(buffer_s=2.0))
    scenario.lose()
    scenario.speak(5.0, answers=False)
    lost_s = scenario.client.stats.lost_s
    assert lost_s == pytest.approx(6.0 - scenario.client.stats.held_s)
    for _ in range(3):
        scenario.client.link_opened(OPTIONS, scenario.now)
        scenario.lose()
    assert scenario.client.stats.lost_s == lost_s


def test_a_turn_that_a_second_start_has_ended_is_not_told_again_by_a_replay() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START, TurnUpdate("r", "one two"))
    scenario.speak(1.0)
    scenario.say(START, TurnUpdate("r", "three"))
    told = ["start", "update one two", "end one two", "start", "update three"]
    assert scenario.told == told
    first = len(scenario.audio)
    scenario.client.link_lost(scenario.now)
    scenario.open()
    scenario.wait(2.0)
    assert scenario.audio[first:][:1] == [1], "the server has settled none of it"
    scenario.say(START, TurnUpdate("r", "one two"), TurnUpdate("r", "one two three four"))
    scenario.say(TurnEnd("r", "one two three four five"))
    assert scenario.told == [*told, "update three four", "end three four five"]
