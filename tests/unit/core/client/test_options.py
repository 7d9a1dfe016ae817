"""Options that change during a call."""

from __future__ import annotations

from livekit.plugins.cartesia_turns.core.link import HangUp, Ping
from livekit.plugins.cartesia_turns.wire.messages import Config, TurnEnd, TurnSettings
from livekit.plugins.cartesia_turns.wire.options import Options
from support.scenario import OPTIONS, RATE, Scenario, in_turn


def test_settings_changed_twice_go_out_as_one_config_ahead_of_the_audio() -> None:
    scenario = Scenario()
    for timeout_ms in (900, 1000):
        scenario.client.update(Options(sample_rate=RATE, turn=TurnSettings(end_timeout_ms=timeout_ms)))
    scenario.sent.clear()
    scenario.speak(0.1)
    sent = [item for item in scenario.sent if not isinstance(item, Ping)]
    assert sent[0] == Config(TurnSettings(end_timeout_ms=1000))
    assert len(sent) == 2
    assert scenario.client.sockets.hang_up is None


def test_new_keyterms_take_a_new_socket_between_turns() -> None:
    scenario = in_turn()
    scenario.client.update(Options(sample_rate=RATE, turn=OPTIONS.turn, keyterms=("LiveKit",)))
    assert scenario.client.sockets.hang_up is None
    scenario.say(TurnEnd("r", "a b"))
    assert scenario.client.sockets.hang_up is HangUp.ROTATE
    scenario.lose()
    assert scenario.client.stats.drops == 0
    scenario.speak(0.1)
    scenario.open()
    assert scenario.client.sockets.hang_up is None


def test_new_keyterms_between_turns_are_taken_at_once_and_not_at_all_when_the_input_has_ended() -> None:
    scenario = Scenario()
    scenario.client.update(Options(sample_rate=RATE, keyterms=("LiveKit",)))
    assert scenario.client.sockets.hang_up is HangUp.ROTATE
    other = Scenario()
    other.client.end_input()
    other.client.update(Options(sample_rate=RATE, keyterms=("LiveKit",)))
    assert other.client.sockets.hang_up is None


def test_options_that_changed_while_the_socket_was_opened_still_reach_the_server() -> None:
    scenario = Scenario(linked=False)
    asked_for = scenario.client.sockets.options
    scenario.client.update(Options(sample_rate=RATE, turn=TurnSettings(end_timeout_ms=900)))
    scenario.client.link_opened(asked_for, scenario.now)
    scenario.pump()
    assert Config(TurnSettings(end_timeout_ms=900)) in scenario.sent
    scenario.client.update(Options(sample_rate=RATE, keyterms=("LiveKit",)))
    scenario.lose()
    scenario.client.link_opened(asked_for, scenario.now)
    assert scenario.client.sockets.hang_up is HangUp.ROTATE
