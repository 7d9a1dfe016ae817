"""The times of speech, the usage and the measures that the events of a turn have."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.chunk import Chunk
from livekit.plugins.cartesia_turns.core.events import TurnEvent
from livekit.plugins.cartesia_turns.core.feed import Feed
from livekit.plugins.cartesia_turns.core.measures import EndedBy, Measures
from livekit.plugins.cartesia_turns.core.pacing import Pace
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.core.sockets import Sockets
from livekit.plugins.cartesia_turns.core.timeouts import Watchdog
from livekit.plugins.cartesia_turns.core.turn import Turn
from livekit.plugins.cartesia_turns.core.turns import Turns
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnMessage, TurnStart, TurnUpdate
from livekit.plugins.cartesia_turns.wire.options import Options
from support.noise import FRAME_S, push

LOUD, SOFT = -6.0, -76.0


class Told:
    """A turn, what is told of it, and the audio."""

    def __init__(self) -> None:
        self.feed = Feed(16000, 60.0, 0.0)
        self._turn = Turn()
        sockets = Sockets(Options(), Limits(), Pace(), self._turn, self.feed.buffer)
        self._turns = Turns(self._turn, self.feed, sockets, Watchdog(0.5))

    def say(self, message: TurnMessage, now: float) -> TurnEvent:
        """The one event that comes of a message."""
        (event,) = self._turns.heard(message, self._turn.receive(message), now, live=0)
        assert isinstance(event, TurnEvent)
        return event

    def close(self, now: float) -> TurnEvent:
        """The event of a turn that the client ends."""
        (event,) = self._turns.close(now)
        assert isinstance(event, TurnEvent)
        return event


def measures_of(event: TurnEvent) -> Measures:
    assert event.measures is not None
    return event.measures


def test_the_steps_of_a_turn_get_the_times_of_its_speech_its_usage_and_its_measures() -> None:
    told = Told()
    now = push(told.feed.activity, LOUD, 0.22, push(told.feed.activity, SOFT, 1.0, 0.0))
    started = told.say(TurnStart("r"), now)
    assert started.at == pytest.approx(1.0, abs=2 * FRAME_S)
    assert told.say(TurnUpdate("r", "hi"), now).at is None
    now = push(told.feed.activity, SOFT, 2.0, push(told.feed.activity, LOUD, 0.78, now))
    told.feed.push_silence(3.5)
    while (chunk := told.feed.buffer.peek()) is not None:
        told.feed.sent(chunk, now)
    ended = told.say(TurnEnd("r", "hi there"), now)
    assert ended.at == pytest.approx(2.0, abs=2 * FRAME_S)
    assert ended.usage_s == 3.5
    assert measures_of(ended).ended_by is EndedBy.SERVER
    assert measures_of(ended).end_delay_s == pytest.approx(2.0, abs=2 * FRAME_S)


def test_where_no_speech_was_heard_the_end_has_no_delay() -> None:
    told = Told()
    told.say(TurnStart("r"), 1.0)
    ended = told.close(2.0)
    assert measures_of(ended) == Measures(EndedBy.PLUGIN)


def test_where_voice_waits_the_end_of_the_speech_is_not_known() -> None:
    told = Told()
    told.say(TurnStart("r"), 0.0)
    now = push(told.feed.activity, SOFT, 1.0, push(told.feed.activity, LOUD, 1.0, 0.0))
    told.feed.buffer.append(Chunk(bytes(640), FRAME_S, voiced=True))
    ended = told.say(TurnEnd("r", "hi"), now)
    assert measures_of(ended).end_delay_s is None
