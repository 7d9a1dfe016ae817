"""One socket's life: what goes out and when, and when it has to go. No socket, no clock."""

from __future__ import annotations

import math

import pytest
from livekit.plugins.cartesia_turns.core.audio_queue import ReplayBuffer
from livekit.plugins.cartesia_turns.core.chunk import Chunk
from livekit.plugins.cartesia_turns.core.link import DRAIN_S, LONGEST_DRAIN_S, HangUp, Link, Outgoing, Ping
from livekit.plugins.cartesia_turns.core.liveness import DEAD_AFTER_S
from livekit.plugins.cartesia_turns.core.pacing import BURST_S, CATCH_UP_SPEED, IN_FLIGHT_S
from livekit.plugins.cartesia_turns.core.settling import SERVER_LAG_S
from livekit.plugins.cartesia_turns.wire.messages import (
    Close,
    Config,
    Connected,
    ServerMessage,
    TurnEagerEnd,
    TurnEnd,
    TurnResume,
    TurnSettings,
    TurnStart,
    TurnUpdate,
)
from livekit.plugins.cartesia_turns.wire.options import Options

OPTIONS = Options()
RATE = OPTIONS.sample_rate


def link() -> Link:
    return Link(OPTIONS, 10.0, 0.0)


def buffer(count: int = 0) -> ReplayBuffer:
    filled = ReplayBuffer(60, RATE)
    for _ in range(count):
        filled.append(Chunk(bytes(2 * RATE // 10), 0.1))
    return filled


def send_all(
    subject: Link, audio: ReplayBuffer, now: float, *, wanted: Options = OPTIONS, ending: bool = False
) -> list[Outgoing]:
    """Sends all that may be sent at this moment."""
    sent: list[Outgoing] = []
    while (item := subject.outgoing(audio, wanted, now, ending=ending)) is not None:
        if isinstance(item, Chunk):
            audio.advance(item, now)
        subject.sent(item, audio, now)
        sent.append(item)
    return sent


def kinds(items: list[Outgoing]) -> list[type[Outgoing]]:
    return [type(item) for item in items]


def test_audio_goes_out_before_the_server_said_connected() -> None:
    subject = link()
    assert kinds(send_all(subject, buffer(1), 0.0)) == [Ping, Chunk]
    assert not subject.is_connected


def test_a_close_follows_the_last_audio_and_nothing_but_pings_follows_it() -> None:
    subject, audio = link(), buffer(1)
    assert kinds(send_all(subject, audio, 0.0, ending=True)) == [Ping, Chunk, Close, Ping]
    audio.append(Chunk(bytes(2 * RATE // 10), 0.1))
    assert kinds(send_all(subject, audio, 3.0, ending=True)) == [Ping]


def test_a_backlog_waits_for_a_peer_that_has_not_yet_received_what_it_was_sent() -> None:
    subject, audio = link(), buffer(500)
    now, sent = 0.0, []
    for _ in range(60):
        sent += send_all(subject, audio, now)
        now = round(now + 0.1, 1)
    assert 0.1 * kinds(sent).count(Chunk) == pytest.approx(IN_FLIGHT_S, abs=0.1)
    assert subject.send_at(audio) >= now - 0.1
    pings = [item for item in sent if isinstance(item, Ping)]
    subject.pong(pings[-1].payload, now)
    assert Chunk in kinds(send_all(subject, audio, now))


def test_live_audio_does_not_wait_for_an_answer() -> None:
    subject, audio = link(), buffer()
    for step in range(80):
        audio.append(Chunk(bytes(2 * RATE // 10), 0.1))
        assert Chunk in kinds(send_all(subject, audio, step / 10))


def test_changed_settings_go_out_once_and_ahead_of_the_audio() -> None:
    subject, audio = link(), buffer(1)
    wanted = Options(turn=TurnSettings(end_timeout_ms=900))
    sent = send_all(subject, audio, 0.0, wanted=wanted)
    assert sent[1] == Config(wanted.turn)
    assert kinds(sent) == [Ping, Config, Chunk]
    assert subject.configs.in_force.turn == wanted.turn
    assert send_all(subject, audio, 0.0, wanted=wanted) == []


def test_settings_that_change_twice_before_they_can_go_out_go_out_once() -> None:
    last = Options(turn=TurnSettings(end_timeout_ms=1000))
    assert kinds(send_all(link(), buffer(), 0.0, wanted=last)) == [Ping, Config]


def test_no_connected_within_the_timeout_hangs_up() -> None:
    subject = Link(OPTIONS, 4.0, 0.0)
    assert subject.deadline == 4.0
    subject.check(3.9)
    assert subject.hang_up is None
    subject.check(4.0)
    assert subject.hang_up is HangUp.NOT_CONNECTED
    assert subject.deadline == subject.send_at(buffer(1)) == math.inf
    assert subject.outgoing(buffer(1), OPTIONS, 5.0, ending=True) is None


def test_a_server_that_answers_nothing_is_dead_after_nine_seconds() -> None:
    subject = link()
    subject.heard(Connected("r"), 1.0)
    assert subject.deadline == 1.0 + DEAD_AFTER_S
    subject.check(10.0)
    assert subject.hang_up is HangUp.DEAD


def test_a_server_that_keeps_talking_is_given_longer_to_close_but_not_for_ever() -> None:
    subject = link()
    subject.heard(Connected("r"), 0.0)
    send_all(subject, buffer(), 1.0, ending=True)
    for now in range(2, 1 + int(LONGEST_DRAIN_S)):
        subject.heard(TurnUpdate("r", "more"), now)
        subject.check(now)
        assert subject.hang_up is None
    subject.check(1.0 + LONGEST_DRAIN_S)
    assert subject.hang_up is HangUp.DRAINED


def test_a_server_that_falls_silent_after_the_close_is_given_five_seconds() -> None:
    subject = link()
    subject.heard(Connected("r"), 0.0)
    send_all(subject, buffer(), 1.0, ending=True)
    subject.check(1.0 + DRAIN_S - 0.1)
    assert subject.hang_up is None
    subject.check(1.0 + DRAIN_S)
    assert subject.hang_up is HangUp.DRAINED


@pytest.mark.parametrize(
    ("messages", "in_turn"),
    [
        ([Connected("r")], False),
        ([TurnStart("r")], True),
        ([TurnStart("r"), TurnEagerEnd("r", "a"), TurnResume("r")], True),
        ([TurnStart("r"), TurnEnd("r", "")], False),
        ([TurnUpdate("r", "a")], True),
        ([TurnUpdate("r", " "), TurnResume("r"), TurnEnd("r", "a")], False),
    ],
)
def test_the_server_is_in_a_turn_from_its_first_sign_to_its_end(messages: list[ServerMessage], in_turn: bool) -> None:
    subject = link()
    for message in messages:
        subject.heard(message, 0.0)
    assert subject.in_turn == in_turn


def test_real_time_audio_is_never_held_back() -> None:
    subject, audio, now = link(), ReplayBuffer(60, RATE), 0.0
    pattern = ([True] * 20 + [False] * 30) * 10
    for voiced in pattern:
        now += 0.02
        audio.append(Chunk(bytes(2 * RATE // 50), 0.02, voiced=voiced))
        send_all(subject, audio, now)
        assert not audio.has_backlog


def catch_up(subject: Link, audio: ReplayBuffer, now: float = 0.0) -> tuple[float, list[float]]:
    """Sends a backlog as fast as a peer that answers at once lets it; when it was gone, and when each chunk went."""
    times = []
    while audio.has_backlog:
        now = max(now, subject.send_at(audio))
        for item in send_all(subject, audio, now):
            if isinstance(item, Ping):
                subject.pong(item.payload, now)
            elif isinstance(item, Chunk):
                times.append(now)
    return now, times


def test_a_backlog_is_sent_faster_than_real_time_but_not_at_once() -> None:
    done_at, _ = catch_up(link(), buffer(300))
    assert done_at == pytest.approx((30 - BURST_S) / CATCH_UP_SPEED, abs=0.1)


@pytest.mark.parametrize(("in_turn", "sent"), [(False, 13), (True, 30)])
def test_at_real_time_long_silence_of_a_backlog_is_left_out_but_not_in_a_turn(in_turn: bool, sent: int) -> None:
    subject, audio = Link(OPTIONS, 10.0, 0.0, speed=1.0), ReplayBuffer(60, RATE)
    for number in range(30):
        audio.append(Chunk(bytes(2 * RATE // 10), 0.1, voiced=number < 10, is_pause=number >= 10))
    subject.in_turn = in_turn
    _, times = catch_up(subject, audio)
    assert len(times) == sent


def test_a_pause_that_may_end_a_turn_is_waited_out_until_the_server_had_time_to_say_so() -> None:
    audio = ReplayBuffer(60, RATE)
    for voiced in [True] * 5 + [False] * 10 + [True] * 5:
        audio.append(Chunk(bytes(2 * RATE // 10), 0.1, voiced=voiced))
    _, times = catch_up(link(), audio)
    assert times[15] - times[14] == pytest.approx(SERVER_LAG_S)
    assert times[14] - times[4] < SERVER_LAG_S


def test_a_pong_shows_what_was_sent_before_its_own_ping_where_several_went_out_at_one_moment() -> None:
    subject, audio = link(), buffer()
    subject.heard(Connected("r"), 0.0)
    send_all(subject, audio, 0.0)
    subject.in_turn = True
    pings = []
    for _ in range(3):
        audio.append(Chunk(bytes(2 * RATE // 5), 0.2))
        pings += [item for item in send_all(subject, audio, 1.0) if isinstance(item, Ping)]
    received = [subject.receipts.received for ping in pings if subject.pong(ping.payload, 1.1) is not None]
    assert received == [RATE // 5 * count for count in (1, 2, 3)]


def test_pings_follow_speech_before_the_server_says_that_a_turn_has_started() -> None:
    subject, audio, pings = link(), buffer(), list[float]()
    send_all(subject, audio, 0.0)
    subject.heard(Connected("r"), 0.1)
    for number in range(1, 201):
        now = 0.02 * number
        audio.append(Chunk(bytes(2 * RATE // 50), 0.02, voiced=1.0 <= now < 2.0))
        for item in send_all(subject, audio, now):
            if isinstance(item, Ping):
                subject.pong(item.payload, now)
                pings.append(now)
    assert not [now for now in pings if 0.7 < now < 1.0]
    assert len([now for now in pings if 1.0 <= now < 2.6]) >= 7
    assert not [now for now in pings if now > 2.7]
