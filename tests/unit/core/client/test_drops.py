"""Sockets that are lost, and audio that is sent again."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.events import Notice
from livekit.plugins.cartesia_turns.core.feed import PRE_ROLL_S, UNHEARD_S
from livekit.plugins.cartesia_turns.core.link import HangUp
from livekit.plugins.cartesia_turns.core.pacing import CATCH_UP_SPEED
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.core.timeouts import RESCUE_LINKED_S, RESCUE_S
from livekit.plugins.cartesia_turns.wire.messages import Connected, TurnEagerEnd, TurnEnd, TurnResume, TurnUpdate
from support.scenario import FRAME_S, START, Scenario, in_turn


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("state", ["speaking", "eager ended", "resumed"])
def test_a_drop_in_any_state_of_a_turn_is_not_seen_by_its_consumer(state: str, clean: bool) -> None:
    scenario = in_turn()
    if state != "speaking":
        scenario.say(TurnEagerEnd("r", "a b c"))
    if state == "resumed":
        scenario.say(TurnResume("r"))
    scenario.told.clear()
    scenario.lose(clean=clean)
    assert scenario.client.sockets.wants_link
    scenario.speak(0.3, answers=False)
    scenario.open()
    scenario.wait(1.0)
    assert scenario.audio == list(range(1, 14))
    scenario.say(START, TurnUpdate("r", "a"), TurnEagerEnd("r", "a b"), TurnResume("r"), TurnEnd("r", "a b c d"))
    assert not [told for told in scenario.told if told.startswith("start")]
    assert {told.split(maxsplit=1)[1] for told in scenario.told} <= {"a b", "a b c", "a b c d"}
    assert scenario.told[-1] == "end a b c d"
    assert scenario.client.stats.drops == 1
    assert scenario.client.stats.reconnects == 1
    assert scenario.client.stats.replayed_s == pytest.approx(1.0)


def test_the_replay_goes_faster_than_real_time_and_live_audio_waits_behind_it() -> None:
    scenario = in_turn()
    scenario.speak(9.0)
    scenario.lose()
    began = scenario.now
    scenario.open()
    while scenario.client.stats.backlog_s:
        scenario.speak(0.1)
    assert scenario.audio == list(range(1, scenario.number + 1))
    assert 10.0 / CATCH_UP_SPEED < scenario.now - began < 10.0 / (CATCH_UP_SPEED - 1) + 0.2


@pytest.mark.parametrize("clean", [False, True])
def test_a_drop_between_turns_is_no_error_and_waits_for_audio(clean: bool) -> None:
    scenario = Scenario()
    scenario.speak(20.0, is_silent=True)
    scenario.lose(clean=clean)
    assert not scenario.client.sockets.wants_link
    assert scenario.told == []
    assert (scenario.client.stats.idle_closes, scenario.client.stats.drops) == (clean, not clean)
    scenario.speak(0.1)
    assert scenario.client.sockets.wants_link
    scenario.open()
    scenario.wait(0.4)
    replayed = len(scenario.audio) * FRAME_S - 0.1
    assert PRE_ROLL_S <= replayed <= PRE_ROLL_S + 4


def test_words_that_were_settled_are_never_sent_again() -> None:
    scenario = in_turn()
    scenario.speak(0.7, is_silent=True)
    scenario.say(TurnEnd("r", "a b"))
    scenario.lose()
    assert not scenario.client.sockets.wants_link
    scenario.speak(0.1)
    scenario.open()
    assert set(scenario.audio) <= {0, scenario.number}
    assert len(scenario.audio) <= 1 + 4


def test_a_word_that_began_before_its_turn_started_is_sent_again_whole() -> None:
    scenario = Scenario()
    scenario.speak(3.0, is_silent=True)
    scenario.speak(0.3)
    scenario.lose(clean=True)
    assert scenario.client.sockets.wants_link
    scenario.open()
    scenario.wait(0.8)
    assert scenario.audio[-3:] == [31, 32, 33]


def test_what_a_socket_took_on_which_the_server_said_nothing_is_sent_again_whole() -> None:
    scenario = Scenario(linked=False)
    scenario.client.link_opened(scenario.client.sockets.options, scenario.now)
    scenario.speak(0.5)
    scenario.speak(UNHEARD_S + 3.0, is_silent=True)
    scenario.wait(Limits().connect_timeout_s)
    assert scenario.client.sockets.hang_up is HangUp.NOT_CONNECTED
    scenario.lose()
    scenario.open()
    scenario.wait(5.0)
    assert scenario.audio[:5] == [1, 2, 3, 4, 5]


def test_a_voice_that_no_turn_answered_costs_no_socket_after_the_next_one() -> None:
    scenario = Scenario()
    scenario.speak(0.3)
    scenario.speak(0.5, is_silent=True)
    scenario.wait(300.0)
    assert scenario.client.is_idle
    scenario.lose(clean=True)
    assert not scenario.client.sockets.wants_link


@pytest.mark.parametrize("greeted", [False, True])
def test_the_audio_of_a_turn_given_up_is_kept_for_a_server_that_hears_it(greeted: bool) -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.wait(2.0)
    scenario.pongs = not greeted
    scenario.client.link_opened(scenario.client.sockets.options, scenario.now)
    if greeted:
        scenario.say(Connected("r"))
    scenario.wait(RESCUE_S - 1.9)
    assert scenario.told == ["end a b"]
    assert scenario.notices == [Notice.NOT_RESUMED]
    scenario.wait(5.0)
    scenario.lose()
    scenario.open()
    scenario.wait(1.0)
    assert scenario.audio == list(range(1, 11))
    scenario.say(START, TurnEnd("r", "a b c"))
    assert scenario.told == ["end a b", "start", "end c"]


def test_a_turn_that_its_replay_does_not_bring_back_is_closed_with_the_text_so_far() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.open()
    scenario.wait(RESCUE_S - 0.1)
    assert scenario.told == []
    scenario.wait(0.2)
    assert scenario.told == ["end a b"]
    assert scenario.notices == [Notice.NOT_RESUMED]


def test_a_socket_that_comes_late_has_some_time_to_bring_the_turn_back() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.wait(RESCUE_S - 0.1)
    scenario.open()
    scenario.wait(RESCUE_LINKED_S - 0.1)
    assert scenario.told == []
    scenario.wait(0.2)
    assert scenario.told == ["end a b"]


def test_words_after_a_turn_that_was_not_brought_back_are_all_told() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.open()
    scenario.wait(RESCUE_S + 0.1)
    scenario.speak(8.0, is_silent=True)
    scenario.say(START, TurnEnd("r", "c d e"))
    assert scenario.told == ["end a b", "start", "end c d e"]


def test_words_right_after_a_turn_whose_replay_the_server_made_nothing_of_are_all_told() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.open()
    scenario.speak(RESCUE_S + 0.1, is_silent=True)
    assert scenario.told == ["end a b"]
    scenario.speak(0.5)
    scenario.say(START, TurnUpdate("r", "yes please"), TurnEnd("r", "yes please"))
    assert scenario.told == ["end a b", "start", "update yes please", "end yes please"]


def test_words_that_were_told_when_a_turn_was_closed_do_not_come_again_as_two_turns() -> None:
    scenario = in_turn("a b")
    scenario.speak(2.0)
    scenario.say(TurnUpdate("r", "a b c d"))
    scenario.speak(9.0)
    assert scenario.told == ["update a b c d", "end a b c d"]
    scenario.lose()
    scenario.open()
    scenario.say(START, TurnEnd("r", "a b"), START, TurnUpdate("r", "c d"), TurnEnd("r", "c d e"))
    assert scenario.told[2:] == ["start", "end e"]
    scenario.speak(1.0, is_silent=True)
    scenario.say(START, TurnEnd("r", "f g"))
    assert scenario.told[4:] == ["start", "end f g"]


def test_a_word_that_the_replay_does_not_bring_again_is_not_waited_for_once_its_audio_is_settled() -> None:
    scenario = in_turn("a b c")
    scenario.speak(9.0)
    assert scenario.told == ["end a b c"]
    scenario.lose()
    scenario.open()
    scenario.wait(2.0)
    scenario.speak(1.0, is_silent=True)
    scenario.say(START, TurnEnd("r", "a c"))
    scenario.speak(1.0)
    scenario.say(START, TurnEnd("r", "d e"))
    assert scenario.told[1:] == ["start", "end d e"]


def test_a_noise_at_the_beginning_of_the_replay_does_not_end_the_turn() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.open()
    scenario.client.flush(scenario.now)
    scenario.say(START, TurnEnd("r", ""))
    assert scenario.told == []
    scenario.say(START, TurnUpdate("r", "a b"), TurnEnd("r", "a b c"))
    assert scenario.told == ["end a b c"]


def test_a_message_without_text_does_not_bring_a_turn_back_that_never_comes() -> None:
    scenario = in_turn("a b")
    scenario.lose()
    scenario.open()
    scenario.say(TurnUpdate("r", ""), TurnEagerEnd("r", ""))
    scenario.wait(RESCUE_S + RESCUE_LINKED_S)
    assert scenario.told == ["end a b"]
    assert scenario.notices == [Notice.NOT_RESUMED]
