"""Servers that are there and say nothing."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.events import Notice
from livekit.plugins.cartesia_turns.core.link import HangUp
from livekit.plugins.cartesia_turns.core.liveness import DEAD_AFTER_S
from livekit.plugins.cartesia_turns.core.requests import FLUSH_S, Limits
from livekit.plugins.cartesia_turns.core.timeouts import GIVE_UP_AFTER_S, STALLED_AFTER_S
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnUpdate
from livekit.plugins.cartesia_turns.wire.options import Options
from support.scenario import OPTIONS, RATE, START, TIMEOUT_S, Scenario, in_turn


def test_no_connected_in_time_hangs_up() -> None:
    scenario = Scenario(linked=False, limits=Limits(connect_timeout_s=2.0))
    scenario.client.link_opened(OPTIONS, scenario.now)
    scenario.wait(1.9, answers=False)
    assert scenario.client.sockets.hang_up is None
    assert not scenario.client.sockets.is_connected
    scenario.wait(0.2, answers=False)
    assert scenario.client.sockets.hang_up is HangUp.NOT_CONNECTED


def test_a_dead_peer_is_noticed_within_ten_seconds_and_its_turn_goes_on() -> None:
    scenario = in_turn()
    scenario.wait(DEAD_AFTER_S + 0.1, answers=False)
    assert scenario.client.sockets.hang_up is HangUp.DEAD
    scenario.lose()
    assert scenario.client.stats.dead_peers == 1
    scenario.open()
    scenario.say(START, TurnEnd("r", "a b c"))
    assert scenario.told[-1].endswith("c")


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_dead_peer_is_not_taken_for_a_stalled_server_or_one_that_silence_does_not_move(is_silent: bool) -> None:
    scenario = Scenario(Options(sample_rate=RATE))
    scenario.speak(1.0)
    scenario.say(START)
    scenario.told.clear()
    scenario.pongs = False
    (scenario.wait if is_silent else scenario.speak)(DEAD_AFTER_S - 0.2)
    assert scenario.client.sockets.hang_up is None
    assert scenario.told == []
    scenario.wait(0.3)
    assert scenario.client.sockets.hang_up is HangUp.DEAD


def test_a_server_that_stalls_in_mid_turn_is_left_with_the_text_so_far() -> None:
    scenario = in_turn()
    scenario.speak(TIMEOUT_S + STALLED_AFTER_S - 0.2)
    assert scenario.notices == []
    scenario.speak(0.4)
    assert scenario.notices == [Notice.STALLED]
    assert scenario.told == ["end a b"]
    assert scenario.client.sockets.hang_up is HangUp.STALLED
    scenario.lose()
    assert scenario.client.stats.stalls == 1
    assert scenario.client.sockets.wants_link


def test_a_turn_that_silence_does_not_end_is_counted_only_where_its_socket_is_given_up() -> None:
    scenario = in_turn("one")
    scenario.wait(TIMEOUT_S + GIVE_UP_AFTER_S + 0.2)
    scenario.lose()
    scenario.open()
    scenario.wait(1.0)
    scenario.say(TurnUpdate("r", "two three"))
    scenario.wait(TIMEOUT_S + GIVE_UP_AFTER_S + 0.2)
    assert scenario.notices.count(Notice.OVERDUE) == 2
    assert scenario.client.sockets.hang_up is None
    assert scenario.client.stats.overdue == 1


def test_a_server_that_stalls_after_a_flush_has_closed_its_turn_had_words_all_the_same() -> None:
    scenario = in_turn()
    scenario.client.flush(scenario.now)
    scenario.wait(FLUSH_S + 0.1)
    assert scenario.told == ["end a b"]
    scenario.speak(TIMEOUT_S + STALLED_AFTER_S + 0.2)
    assert scenario.notices == [Notice.STALLED]
    assert scenario.client.sockets.hang_up is HangUp.STALLED
