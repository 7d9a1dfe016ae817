"""What the instruments record where a socket was lost: what a replay repeats counts once."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.wire.messages import TurnEagerEnd, TurnEnd, TurnResume, TurnUpdate
from support.measured import MeasuredCall as Call
from support.measured import once, replay_begins
from support.metrics import Recorded
from support.scenario import START


def test_a_replay_is_recorded_once_at_the_end_of_its_turn(recorded: Recorded, call: Call) -> None:
    call.begin()
    replay_begins(call)
    call.say(START, TurnUpdate("r", "a b"), TurnUpdate("r", "a b c"))
    assert recorded.histogram("replayed_audio") == {}
    call.speak(0.5, is_silent=True)
    call.say(TurnEnd("r", "a b c"))
    replayed_s = call.client.stats.replayed_s
    assert replayed_s == pytest.approx(1.1)
    call.speak(2.0, is_silent=True)
    call.turn("d")
    call.close()
    assert recorded.histogram("replayed_audio") == {"": once(replayed_s)}
    assert recorded.counts("turns") == {"server": 2}


def test_a_turn_that_loses_its_socket_twice_has_one_value_of_both_replays(recorded: Recorded, call: Call) -> None:
    call.begin()
    replay_begins(call)
    replay_begins(call)
    call.say(START, TurnUpdate("r", "a b c"), TurnEnd("r", "a b c"))
    assert call.client.stats.replayed_s == pytest.approx(1.1 + 1.0)
    assert recorded.histogram("replayed_audio") == {"": once(call.client.stats.replayed_s)}


def test_a_replay_without_a_turn_is_recorded_at_the_end_of_the_stream(recorded: Recorded, call: Call) -> None:
    call.speak(1.0)
    replay_begins(call)
    assert call.client.stats.replayed_s > 0
    call.close()
    call.close()
    assert recorded.histogram("replayed_audio") == {"": once(call.client.stats.replayed_s)}


def test_what_a_replay_repeats_is_not_counted_again(recorded: Recorded, call: Call) -> None:
    call.begin("a")
    call.say(TurnEagerEnd("r", "a"), TurnResume("r"), TurnUpdate("r", "a b"))
    replay_begins(call)
    call.say(START, TurnUpdate("r", "a"), TurnEagerEnd("r", "a"), TurnResume("r"), TurnUpdate("r", "a b"))
    assert recorded.counts("turns") == {}
    call.say(TurnUpdate("r", "a b c"), TurnEagerEnd("r", "a b c"))
    call.speak(0.4, is_silent=True)
    call.say(TurnEnd("r", "a b c"))
    assert recorded.counts("eager_ends") == {"resumed": 1, "ended": 1}
    assert recorded.histogram("eager_lead") == {"server": once(0.4)}
    assert recorded.counts("turns") == {"server": 1}
    assert recorded.histogram("end_delay").keys() == {"server"}


def test_an_eager_end_that_a_replay_repeats_leads_from_the_first_time(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.say(TurnEagerEnd("r", "a b"))
    told_at = call.now
    call.lose()
    call.speak(0.3, is_silent=True, answers=False)
    call.open()
    call.wait(0.2)
    call.say(START, TurnUpdate("r", "a"), TurnUpdate("r", "a b"), TurnEagerEnd("r", "a b"))
    call.speak(0.2, is_silent=True)
    call.say(TurnEnd("r", "a b"))
    assert recorded.counts("eager_ends") == {"ended": 1}
    assert recorded.histogram("eager_lead") == {"server": once(call.now - told_at)}


def test_an_eager_end_before_a_drop_is_resumed_if_the_replay_brings_new_words(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.say(TurnEagerEnd("r", "a b"))
    replay_begins(call)
    call.say(START, TurnUpdate("r", "a b c"))
    call.speak(0.5, is_silent=True)
    call.say(TurnEnd("r", "a b c"))
    assert recorded.counts("eager_ends") == {"resumed": 1}
    assert recorded.histogram("eager_lead") == {}


def test_the_echo_of_a_turn_that_has_ended_is_no_second_turn_and_no_cut_off(recorded: Recorded, call: Call) -> None:
    call.speak(2.0, is_silent=True)
    call.speak(0.4)
    call.speak(0.8, is_silent=True)
    call.speak(0.1)
    call.say(START)
    call.speak(0.3)
    call.say(TurnEnd("r", "Oh, yes."))
    told = recorded.histogram("end_delay")
    call.lose()
    call.open()
    call.wait(0.3)
    assert call.client.stats.replayed_s > 0
    call.say(START, TurnUpdate("r", "Yes."), TurnEnd("r", "Yes."))
    assert recorded.counts("turns") == {"server": 1}
    assert recorded.counts("cut_offs") == {}
    assert recorded.histogram("end_delay") == told
