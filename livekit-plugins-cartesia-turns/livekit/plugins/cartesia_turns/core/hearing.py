"""What the server says, and what each message and each pong means to the parts of a client.

The client calls these methods in order, and books live audio between them where that is needed. All times are monotonic
seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ..wire.messages import (
    Connected,
    ErrorMessage,
    ServerMessage,
    SpokenMessage,
    TurnEnd,
    TurnMessage,
    Unknown,
)
from .events import ClientEvent, TurnEvent
from .feed import Feed
from .hangs import Hangs
from .live_lane import LiveLane
from .sockets import Sockets
from .turn import Turn
from .turns import Turns

News: TypeAlias = Connected | TurnMessage


class Hearing:
    """Takes what comes in on the present socket.

    Args:
        hangs: follows whether the server still answers.
        turn: the current turn.
        turns: tells its steps.
        feed: the audio.
        sockets: the sockets.
        live: the live audio that is not booked yet.
    """

    __slots__ = ("_feed", "_hangs", "_live", "_sockets", "_turn", "_turns")

    def __init__(self, hangs: Hangs, turn: Turn, turns: Turns, feed: Feed, sockets: Sockets, *, live: LiveLane) -> None:
        self._hangs = hangs
        self._turn = turn
        self._turns = turns
        self._feed = feed
        self._live = live
        self._sockets = sockets

    def news(self, message: ServerMessage, now: float) -> News | None:
        """Returns what is new in a message; None if there is nothing more to do. An error is noted with the socket."""
        if (link := self._sockets.link) is None:
            return None
        news = link.after_end.news(message)
        if isinstance(news, ErrorMessage):
            link.failed(news, now)
            return None
        return None if isinstance(news, Unknown) else news

    def needs_audio(self, news: News) -> bool:
        """Whether live audio must be booked before the news are taken.

        New text in a turn does not depend on that audio, so it need not wait for the booking.
        """
        link = self._sockets.link
        return link is None or not link.in_turn or isinstance(news, TurnEnd) or not isinstance(news, SpokenMessage)

    def take(self, news: News, now: float) -> Sequence[TurnEvent]:
        """Takes the news. Returns the steps of the turn to tell; for a START or an END, book all audio first."""
        link = self._sockets.link
        if link is None:
            return ()
        was_in_turn = link.in_turn
        link.heard(news, now)
        if link.in_turn != was_in_turn:
            # Pings are sent at other times from now on, so live audio needs a decision.
            self._live.close()
        if link.in_turn and not was_in_turn:
            self._feed.turn_started(link.receipts, now, finishing=link.close_sent)
            self._hangs.turn_started(now)
        self._feed.flows()
        self._turn.request_id = news.request_id or self._turn.request_id
        if isinstance(news, Connected):
            return ()
        steps = self._turn.receive(news)
        settles = self._turn.is_open or isinstance(news, TurnEnd)
        self._hangs.heard(now, has_text=bool(self._turn.length), settles=settles)
        return steps

    def told(self, news: News, steps: Sequence[TurnEvent], now: float) -> list[ClientEvent]:
        """What the news mean to the consumer; `steps` are those that `take` returned."""
        return [] if isinstance(news, Connected) else self._turns.heard(news, steps, now, live=self._live.samples)

    def pong(self, payload: bytes, now: float) -> float | None:
        """Takes the answer to a ping: the server has received all audio that was sent before that ping.

        Returns:
            When that ping was sent, if `forget` may follow: the server is in no turn, and it hears. None if not.
        """
        link = self._sockets.link
        if link is None:
            return None
        ping_at = link.pong(payload, now)
        self._sockets.counters.rtt_s = link.liveness.rtt_s
        is_between_turns = link.is_connected and not (self._turn.is_open or link.in_turn)
        # A deaf server has received the audio too, but the next socket needs it.
        is_given_up = link.hang_up or self._hangs.is_deaf
        return ping_at if is_between_turns and not is_given_up else None

    def forget(self, ping_at: float) -> None:
        """Forgets audio sent before this ping, except the pre-roll and speech that may yet start a turn."""
        link = self._sockets.link
        if link is None or (received := link.receipts.received) is None:
            return
        self._feed.forget_idle(received, ping_at, is_in_doubt=self._hangs.may_be_deaf)
        self._turns.forget_closed()
