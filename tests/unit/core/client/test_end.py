"""The end of the input: the server is asked to close, and what it still says is heard."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.link import DRAIN_S, LONGEST_DRAIN_S, UNTOLD_DRAIN_S, HangUp
from livekit.plugins.cartesia_turns.core.requests import MOST_LOST_ENDS, Limits
from livekit.plugins.cartesia_turns.wire.messages import Close, TurnEnd, TurnUpdate
from support.scenario import START, Scenario, in_turn


def test_the_end_asks_the_server_to_close_and_is_over_when_it_does() -> None:
    scenario = in_turn()
    scenario.client.end_input()
    scenario.pump()
    assert scenario.commands[-1] == Close()
    scenario.say(TurnEnd("r", "a b c"))
    assert not scenario.client.sockets.finished
    scenario.lose(clean=True)
    assert scenario.told == ["end a b c"]
    assert scenario.client.sockets.finished
    assert not scenario.client.sockets.wants_link


@pytest.mark.parametrize(("keeps_talking", "patience_s"), [(False, DRAIN_S), (True, LONGEST_DRAIN_S)])
def test_a_server_that_never_closes_is_waited_for_and_not_for_ever(keeps_talking: bool, patience_s: float) -> None:
    scenario = in_turn()
    scenario.client.end_input()
    scenario.pump()
    for number in range(round(patience_s)):
        assert scenario.client.sockets.hang_up is None
        if keeps_talking:
            scenario.say(TurnUpdate("r", f"a b {number}"))
        scenario.wait(1.0)
    assert scenario.client.sockets.hang_up is HangUp.DRAINED
    scenario.lose()
    assert scenario.client.sockets.finished
    assert scenario.told[-1] == ("end a b 59" if keeps_talking else "end a b")


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_server_that_is_late_with_the_first_words_of_the_last_speech_is_waited_for_longer(has_begun: bool) -> None:
    scenario = Scenario()
    scenario.speak(2.0)
    if has_begun:
        scenario.say(START)
    scenario.client.end_input()
    scenario.pump()
    scenario.wait(UNTOLD_DRAIN_S - 1.0)
    assert scenario.client.sockets.hang_up is None
    scenario.say(*([] if has_begun else [START]), TurnEnd("r", "so late"))
    scenario.lose(clean=True)
    assert scenario.told[-1] == "end so late"
    assert scenario.client.sockets.finished


def test_a_server_that_says_nothing_of_the_last_speech_is_not_waited_for_for_ever() -> None:
    scenario = Scenario()
    scenario.speak(2.0)
    scenario.client.end_input()
    scenario.pump()
    scenario.wait(UNTOLD_DRAIN_S)
    assert scenario.client.sockets.hang_up is HangUp.DRAINED


def test_a_socket_lost_while_the_server_finishes_is_replaced_and_asked_again() -> None:
    scenario = in_turn()
    scenario.client.end_input()
    scenario.pump()
    scenario.lose()
    assert scenario.client.sockets.wants_link
    scenario.open()
    scenario.wait(0.2)
    assert scenario.audio == list(range(1, 11))
    assert scenario.commands[-1] == Close()
    scenario.say(START, TurnEnd("r", "a b c"))
    scenario.lose(clean=True)
    assert scenario.told == ["end a b c"]
    assert scenario.client.sockets.finished


@pytest.mark.parametrize(("told", "heard", "finals"), [("Yes.", "Yes.", 2), ("Yes.", "es", 1), ("Oh, yes.", "Yes", 1)])
def test_who_answers_the_same_again_at_a_late_server_is_not_taken_for_an_echo(
    told: str, heard: str, finals: int
) -> None:
    scenario = Scenario()
    scenario.speak(2.0, is_silent=True)
    scenario.speak(0.4)
    scenario.speak(0.8, is_silent=True)
    scenario.speak(0.1)
    scenario.say(START)
    scenario.speak(0.3)
    scenario.say(TurnEnd("r", told))
    scenario.lose()
    scenario.open()
    scenario.wait(0.3)
    scenario.say(START, TurnUpdate("r", heard), TurnEnd("r", heard))
    assert [entry for entry in scenario.told if entry.startswith("end")] == [f"end {told}", f"end {heard}"][:finals]


@pytest.mark.parametrize("way", [{}, {"clean": True, "leaving": True}])
def test_the_end_of_a_word_is_not_told_again_if_the_socket_is_lost_as_the_server_finishes(way: dict[str, bool]) -> None:
    scenario = in_turn()
    scenario.speak(2.0)
    scenario.pongs = False
    scenario.speak(0.1)
    scenario.client.end_input()
    scenario.pump()
    scenario.say(TurnEnd("r", "a b see"))
    for heard in ("ee", "e", ""):
        scenario.lose(**way)
        if not scenario.client.sockets.wants_link:
            break
        scenario.open()
        scenario.wait(0.3)
        scenario.say(START, TurnEnd("r", heard))
    assert scenario.client.sockets.finished
    assert scenario.told == ["end a b see"]


def test_a_clean_close_in_mid_turn_is_taken_for_a_drop_once_although_the_input_has_ended() -> None:
    scenario = in_turn()
    scenario.client.end_input()
    scenario.pump()
    scenario.lose(clean=True)
    assert not scenario.client.sockets.finished
    scenario.open()
    scenario.wait(0.2)
    scenario.say(START, TurnUpdate("r", "a b c"))
    scenario.lose(clean=True)
    assert scenario.told == ["update a b c", "end a b c"]
    assert scenario.client.sockets.finished


@pytest.mark.parametrize("leaving", [False, True])
def test_a_clean_close_that_tells_nothing_of_what_was_heard_is_tried_again(leaving: bool) -> None:
    scenario = Scenario()
    scenario.speak(0.5)
    scenario.client.end_input()
    scenario.pump()
    scenario.lose(clean=True, leaving=leaving)
    assert scenario.client.sockets.wants_link
    scenario.open()
    assert scenario.audio == [1, 2, 3, 4, 5]
    scenario.say(START, TurnEnd("r", "yes"))
    scenario.lose(clean=True)
    assert scenario.told == ["start", "end yes"]
    assert scenario.client.sockets.finished


def test_a_server_that_goes_away_in_the_midst_of_the_last_turns_has_not_told_them_all() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.speak(0.8, is_silent=True)
    scenario.speak(0.5)
    scenario.client.end_input()
    scenario.pongs = False
    scenario.pump()
    scenario.say(START, TurnEnd("r", "a b"))
    scenario.lose(clean=True, leaving=True)
    assert scenario.client.sockets.wants_link
    scenario.pongs = True
    scenario.open()
    scenario.wait(2.0)
    assert {19, 20, 21, 22, 23} <= set(scenario.audio)


def test_a_clean_close_after_digital_silence_alone_is_the_end() -> None:
    scenario = Scenario()
    scenario.speak(0.5, is_silent=True)
    scenario.client.end_input()
    scenario.pump()
    scenario.lose(clean=True)
    assert scenario.client.sockets.finished


def test_a_reset_is_no_clean_close_and_leaves_the_turn_its_other_try() -> None:
    scenario = in_turn()
    scenario.client.end_input()
    scenario.pump()
    scenario.lose()
    scenario.open()
    scenario.wait(0.2)
    scenario.say(START, TurnUpdate("r", "a b c"))
    scenario.lose(clean=True)
    assert not scenario.client.sockets.finished
    assert scenario.told == ["update a b c"]


def test_a_socket_lost_at_the_end_while_no_turn_is_open_is_replaced_and_not_for_ever() -> None:
    scenario = Scenario()
    scenario.speak(0.5)
    scenario.client.end_input()
    scenario.pump()
    for _ in range(MOST_LOST_ENDS):
        scenario.lose()
        assert scenario.client.sockets.wants_link
        scenario.open()
        assert scenario.audio == [1, 2, 3, 4, 5]
        assert scenario.commands[-1] == Close()
    scenario.lose()
    assert scenario.client.sockets.finished


def test_a_server_that_was_asked_to_finish_and_has_said_nothing_at_all_has_not_finished() -> None:
    scenario = Scenario(linked=False)
    scenario.speak(0.5)
    scenario.client.end_input()
    scenario.client.link_opened(scenario.client.sockets.options, scenario.now)
    scenario.pump()
    assert scenario.commands[-1] == Close()
    scenario.wait(Limits().connect_timeout_s + 0.1)
    assert scenario.client.sockets.hang_up is HangUp.NOT_CONNECTED
    scenario.lose()
    assert scenario.client.sockets.wants_link


def test_the_end_of_the_last_turn_settles_all_audio_although_no_pause_follows_it() -> None:
    scenario = in_turn()
    scenario.client.end_input()
    scenario.pump()
    scenario.say(TurnEnd("r", "a b c"))
    scenario.lose()
    assert scenario.client.sockets.finished
    assert scenario.client.stats.held_s == 0
