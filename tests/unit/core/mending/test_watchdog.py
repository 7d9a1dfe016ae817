"""Silence that the client sends where audio stops in the middle of a turn."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.chunk import Chunk
from livekit.plugins.cartesia_turns.core.events import Notice
from livekit.plugins.cartesia_turns.core.link import HangUp
from livekit.plugins.cartesia_turns.core.timeouts import GIVE_UP_AFTER_S, PACE_S
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnUpdate
from support.scenario import RATE, START, TIMEOUT_S, Scenario, in_turn


def test_silence_is_sent_when_audio_stops_in_mid_turn_and_at_real_time_pace() -> None:
    scenario = in_turn()
    scenario.wait(0.49)
    assert scenario.client.stats.silent_s == 0
    scenario.wait(0.81)
    assert scenario.client.stats.silent_s == pytest.approx(1.3, abs=0.11)
    assert scenario.notices == [Notice.FEEDING]
    scenario.say(TurnEnd("r", "a b"))
    before = scenario.client.stats.silent_s
    scenario.wait(30)
    assert scenario.client.stats.silent_s == before
    assert scenario.told == ["end a b"]


def test_no_silence_is_sent_between_turns_or_while_audio_flows() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.wait(30)
    assert scenario.client.stats.silent_s == 0
    scenario.say(START)
    scenario.speak(3.0)
    assert scenario.client.stats.silent_s == 0.0 or scenario.notices == [Notice.FEEDING]


def test_audio_that_comes_back_ends_the_silence_and_the_log_says_so_once_a_gap() -> None:
    scenario = in_turn()
    scenario.wait(1.0)
    silent_s = scenario.client.stats.silent_s
    scenario.speak(1.0)
    assert scenario.client.stats.silent_s <= silent_s + PACE_S + 1e-9
    assert scenario.notices == [Notice.FEEDING]


def test_audio_that_was_only_late_stands_behind_no_more_silence_than_was_sent_by_then() -> None:
    scenario = in_turn()
    scenario.sent.clear()
    scenario.wait(1.2)
    silent_s = scenario.client.stats.silent_s
    for _ in range(12):
        scenario.number += 1
        scenario.client.push_audio(b"\0\x20\0\xe0" * (RATE // 20), scenario.now)
    scenario.wait(3.0, answers=True)
    assert 0.5 <= silent_s <= 1.2
    first = next(number for number, frame in enumerate(scenario.audio) if frame)
    between_s = sum(item.seconds for item in scenario.sent[:first] if isinstance(item, Chunk) and item.injected)
    assert between_s <= silent_s


@pytest.mark.parametrize("held_up_s", [0.45, 0.5, 0.51, 0.55, 0.59, 0.6, 0.61, 0.8, 3.0])
def test_a_process_that_was_held_up_puts_no_silence_into_speech(held_up_s: float) -> None:
    scenario = in_turn()
    wake_up(scenario, held_up_s)
    scenario.speak(2.0)
    assert scenario.client.stats.silent_s == 0
    assert not scenario.notices


@pytest.mark.parametrize("held_up_s", [0.3, 0.5, 0.55, 0.8])
def test_nor_does_a_process_that_learns_late_that_the_turn_has_started(held_up_s: float) -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.now += held_up_s
    scenario.say(START)
    wake_up(scenario, 0.0)
    scenario.speak(2.0)
    assert scenario.client.stats.silent_s == 0
    assert not scenario.notices


def test_nor_does_one_that_is_held_up_again_and_again() -> None:
    scenario = in_turn()
    for _ in range(3):
        scenario.now += 0.55
        scenario.wait(0.05)
    wake_up(scenario, 0.55)
    assert scenario.client.stats.silent_s == 0


def wake_up(scenario: Scenario, held_up_s: float) -> None:
    """Lets time pass in which nothing is done. The clock is looked at first, and the audio of that time comes then."""
    scenario.now += held_up_s
    scenario.wait(0.05)
    for _ in range(5):
        scenario.client.push_audio(b"\0\x20\0\xe0" * (RATE // 20), scenario.now)
        scenario.note()
        scenario.pump()


def test_a_process_that_never_keeps_its_time_ends_a_turn_without_audio_all_the_same() -> None:
    scenario = in_turn()
    before = scenario.now
    while scenario.client.sockets.hang_up is None:
        assert scenario.now < before + 3 * (TIMEOUT_S + GIVE_UP_AFTER_S)
        client = scenario.client
        scenario.now = max(scenario.now, min(client.deadline, client.sockets.send_at)) + 0.15
        scenario.wait(0.0)
    assert scenario.told == ["end a b"]


def test_silence_that_ends_no_turn_closes_it_and_leaves_the_rest_behind() -> None:
    scenario = in_turn()
    scenario.wait(TIMEOUT_S + GIVE_UP_AFTER_S + 0.2)
    assert scenario.notices == [Notice.FEEDING, Notice.OVERDUE]
    assert scenario.told == ["end a b"]
    assert scenario.client.sockets.hang_up is HangUp.STALLED
    stats = scenario.client.stats
    assert (stats.overdue, stats.stalls, stats.turns_closed_by_us) == (1, 0, 1)
    scenario.say(TurnUpdate("r", "a b"), TurnEnd("r", "a b"))
    assert scenario.told == ["end a b"]


def test_a_process_that_was_held_up_reads_what_came_meanwhile_before_it_gives_a_turn_up() -> None:
    scenario = in_turn()
    scenario.wait(TIMEOUT_S + GIVE_UP_AFTER_S + 0.1)
    scenario.now += 0.3
    scenario.wait(0.05)
    assert not scenario.told
    scenario.say(TurnEnd("r", "a b c"))
    scenario.wait(1.0)
    assert scenario.told == ["end a b c"]
    assert scenario.client.sockets.hang_up is None


def test_the_replay_of_a_closed_turn_brings_only_words_that_are_new() -> None:
    scenario = in_turn()
    scenario.wait(TIMEOUT_S + GIVE_UP_AFTER_S + 0.2)
    scenario.lose()
    assert scenario.client.sockets.wants_link
    scenario.open()
    assert scenario.audio[0] == 1
    scenario.say(START, TurnUpdate("r", "a"), TurnUpdate("r", "a b"))
    assert scenario.told == ["end a b"]
    scenario.say(TurnEnd("r", "a b c"))
    assert scenario.told == ["end a b", "start", "end c"]


def test_silence_is_sent_too_while_the_server_repeats_a_turn_that_was_closed() -> None:
    scenario = in_turn()
    scenario.wait(TIMEOUT_S + GIVE_UP_AFTER_S + 0.2)
    scenario.lose()
    scenario.open()
    scenario.wait(2.0)
    scenario.say(START)
    before = scenario.client.stats.silent_s
    scenario.wait(1.0)
    assert scenario.client.stats.silent_s > before
