"""Runs a client: its sockets, one after another, its clock, and whoever has something to do now.

Audio takes one wake-up of the event loop on its way, that of the task that brings it: where nothing waits and the
socket takes it at once, `push` sends it there and then. All else goes out by the socket's own sending task.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Sequence
from typing import Protocol

import aiohttp
from livekit.agents import APIError, APITimeoutError

from ..core.client import TurnsClient
from ..core.events import ClientEvent
from ..core.link import HangUp
from ..core.retry import RetryPolicy, judge, may_try_again
from ..core.stats import Stats
from ..errors import (
    CLEAN_CODES,
    LOST_CODE,
    NOT_ALLOWED,
    DroppedError,
    ServerError,
    came_from_outside,
    not_allowed,
    reason_of,
    vendors_status,
)
from ..wire.messages import Connected, ErrorMessage, ServerMessage, TurnEnd, Unknown
from ..wire.options import Options
from ..wire.protocol import ProtocolError
from .connection import LOST_SENDING, Connection, Pong
from .dialer import Dialer
from .prewarming import WarmConnection
from .tasks import until_done, wait_for_event

GOING_AWAY = 1001
"""The close code of a server that restarts, or has had no audio for too long."""
STREAM_CLOSED = "the stream was closed"


class Listener(Protocol):
    """Hears what a driver has to tell."""

    def events(self, events: Sequence[ClientEvent], stats: Stats) -> None:
        """The client said this; so far it has counted that."""

    def connected(self, request_id: str, connect_s: float, *, reused: bool, is_first: bool) -> None:
        """A socket is open and the server said so, `connect_s` seconds after it was asked for."""

    def disconnected(self, reason: str, code: int | None) -> None:
        """A socket is gone."""

    def attempt_failed(self, error: APIError, retry_in_s: float | None) -> None:
        """A connection could not be made or did not last; the next attempt follows, or none where that is None."""

    def dropped(self, error: DroppedError, *, in_turn: bool, at_once: bool) -> None:
        """A socket was lost; the next one follows, `at_once` or after what `attempt_failed` tells."""

    def odd_frame(self, kind: str) -> None:
        """A frame came that is no message this client knows."""


class Driver:
    """Pumps audio and messages between a client and the sockets that it wants, and calls it in time.

    Args:
        client: the stream's. Once it is driven, it changes by this driver alone.
        listener: hears of each socket, and what the client says.
        dialer: opens the sockets.
        policy: says when to try again.
        timeout_s: bounds an attempt.
    """

    def __init__(
        self, client: TurnsClient, listener: Listener, dialer: Dialer, policy: RetryPolicy, *, timeout_s: float
    ) -> None:
        self._client = client
        self._listener = listener
        self._dialer = dialer
        self._policy = policy
        self._timeout_s = timeout_s
        self._connection: Connection | None = None
        """Where audio goes at present."""
        self._to_send = asyncio.Event()
        self._to_hang_up = asyncio.Event()
        self._to_link = asyncio.Event()
        self._to_finish = asyncio.Event()
        self._to_tick = asyncio.Event()
        self._tick_at = math.inf
        """When the clock looks again by itself."""
        self._attempt_at = time.monotonic()
        self._in_call = False
        """A server has said `connected` to this stream."""
        self._served = False
        """The one of the last socket did."""

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Keeps the client linked until all that could come has come.

        Raises:
            APIError: there is no point in another attempt.
        """
        # Nothing that a finished client has no use for is waited for: no pause, no handshake.
        await until_done(self._to_finish.wait(), self._keep_linked(session), self._keep_time())

    async def push(self, pcm: bytes) -> None:
        """Takes the user's audio, as `TurnsClient.push_audio`."""
        connection = self._connection
        is_clear = connection is not None and connection.is_clear
        try:
            if connection and is_clear and self._client.push_live(pcm, time.monotonic()):
                await connection.send_audio(pcm)
                return
            self._client.push_audio(pcm, time.monotonic())
            if connection and is_clear:
                await self._send_waiting(connection)
        except DroppedError:
            # The sending task ends the socket.
            self._to_send.set()
        self._tell()

    def flush(self) -> None:
        """The user is done for now."""
        self._client.flush(time.monotonic())
        self._tell()

    def end_input(self) -> None:
        """No more audio comes."""
        self._client.end_input()
        self._tell()

    def update(self, options: Options) -> None:
        """Takes over changed options."""
        self._client.update(options)
        self._tell()

    def close_turn(self) -> None:
        """Ends an open turn with the text so far."""
        self._client.close_turn(time.monotonic())
        self._tell()

    def report_usage(self) -> None:
        """Has the audio told that was sent since the last report."""
        self._client.report_usage(time.monotonic())
        self._tell()

    def _tell(self) -> None:
        """Passes on what the client has to tell, and wakes whoever has something to do now."""
        if events := self._client.take_events():
            self._listener.events(events, self._client.stats)
        self._wake()

    def _wake(self) -> None:
        """Wakes whoever has something to do now."""
        client = self._client
        if client.may_send:
            self._to_send.set()
        if client.hang_up:
            self._to_hang_up.set()
        if client.wants_link:
            self._to_link.set()
        if client.finished:
            self._to_finish.set()
        if client.deadline < self._tick_at:
            self._to_tick.set()

    async def _keep_time(self) -> None:
        while True:
            self._tick_at = self._client.deadline
            await wait_for_event(self._to_tick, self._tick_at - time.monotonic())
            self._client.tick(time.monotonic())
            self._tell()

    async def _keep_linked(self, session: aiohttp.ClientSession) -> None:
        while True:
            if not self._client.wants_link:
                await self._to_link.wait()
                self._to_link.clear()
                continue
            try:
                opened = await self._connect(session)
            except APIError as error:
                self._client.attempt_failed(_said(error))
                self._tell()
                if self._client.tries_again:
                    self._listener.attempt_failed(error, 0.0)
                else:
                    await self._back_off(error)
                continue
            failure = await self._use(opened)
            if failure is not None:
                await self._back_off(failure)

    async def _connect(self, session: aiohttp.ClientSession) -> WarmConnection:
        self._attempt_at = time.monotonic()
        urgent = self._client.turn.is_open
        return await self._dialer.connect(session, self._client.options, timeout_s=self._timeout_s, urgent=urgent)

    async def _use(self, opened: WarmConnection) -> APIError | None:
        """Serves one socket to its end; returns what was wrong, None if the next one may follow at once."""
        self._to_hang_up.clear()
        opened_at = time.monotonic()
        connection = opened.connection
        failure: APIError | None = None
        try:
            self._client.link_opened(opened.options, opened_at)
            self._connection = connection
            if opened.greeting is not None:
                self._take_message(opened.greeting, reused=True)
            self._tell()
            await until_done(self._to_hang_up.wait(), self._receive(connection), self._send(connection))
        except APIError as error:
            failure = error
        except asyncio.CancelledError:
            self._listener.disconnected(STREAM_CLOSED, None)
            raise
        finally:
            self._connection = None
            await connection.close()
        return self._link_over(failure, time.monotonic() - opened_at)

    async def _send(self, connection: Connection) -> None:
        while True:
            if connection.is_lost:
                raise DroppedError(LOST_SENDING)
            if not connection.is_sending:
                await self._send_waiting(connection)
            self._wake()
            # What woke this task, or was brought about by itself, has been seen: no need to come back for it.
            self._to_send.clear()
            await wait_for_event(self._to_send, self._client.send_at - time.monotonic())

    async def _send_waiting(self, connection: Connection) -> None:
        """Sends what may go out now."""
        client = self._client
        while (item := client.outgoing(time.monotonic())) is not None:
            await connection.send(item)
            if connection is not self._connection:
                # It was lost meanwhile, and the client has rewound to what it had not confirmed.
                return
            client.sent(item, time.monotonic())

    async def _receive(self, connection: Connection) -> None:
        while True:
            try:
                message = await connection.receive()
            except ProtocolError as error:
                self._listener.odd_frame(str(error))
                continue
            if isinstance(message, Pong):
                self._client.pong(message.payload, time.monotonic())
                # It may let a backlog go on; all deadlines that it moves come later.
                if self._client.may_send:
                    self._to_send.set()
            else:
                self._take_message(message)

    def _take_message(self, message: ServerMessage, *, reused: bool = False) -> None:
        now = time.monotonic()
        if isinstance(message, Unknown):
            self._listener.odd_frame("a message of an unknown type")
        elif isinstance(message, Connected):
            self._in_call = True
            is_first = self._client.stats.connections == 1
            connect_s = now - self._attempt_at
            self._listener.connected(message.request_id, connect_s, reused=reused, is_first=is_first)
        elif isinstance(message, TurnEnd):
            self._policy.succeeded()
        self._client.receive(message, now)
        self._tell()
        if self._client.failure is not None:
            raise ServerError(self._client.failure)

    def _link_over(self, failure: APIError | None, lived_s: float) -> APIError | None:
        """Takes note of the end of a socket; returns as `_use`."""
        client = self._client
        hang_up, in_turn = client.hang_up, client.turn.is_open
        self._served = client.is_connected
        connected_s = lived_s if self._served else 0.0
        code = failure.code if isinstance(failure, DroppedError) else None
        failure = self._reason_for(failure)
        ending = {"clean": code in CLEAN_CODES, "leaving": code == GOING_AWAY, "abrupt": code == LOST_CODE}
        client.link_lost(time.monotonic(), **ending)
        self._tell()
        dropped = failure if isinstance(failure, DroppedError) else None
        verdict = judge(hang_up, connected_s, is_drop=dropped is not None)
        reason = hang_up.value if hang_up else reason_of(failure) if failure else ""
        self._listener.disconnected(reason, dropped.code if dropped else None)
        if verdict.lasted:
            self._policy.succeeded()
        if hang_up is HangUp.NOT_CONNECTED:
            client.attempt_failed()
        is_refusal = failure is not None and not failure.retryable and not connected_s
        if client.finished and not is_refusal:
            return None
        if hang_up is None and dropped:
            self._listener.dropped(dropped, in_turn=in_turn, at_once=verdict.at_once)
        elif hang_up is None and failure:
            self._dialer.note(failure)
        if failure and self._goes_on_with_less():
            # Whatever the error says, the next one is asked for with less, and there is an end to that.
            if not dropped:
                self._listener.attempt_failed(failure, 0.0)
            return None
        if verdict.at_once:
            return None
        return APITimeoutError(hang_up.value) if hang_up else failure

    def _goes_on_with_less(self) -> bool:
        """Whether the next socket may follow at once, since it does without what ended the last one.

        While nobody speaks, nobody waits for it: a server that closes such sockets may do so for other reasons.
        """
        return self._client.tries_again and not (self._served and self._client.is_idle)

    def _reason_for(self, failure: APIError | None) -> APIError | None:
        """The failure, or what is known of the reason for it."""
        if not isinstance(failure, DroppedError):
            return failure
        if self._client.last_error is not None:
            # It looked like the answer to a config, and was the reason for the close.
            return ServerError(self._client.last_error)
        return not_allowed() if failure.code == NOT_ALLOWED and not self._client.is_connected else failure

    async def _back_off(self, error: APIError) -> None:
        """Waits before the next attempt.

        Raises:
            APIError: there is no point in another one.
        """
        delay_s = None
        # An error in place of `connected` answers the handshake as a status does.
        in_place = isinstance(error, ServerError) and error.in_band and not self._served
        outside, status = in_place or came_from_outside(error), vendors_status(error)
        with_less = self._client.tries_again
        retryable = error.retryable or with_less
        if may_try_again(retryable=retryable, in_call=self._in_call, from_outside=outside, vendors_status=status):
            delay_s = self._policy.delay_after_failure(
                time.monotonic(),
                # A server may close a socket that nobody speaks on as often as it likes: nobody is deaf for that.
                forgiven=with_less or (isinstance(error, DroppedError) and error.is_clean and self._client.is_idle),
                # Spreads the attempts of many streams; nothing secret depends on it.
                jitter=random.random(),  # noqa: S311
                retry_after_s=error.retry_after_s if isinstance(error, ServerError) else None,
                in_call=self._in_call,
            )
        # A socket that served and is lost between turns costs nobody anything.
        is_harmless = isinstance(error, DroppedError) and self._served and not self._client.turn.is_open
        if delay_s is None or not is_harmless:
            self._listener.attempt_failed(error, delay_s)
        if delay_s is None:
            raise error
        await asyncio.sleep(delay_s)


def _said(error: APIError) -> ErrorMessage | None:
    """What the server said as it refused a socket."""
    if not isinstance(error, ServerError):
        return None
    return ErrorMessage(error.message, status_code=error.status_code, error_code=error.error_code)
