"""The speed at which audio that has waited is sent."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.chunk import ONSET_S
from livekit.plugins.cartesia_turns.core.events import Notice
from livekit.plugins.cartesia_turns.core.feed import SILENCE_S
from livekit.plugins.cartesia_turns.core.pacing import BURST_S, CATCH_UP_SPEED
from livekit.plugins.cartesia_turns.core.requests import FLUSH_SILENCE_S, Limits
from livekit.plugins.cartesia_turns.wire.messages import Close, ErrorMessage, TurnEnd
from livekit.plugins.cartesia_turns.wire.options import Options
from support.scenario import RATE, Scenario, in_turn


def test_a_socket_that_ends_while_it_is_sent_a_backlog_makes_the_next_one_slower() -> None:
    scenario = in_turn()
    scenario.speak(3.0)
    took_s = []
    for _ in range(4):
        scenario.lose()
        scenario.open()
        began = scenario.now
        while scenario.client.stats.backlog_s:
            scenario.wait(0.1)
        took_s.append(scenario.now - began)
    assert took_s == pytest.approx([4 / 4, 4 / 2, 4 / 1.4, 4.0 - ONSET_S / 2], abs=0.3)
    assert scenario.notices.count(Notice.SLOWER) == 3


def test_what_ends_a_socket_that_was_sent_live_audio_is_not_the_speed() -> None:
    scenario = Scenario()
    for _ in range(3):
        scenario.speak(9.0, is_silent=True)
        scenario.lose()
        scenario.open()
    assert Notice.SLOWER not in scenario.notices


@pytest.mark.parametrize("hung_up", [True, False])
def test_a_socket_that_is_given_up_or_refused_is_not_blamed_on_the_speed(hung_up: bool) -> None:
    scenario = in_turn()
    scenario.speak(9.0)
    scenario.lose()
    scenario.open()
    scenario.wait(1.0)
    if hung_up:
        scenario.say(TurnEnd("r", "a b"))
        scenario.client.update(Options(sample_rate=RATE, keyterms=("LiveKit",)))
    else:
        scenario.say(ErrorMessage("Who are you?", status_code=401))
    scenario.lose()
    assert not scenario.client.sockets.tries_again


def test_a_close_that_was_asked_for_is_not_blamed_on_the_speed() -> None:
    scenario = Scenario(linked=False)
    scenario.speak(5.0)
    scenario.client.end_input()
    scenario.open()
    scenario.wait(5.0 / CATCH_UP_SPEED)
    assert Close() in scenario.sent
    scenario.lose(clean=True)
    assert Notice.SLOWER not in scenario.notices
    assert not scenario.client.sockets.tries_again


def test_at_real_time_long_silence_is_left_out_so_that_a_backlog_is_gone_in_the_end() -> None:
    scenario = Scenario(limits=Limits(catch_up_speed=1.0), linked=False)
    scenario.number = 10
    for _ in range(3):
        scenario.speak(2.0, answers=False)
        scenario.speak(4.0, is_silent=True, answers=False)
    scenario.open()
    scenario.speak(12.0, is_silent=True)
    assert scenario.client.stats.backlog_s == 0
    voiced = [number for number in scenario.audio if number]
    assert voiced == [*range(11, 31), *range(71, 91), *range(131, 151)]
    assert scenario.client.stats.lost_s == 0


def test_silence_in_place_of_audio_goes_out_at_the_pace_of_a_backlog() -> None:
    scenario = in_turn()
    scenario.sent.clear()
    scenario.client.flush(scenario.now)
    scenario.pump()
    at_once = len(scenario.audio)
    scenario.wait((FLUSH_SILENCE_S - BURST_S) / CATCH_UP_SPEED + 0.05)
    assert at_once * SILENCE_S <= BURST_S + SILENCE_S
    assert len(scenario.audio) * SILENCE_S == pytest.approx(FLUSH_SILENCE_S)
