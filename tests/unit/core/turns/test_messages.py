"""What the client makes of the messages of a turn."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.events import TurnEvent
from livekit.plugins.cartesia_turns.core.timeouts import STALLED_AFTER_S
from livekit.plugins.cartesia_turns.wire.messages import (
    Connected,
    ErrorMessage,
    TurnEagerEnd,
    TurnEnd,
    TurnMessage,
    TurnResume,
    TurnStart,
    TurnUpdate,
    Unknown,
)
from support.scenario import START, Scenario, in_turn


def test_a_turn_goes_from_its_start_to_its_end() -> None:
    scenario = Scenario()
    scenario.say(START, TurnUpdate("r", "a"), TurnEagerEnd("r", "a"), TurnResume("r"), TurnEnd("r", "a b"))
    assert scenario.told == ["start", "update a", "eager_end a", "resume a", "end a b"]
    assert scenario.client.stats.turns == 1
    assert scenario.client.stats.turns_closed_by_us == 0


def test_a_turn_without_words_ends_without_any() -> None:
    scenario = Scenario()
    scenario.say(START, TurnEnd("r", ""))
    assert scenario.told == ["start", "end"]


def test_text_outside_a_turn_implies_its_start() -> None:
    scenario = Scenario()
    scenario.say(TurnUpdate("r", "a"), TurnEnd("r", "a"), TurnEnd("r", "b"), TurnEnd("r", ""), TurnResume("r"))
    assert scenario.told == ["start", "update a", "end a", "start", "end b"]
    assert scenario.client.stats.turns == 2


@pytest.mark.parametrize(
    "again", [TurnUpdate("r", "a b"), TurnUpdate("r", "a"), TurnEagerEnd("r", "a b"), TurnEnd("r", "")]
)
def test_text_that_comes_again_behind_the_end_of_its_turn_leaves_no_turn_open(again: TurnMessage) -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START, TurnUpdate("r", "a b"), TurnEnd("r", "a b"), again)
    scenario.speak(2 * STALLED_AFTER_S)
    assert scenario.client.sockets.hang_up is None
    assert not scenario.client.turn.is_open
    assert scenario.told == ["start", "update a b", "end a b"]


def test_words_that_come_behind_the_end_of_a_turn_are_a_turn_by_themselves() -> None:
    scenario = Scenario()
    scenario.say(START, TurnEnd("r", "a b"), TurnUpdate("r", "a b c"), TurnEnd("r", "a b"), TurnEnd("r", "a b c"))
    assert scenario.told == ["start", "end a b", "start", "update c", "end c"]


def test_what_is_unknown_or_an_error_moves_nothing() -> None:
    scenario = in_turn()
    scenario.say(Unknown("turn.paused"), ErrorMessage("m"))
    assert scenario.told == []
    assert scenario.client.turn.is_open


def test_the_request_id_is_the_last_that_a_server_named() -> None:
    scenario = Scenario()
    scenario.client.receive(Connected("one"), scenario.now)
    scenario.client.receive(TurnStart(""), scenario.now)
    (started,) = scenario.client.take_events()
    assert isinstance(started, TurnEvent)
    assert started.request_id == "one"


def test_a_message_after_the_socket_was_lost_is_not_heard() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.say(TurnEnd("r", "late"))
    assert scenario.told == []
