"""The attempts to have a socket, one after another: what follows the end of each, and the wait before the next.

A `Listener` is told what happens to them, and also what comes in while a socket is open.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Protocol

from livekit.agents import APIError

from ..core.backoff import RetryPolicy
from ..core.client import TurnsClient
from ..core.events import ClientEvent
from ..core.link import HangUp
from ..core.retry import Decision, Ending, decide
from ..core.stats import Stats
from ..errors import DroppedError
from ..wire.messages import Connected, ServerMessage, TurnEnd
from .endings import SocketEnd, failure_of


class Listener(Protocol):
    """Is told what happens by a driver."""

    def events(self, events: Sequence[ClientEvent], stats: Stats | None) -> None:
        """The client has these events. Its counters are `stats`; None for steps inside a turn."""

    def connected(self, request_id: str, connect_s: float, *, reused: bool, is_first: bool) -> None:
        """A socket is open and the server said so, `connect_s` seconds after it was asked for."""

    def disconnected(self, reason: str, code: int | None) -> None:
        """A socket has ended; `reason` is a static text, and `code` the close code if there was one."""

    def attempt_failed(self, error: APIError, retry_in_s: float | None) -> None:
        """A connection could not be made or did not last. The next attempt follows in `retry_in_s`; None: no other."""

    def dropped(self, error: DroppedError, *, in_turn: bool, at_once: bool) -> None:
        """A socket was lost. The next one follows, `at_once` or in the time that `attempt_failed` is told."""

    def odd_frame(self, kind: str) -> None:
        """A frame came in that is no message, or one of a type that this client does not know."""


class Attempts:
    """The attempts to connect of one stream.

    Args:
        client: the stream's.
        listener: is told of attempts that fail.
        history: the rules, and the failures so far.
    """

    __slots__ = ("_began_at", "_client", "_is_greeted", "_listener", "history", "in_call")

    def __init__(self, client: TurnsClient, listener: Listener, history: RetryPolicy) -> None:
        self.history = history
        self.in_call: bool = False
        """A server has said `connected` to this stream."""
        self._client = client
        self._listener = listener
        self.begin()

    def begin(self) -> None:
        """An attempt begins."""
        self._began_at = time.monotonic()
        self._is_greeted = False

    def heard(self, message: ServerMessage, now: float, *, reused: bool = False) -> None:
        """A message came in. The attempt has succeeded with `connected`, and the socket with the end of a turn.

        Args:
            message: any.
            now: the present.
            reused: the socket was prewarmed.
        """
        if isinstance(message, Connected) and not self._is_greeted:
            self.in_call = self._is_greeted = True
            is_first = self._client.stats.connections == 1
            self._listener.connected(message.request_id, now - self._began_at, reused=reused, is_first=is_first)
        elif isinstance(message, TurnEnd):
            self.history.succeeded()

    def socket_over(self, end: SocketEnd) -> Decision:
        """A socket has ended, and the client was told. Tells the listener, and returns what follows."""
        self._listener.disconnected(end.reason, end.drop.code if end.drop else None)
        if end.hang_up is HangUp.NOT_CONNECTED:
            self._client.attempt_failed()
        ending = self.ending(end.failure, end.hang_up, end.served_s, is_over=self._client.sockets.finished)
        decision = self.decide(ending)
        if end.drop and end.hang_up is None and not ending.needs_no_other:
            self._listener.dropped(end.drop, in_turn=end.in_turn, at_once=decision.delay_s == 0.0)
        return decision

    def ending(
        self, error: APIError | None, hang_up: HangUp | None = None, connected_s: float = 0.0, *, is_over: bool = False
    ) -> Ending:
        """How a socket, or the attempt to open one, has ended. The client must have been told before.

        Args:
            error: what went wrong, if it did.
            hang_up: why the client closed the socket, if it did.
            connected_s: how long it was open, in seconds; 0 without a `connected`.
            is_over: the input has ended and no more events can come of it.
        """
        client = self._client
        return Ending(
            failure_of(error) if error else None,
            hang_up,
            connected_s,
            in_call=self.in_call,
            in_turn=client.turn.is_open,
            is_idle=client.is_idle,
            with_less=client.sockets.tries_again and error is not None and hang_up is None,
            is_over=is_over,
        )

    def decide(self, ending: Ending) -> Decision:
        """What follows this ending."""
        # Jitter spreads the attempts of many streams. It need not be secret.
        decision = decide(ending, self.history, time.monotonic(), jitter=random.random())  # noqa: S311
        self.history = decision.history
        return decision

    async def go_on(self, decision: Decision, error: APIError | None) -> None:
        """Reports a failure and waits before the next attempt, as was decided.

        Raises:
            APIError: another attempt makes no sense.
        """
        if error and decision.is_told:
            self._listener.attempt_failed(error, decision.delay_s)
        if error and decision.delay_s is None:
            raise error
        if decision.delay_s:
            await asyncio.sleep(decision.delay_s)
