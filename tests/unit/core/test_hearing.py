"""What a message or a pong means, before and after live audio is booked."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.chunk import Pieces
from livekit.plugins.cartesia_turns.core.events import Kind, TurnEvent
from livekit.plugins.cartesia_turns.core.feed import PRE_ROLL_S, Feed
from livekit.plugins.cartesia_turns.core.hangs import Hangs
from livekit.plugins.cartesia_turns.core.hearing import Hearing, News
from livekit.plugins.cartesia_turns.core.link import HangUp, Ping
from livekit.plugins.cartesia_turns.core.live_lane import LiveLane
from livekit.plugins.cartesia_turns.core.pacing import Allowance, Pace
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.core.settling import SERVER_LAG_S
from livekit.plugins.cartesia_turns.core.sockets import Sockets
from livekit.plugins.cartesia_turns.core.turn import Turn
from livekit.plugins.cartesia_turns.core.turns import Turns
from livekit.plugins.cartesia_turns.wire.messages import (
    Connected,
    ErrorMessage,
    TurnEagerEnd,
    TurnEnd,
    TurnResume,
    TurnStart,
    TurnUpdate,
    Unknown,
)
from livekit.plugins.cartesia_turns.wire.options import Options

RATE = 16000


def frames(count: int) -> Pieces:
    """So many frames of 20 ms, sent in real time from 0 on."""
    return Pieces([bytes(640)] * count, [0.02 * number for number in range(1, count + 1)])


class Hears:
    """A socket that is open, with everything that hears what comes in on it."""

    def __init__(self, *, is_open: bool = True) -> None:
        turn, hangs, self.live = Turn(), Hangs(0.5), LiveLane(16_000)
        self.feed = Feed(RATE, 60.0, 0.0)
        self.sockets = Sockets(Options(sample_rate=RATE), Limits(), Pace(), turn, self.feed.buffer)
        turns = Turns(turn, self.feed, self.sockets, hangs.watchdog)
        self.hearing = Hearing(hangs, turn, turns, self.feed, self.sockets, live=self.live)
        if is_open:
            self.sockets.opened(Options(sample_rate=RATE), 0.0)

    def hears(self, *messages: News, now: float = 1.0) -> list[TurnEvent]:
        told = []
        for message in messages:
            told += self.hearing.told(message, self.hearing.take(message, now), now)
        return [event for event in told if isinstance(event, TurnEvent)]

    def ping(self, now: float) -> None:
        assert self.sockets.link is not None
        self.sockets.link.sent(Ping(b"0"), self.feed.buffer, now)


def test_what_comes_in_without_a_socket_is_no_news() -> None:
    call = Hears(is_open=False)
    assert call.hearing.news(TurnStart("r"), 1.0) is None
    assert call.hears(TurnStart("r")) == []
    assert call.hearing.pong(b"0", 1.0) is None


def test_an_unknown_message_is_no_news_and_an_error_is_noted_with_the_socket() -> None:
    call, error = Hears(), ErrorMessage("No.", status_code=400)
    assert call.hearing.news(Unknown("later"), 1.0) is None
    assert call.sockets.failure is None
    assert call.hearing.news(error, 1.0) is None
    assert call.sockets.failure is error


@pytest.mark.parametrize(
    ("message", "between_turns", "in_turn"),
    [
        (Connected("r"), True, True),
        (TurnStart("r"), True, True),
        (TurnUpdate("r", "so"), True, False),
        (TurnEagerEnd("r", "so"), True, False),
        (TurnResume("r"), True, True),
        (TurnEnd("r", "so"), True, True),
    ],
)
def test_only_new_text_in_a_turn_does_not_wait_for_the_booking_of_audio(
    message: News, between_turns: bool, in_turn: bool
) -> None:
    call = Hears()
    assert call.hearing.needs_audio(message) is between_turns
    call.hears(TurnStart("r"))
    assert call.hearing.needs_audio(message) is in_turn


def test_live_audio_needs_a_decision_as_soon_as_a_turn_starts_or_ends_and_not_at_new_text() -> None:
    call = Hears()
    steps: list[tuple[News, bool]] = [
        (TurnStart("r"), False),
        (TurnUpdate("r", "so"), True),
        (TurnEnd("r", "so"), False),
    ]
    for message, goes_on in steps:
        call.live.open(Allowance(0.02))
        call.hears(message)
        assert call.live.take(bytes(640), 1.0) is goes_on
        call.live.clear()


def test_the_steps_of_a_turn_are_told_with_the_name_of_the_socket() -> None:
    call = Hears()
    told = call.hears(Connected("a"), TurnStart(""), TurnUpdate("b", "so"), TurnEnd("b", "so"))
    assert [(event.kind, event.request_id) for event in told] == [
        (Kind.START, "a"),
        (Kind.UPDATE, "b"),
        (Kind.END, "b"),
    ]


@pytest.mark.parametrize("message", [None, TurnStart("r"), TurnUpdate("r", "so")])
def test_a_pong_lets_audio_be_forgotten_only_between_turns(message: News | None) -> None:
    call = Hears()
    call.hears(Connected("r"), *([message] if message else []))
    call.ping(2.0)
    assert call.hearing.pong(b"0", 2.1) == (2.0 if message is None else None)


def test_a_pong_of_a_socket_that_is_given_up_lets_no_audio_be_forgotten() -> None:
    call = Hears()
    call.hears(Connected("r"))
    call.ping(2.0)
    call.sockets.hang_up_for(HangUp.STALLED)
    assert call.hearing.pong(b"0", 2.1) is None


def test_all_but_the_pre_roll_of_what_the_server_received_in_silence_is_forgotten() -> None:
    call = Hears()
    call.hears(Connected("r"))
    call.feed.push_sent(frames(499))
    call.ping(10.0)
    ping_at = call.hearing.pong(b"0", 10.1)
    assert ping_at is not None
    call.hearing.forget(ping_at)
    assert call.feed.buffer.held_s < 3.0


def test_audio_that_is_not_booked_yet_when_its_ping_is_answered_loses_no_pre_roll() -> None:
    call = Hears()
    call.hears(Connected("r"))
    call.feed.push_sent(frames(250))
    assert call.sockets.link is not None
    call.sockets.link.ping_sent(call.feed.buffer.sent_to + 6400, 5.4, live_s=0.4)
    ping_at = call.hearing.pong(b"0", 5.41)
    assert ping_at is not None
    call.hearing.forget(ping_at)
    assert call.feed.buffer.held_s >= PRE_ROLL_S + SERVER_LAG_S
