"""Audio that comes before there is a socket."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.limits import Limits
from livekit.plugins.cartesia_turns.wire.messages import Close
from support.scenario import RATE, Scenario


def test_audio_that_was_pushed_and_ended_before_the_socket_is_up_is_sent_and_closed() -> None:
    scenario = Scenario(linked=False)
    scenario.speak(0.3)
    scenario.client.end_input()
    assert scenario.client.sockets.wants_link
    assert not scenario.client.sockets.finished
    scenario.open()
    assert scenario.audio == [1, 2, 3]
    assert scenario.commands[-1] == Close()


def test_a_stream_that_ends_before_it_began_needs_no_socket() -> None:
    scenario = Scenario(linked=False)
    scenario.client.end_input()
    assert scenario.client.sockets.finished
    assert not scenario.client.sockets.wants_link


def test_a_minute_in_one_frame_is_cut_and_the_newest_of_it_survives() -> None:
    scenario = Scenario(linked=False, limits=Limits(buffer_s=10.0))
    scenario.client.push_audio(bytes(2 * RATE * 60), scenario.now)
    assert 9.0 <= scenario.client.stats.held_s <= 10.0
    assert scenario.client.stats.lost_s == pytest.approx(60 - scenario.client.stats.held_s)
