"""Options that the server rejects."""

from __future__ import annotations

from dataclasses import replace

import pytest
from livekit.plugins.cartesia_turns.core.configs import CLOSE_FOLLOWS_S, LONGEST_END_TIMEOUT_MS
from livekit.plugins.cartesia_turns.core.events import Notice
from livekit.plugins.cartesia_turns.wire.messages import Config, ErrorMessage, TurnEnd, TurnSettings, TurnUpdate
from livekit.plugins.cartesia_turns.wire.options import Options
from support.scenario import OPTIONS, RATE, START, Scenario, in_turn


def changed(timeout_ms: int | None) -> Options:
    return Options(sample_rate=RATE, turn=TurnSettings(end_timeout_ms=timeout_ms))


def test_a_rejected_config_leaves_the_turn_alone_and_is_not_sent_again() -> None:
    scenario = in_turn()
    scenario.client.update(changed(900))
    scenario.pump()
    scenario.say(ErrorMessage("No.", status_code=400))
    scenario.speak(CLOSE_FOLLOWS_S + 0.1)
    assert [rejected.change for rejected in scenario.rejections] == [Config(TurnSettings(end_timeout_ms=900))]
    assert scenario.client.sockets.options == OPTIONS
    assert scenario.client.stats.rejected_configs == 1
    assert scenario.client.sockets.hang_up is None
    scenario.say(TurnEnd("r", "a b c"))
    assert scenario.told == ["end a b c"]
    scenario.sent.clear()
    scenario.client.update(changed(900))
    scenario.speak(1.0)
    assert Config(TurnSettings(end_timeout_ms=900)) not in scenario.sent


def test_options_that_change_while_a_socket_is_dialled_are_not_blamed_for_the_refusal_of_those_before() -> None:
    scenario = Scenario()
    scenario.lose()
    asked = changed(900)
    scenario.client.update(asked)
    scenario.client.update(changed(1200))
    scenario.client.attempt_failed(ErrorMessage("No.", status_code=400), asked)
    scenario.note()
    assert [rejected.change for rejected in scenario.rejections] == [Config(TurnSettings(end_timeout_ms=900))]
    assert scenario.client.sockets.options == changed(1200)
    assert scenario.client.sockets.tries_again


def test_a_refusal_of_options_that_are_no_longer_wanted_gives_up_nothing_where_the_old_ones_are_wanted_again() -> None:
    scenario = Scenario()
    scenario.lose()
    scenario.client.attempt_failed(ErrorMessage("No.", status_code=400), changed(900))
    scenario.note()
    assert scenario.client.sockets.options == OPTIONS
    assert scenario.client.sockets.tries_again


def test_an_error_that_answers_a_config_is_what_a_socket_ended_by_that_is_lost_soon_after() -> None:
    scenario = in_turn()
    scenario.client.update(changed(900))
    scenario.pump()
    error = ErrorMessage("No.", status_code=400)
    scenario.say(error)
    assert (scenario.client.sockets.failure, scenario.client.sockets.last_error) == (None, error)


def test_an_error_that_answers_no_config_or_comes_before_connected_ends_the_socket() -> None:
    error = ErrorMessage("No.", status_code=400)
    scenario = in_turn()
    scenario.say(error)
    assert scenario.client.sockets.failure == error
    early = Scenario(linked=False)
    asked_for = early.client.sockets.options
    early.client.update(changed(900))
    early.client.link_opened(asked_for, early.now)
    early.pump()
    assert Config(TurnSettings(end_timeout_ms=900)) in early.sent
    early.say(error)
    assert early.client.sockets.failure == error
    assert not early.client.sockets.is_connected


def test_options_that_a_new_socket_is_refused_for_give_way_to_those_of_the_last_one() -> None:
    scenario = Scenario()
    scenario.client.update(replace(OPTIONS, keyterms=("bad",)))
    scenario.lose()
    scenario.client.link_opened(scenario.client.sockets.options, scenario.now)
    scenario.say(ErrorMessage("No.", status_code=400))
    scenario.lose()
    assert scenario.client.sockets.tries_again
    assert scenario.client.sockets.options == OPTIONS
    assert [rejected.change for rejected in scenario.rejections] == [Config(keyterms=("bad",))]
    scenario.client.link_opened(scenario.client.sockets.options, scenario.now)
    scenario.say(ErrorMessage("No.", status_code=400))
    scenario.lose()
    assert not scenario.client.sockets.tries_again


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_a_first_socket_and_one_refused_for_something_else_have_nothing_to_do_without(status: int) -> None:
    first, later = Scenario(linked=False), Scenario()
    later.client.update(replace(OPTIONS, keyterms=("good",)))
    later.lose()
    for scenario, said in ((first, 400), (later, status)):
        scenario.client.link_opened(scenario.client.sockets.options, scenario.now)
        scenario.say(ErrorMessage("No.", status_code=said))
        scenario.lose()
        assert not scenario.client.sockets.tries_again
        assert scenario.rejections == []


def test_a_default_that_only_the_server_knows_is_not_taken_for_short() -> None:
    scenario = Scenario(Options(sample_rate=RATE))
    scenario.speak(1.0)
    scenario.say(START, TurnUpdate("r", "a"))
    scenario.wait(LONGEST_END_TIMEOUT_MS / 1000)
    assert Notice.OVERDUE not in scenario.notices
    scenario.say(TurnEnd("r", "a"))
    assert scenario.told[-1] == "end a"
    assert scenario.client.sockets.hang_up is None
