"""Audio that comes before there is a socket, and audio that goes out without a decision."""

from __future__ import annotations

from itertools import pairwise

import pytest
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.events import are_inside_turn
from livekit.plugins.cartesia_turns.core.link import Ping
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.core.settling import PROBE_S
from livekit.plugins.cartesia_turns.wire.messages import Close, Connected, TurnEnd, TurnStart, TurnUpdate
from livekit.plugins.cartesia_turns.wire.options import Options
from support.scenario import RATE, Scenario

FRAME = b"\x00\x30\x00\xd0" * 160


def in_turn(buffer_s: float = 60.0) -> TurnsClient:
    """A client whose server is in a turn, and that has sent its first ping."""
    client = TurnsClient(Options(), Limits(buffer_s=buffer_s), 9.0)
    client.link_opened(Options(), 9.0)
    client.receive(Connected("r"), 9.1)
    client.receive(TurnStart("r", "t"), 9.9)
    for ping in send(client, 10.0):
        client.pong(ping.payload, 10.0)
    return client


def push(client: TurnsClient, frame: bytes, now: float) -> None:
    """Pushes a frame as the shell does: live if that may be."""
    if not client.live.take(frame, now):
        client.push_audio(frame, now)
    elif client.live.is_full:
        client.live_sent(now)


def send(client: TurnsClient, now: float) -> list[Ping]:
    """Sends what may go out now, and returns the pings among it."""
    items = []
    while (item := client.outgoing(now)) is not None:
        client.sent(item, now)
        items.append(item)
    return [item for item in items if isinstance(item, Ping)]


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


def test_pings_in_a_turn_do_not_wait_for_the_booking_of_live_audio_and_tell_what_arrived() -> None:
    client, pinged, unbooked = in_turn(), list[float](), list[int]()
    for number in range(1, 101):
        now = 10.0 + 0.02 * number
        push(client, FRAME, now)
        for ping in send(client, now):
            pinged.append(0.02 * number)
            unbooked.append(client.live.samples)
            client.pong(ping.payload, now)
    assert len(pinged) >= 9
    assert sum(map(bool, unbooked)) >= len(pinged) // 2 - 1
    assert all(later - sooner == pytest.approx(PROBE_S) for sooner, later in pairwise(pinged))
    assert client.stats.sent_s == 2.0
    # The end of the turn settles all that arrived but its tail, whether it was booked by then or not.
    client.receive(TurnEnd("r", "so", "t"), 12.0)
    assert client.stats.held_s == pytest.approx(0.2)


@pytest.mark.parametrize("frame_s", [0.05, 0.06, 0.1, 0.2, 0.21, 0.25, 0.3])
def test_long_frames_are_sent_and_counted_in_a_turn_too(frame_s: float) -> None:
    client = in_turn()
    frame = FRAME[:4] * round(Options().sample_rate * frame_s / 2)
    for number in range(1, 21):
        now = 10.0 + frame_s * number
        push(client, frame, now)
        send(client, now)
    client.book_live()
    assert client.stats.sent_s == client.stats.held_s == pytest.approx(20 * frame_s)


def test_a_socket_that_is_lost_before_its_live_audio_is_booked_loses_none_of_it() -> None:
    client = in_turn()
    for number in range(1, 31):
        now = 10.0 + 0.02 * number
        push(client, FRAME, now)
        if not client.live.wants_ping:
            send(client, now)
    assert client.live.samples
    client.link_lost(10.7, abrupt=True)
    assert client.stats.backlog_s == pytest.approx(0.6)


def test_live_audio_that_is_not_booked_yet_counts_towards_the_limit_of_the_buffer() -> None:
    client = in_turn(buffer_s=2.0)
    for number in range(1, 301):
        now = 10.0 + 0.02 * number
        push(client, FRAME, now)
        send(client, now)
        assert client.stats.held_s <= 2.0
    assert client.stats.sent_s == pytest.approx(6.0)


def test_a_deadline_in_a_turn_is_the_same_before_live_audio_is_booked_and_after() -> None:
    client = in_turn()
    for count in range(1, 40):
        now = 10.0 + 0.02 * count
        push(client, FRAME, now)
        send(client, now)
        before = client.deadline
        assert before == pytest.approx(now + 0.4)
        client.book_live()
        assert client.deadline == before


def test_a_deadline_in_a_turn_is_no_later_where_the_pieces_of_audio_become_shorter() -> None:
    client = in_turn()
    push(client, 15 * FRAME, 10.3)
    send(client, 10.3)
    assert client.deadline == pytest.approx(10.3 + 0.5)
    push(client, FRAME, 10.32)
    before = client.deadline
    assert client.live.samples
    client.book_live()
    assert before == client.deadline == pytest.approx(10.32 + 0.4)


@pytest.mark.parametrize("starts", [False, True])
def test_text_with_which_the_servers_turn_begins_has_the_shell_look_at_the_deadline(*, starts: bool) -> None:
    client = in_turn()
    client.receive(TurnUpdate("r", "so"), 10.0)
    client.link_lost(10.1)
    client.link_opened(Options(), 10.2)
    client.receive(Connected("r"), 10.3)
    for count in range(1, 60):
        now = 10.3 + 0.02 * count
        push(client, FRAME, now)
        for ping in send(client, now):
            client.pong(ping.payload, now)
    assert client.live.is_open
    client.take_events()
    if starts:
        client.receive(TurnStart("r", "t"), 11.6)
    client.receive(TurnUpdate("r", "so it goes"), 11.6)
    assert are_inside_turn(client.take_events())
    assert not client.live.is_open
    assert client.deadline < 12.1
