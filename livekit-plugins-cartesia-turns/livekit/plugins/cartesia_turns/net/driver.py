"""The shell of a client: it runs the sockets, one after another, sends what may go out, and keeps the time.

Everything is sent from the step of the event loop in which it may go out, so that a frame wakes nobody: that of the
caller who pushes it, of a message, or of the timer. Only while the socket's own buffer is full a task waits for it.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import aiohttp
from livekit.agents import APIError, APITimeoutError

from ..core.backoff import RetryPolicy
from ..core.client import TurnsClient
from ..core.events import ClientEvent
from ..core.link import HangUp, Outgoing
from ..core.retry import Decision, Ending, decide
from ..core.stats import Stats
from ..errors import CLEAN_CODES, LOST_CODE, DroppedError, ServerError, reason_of
from ..wire.messages import Connected, ServerMessage, TurnEnd, Unknown
from ..wire.options import Options
from ..wire.protocol import ProtocolError
from .connection import LOST_SENDING, Connection, Pong
from .dialer import Dialer
from .endings import answer_of, failure_of, reason_for
from .prewarming import WarmConnection
from .tasks import until_done

GOING_AWAY = 1001
"""The close code of a server that restarts, or that has received no audio for too long."""
STREAM_CLOSED = "the stream was closed"
AFTER_EVENT_S = 0.001
"""What else a message calls for is done so much later, so that whoever waits for its event is not kept waiting."""


class Listener(Protocol):
    """Is told what happens by a driver."""

    def events(self, events: Sequence[ClientEvent], stats: Stats) -> None:
        """The client has these events; its counters are `stats`."""

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


class Driver:
    """Moves audio and messages between a client and its sockets, and calls the client in time (see `core`).

    Args:
        client: the stream's. While it is driven, nobody else changes it.
        listener: is told of each socket and of the client's events.
        dialer: opens the sockets.
        history: the rules for attempts to connect, and the failures so far.
        timeout_s: bounds each attempt to connect, in seconds.
    """

    def __init__(
        self, client: TurnsClient, listener: Listener, dialer: Dialer, history: RetryPolicy, *, timeout_s: float
    ) -> None:
        self._client = client
        self._listener = listener
        self._dialer = dialer
        self._history = history
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = self._loop.create_future()
        """Is done as soon as the client is finished, or fails with what went wrong here."""
        self._connection: Connection | None = None
        """The open connection, which takes the audio."""
        self._socket_over: asyncio.Future[None] = self._loop.create_future()
        """Is done as soon as the present socket must be closed."""
        self._to_link = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._attempt_at = time.monotonic()
        self._in_call = False
        """A server has said `connected` to this stream."""

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Gives the client its sockets, one after another. The caller cancels it as soon as `over` is done.

        Raises:
            APIError: another attempt to connect makes no sense.
        """
        self._set_timer()
        try:
            await self._keep_linked(session)
        finally:
            self._stop_timer()

    def push_now(self, pcm: bytes) -> bool:
        """Sends the user's audio if that takes neither a decision nor a wait.

        Returns:
            Whether it did. If not, nothing was taken, and the audio is for `push`.
        """
        client, connection, now = self._client, self._connection, time.monotonic()
        if connection is None or not connection.is_clear or not client.live.take(pcm, now):
            return False
        try:
            rest = connection.send_now(pcm)
        except DroppedError:
            self._end_socket()
            return True
        if rest is not None:
            rest.add_done_callback(partial(self._sent_late, connection, None))
        if client.live.is_full:
            client.live_sent(now)
            # A ping may be due here.
            self._send_waiting()
            self._act()
        return True

    def push(self, pcm: bytes) -> None:
        """Takes the user's audio, as `TurnsClient.push_audio`, and sends it at once if it may go out."""
        if not self.push_now(pcm):
            self._client.push_audio(pcm, time.monotonic())
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
        """Takes over changed options. They go out as one change with others of the same step of the event loop."""
        self._client.update(options)
        self._ring_at(time.monotonic())

    def close_turn(self) -> None:
        """Ends an open turn with the text so far."""
        self._client.close_turn(time.monotonic())
        self._tell()

    def report_usage(self) -> None:
        """Tells the listener how much audio was sent since the last report."""
        self._client.report_usage(time.monotonic())
        self._tell()

    def _tell(self) -> None:
        """Passes on the client's events, and does what it asks for now."""
        self._tell_events()
        self._act()

    def _tell_events(self) -> bool:
        """Passes on the client's events; returns whether there were any."""
        if events := self._client.take_events():
            self._listener.events(events, self._client.stats)
        return bool(events)

    def _act(self) -> None:
        """Does what the client asks for now."""
        sockets = self._client.sockets
        if sockets.may_send:
            self._send_waiting()
        if sockets.hang_up:
            self._end_socket()
        if sockets.wants_link:
            self._to_link.set()
        if sockets.finished and not self.over.done():
            self.over.set_result(None)
        self._set_timer()

    def _end_socket(self) -> None:
        if not self._socket_over.done():
            self._socket_over.set_result(None)

    # Sending.

    def _send_waiting(self) -> None:
        """Sends everything that may go out now, or as much of it as the socket takes without a wait."""
        client, connection = self._client, self._connection
        if connection is None:
            return
        while not connection.is_sending and (item := client.outgoing(time.monotonic())) is not None:
            try:
                rest = connection.send_now(item)
            except DroppedError:
                self._end_socket()
                return
            if rest is not None:
                rest.add_done_callback(partial(self._sent_late, connection, item))
                return
            client.sent(item, time.monotonic())

    def _sent_late(self, connection: Connection, item: Outgoing | None, rest: asyncio.Task[None]) -> None:
        """The socket has taken what it had no room for before; `item` is what the client must hear of."""
        if connection is not self._connection:
            # The socket has ended. The item is not confirmed, so the client keeps it for the next one.
            return
        if rest.cancelled() or rest.exception() is not None:
            self._end_socket()
            return
        try:
            if item is not None:
                self._client.sent(item, time.monotonic())
            self._send_waiting()
            self._act()
        except Exception as error:
            self._fail(error)

    # Time.

    def _set_timer(self) -> None:
        """Has the client called when it next must be. A timer that is too early stays, and sets the next one."""
        at = self._client.deadline
        if self._connection is not None and not self._connection.is_sending:
            at = min(at, self._client.sockets.send_at)
        self._ring_at(at)

    def _ring_at(self, at: float) -> None:
        if at < self._timer_at:
            self._stop_timer()
            self._timer_at = at
            self._timer = self._loop.call_later(max(0.0, at - time.monotonic()), self._ring)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, math.inf

    def _ring(self) -> None:
        self._timer, self._timer_at = None, math.inf
        try:
            if (now := time.monotonic()) >= self._client.deadline:
                self._client.tick(now)
            self._send_waiting()
            self._tell()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Ends the stream with an error that would otherwise end nothing but one call of the event loop."""
        if not self.over.done():
            self.over.set_exception(error)

    # Sockets.

    async def _keep_linked(self, session: aiohttp.ClientSession) -> None:
        while True:
            if not self._client.sockets.wants_link:
                await self._to_link.wait()
                self._to_link.clear()
                continue
            try:
                opened = await self._connect(session)
            except APIError as error:
                self._client.attempt_failed(answer_of(error))
                self._tell()
                await self._go_on(self._decide(self._ending(error)), error)
                continue
            await self._use(opened)

    async def _connect(self, session: aiohttp.ClientSession) -> WarmConnection:
        self._attempt_at = time.monotonic()
        urgent = self._client.turn.is_open
        options = self._client.sockets.options
        return await self._dialer.connect(session, options, timeout_s=self._timeout_s, urgent=urgent)

    async def _use(self, opened: WarmConnection) -> None:
        """Serves one socket to its end, and then waits for as long as the next attempt must.

        Raises:
            APIError: another attempt makes no sense.
        """
        opened_at = time.monotonic()
        connection = opened.connection
        failure: APIError | None = None
        self._socket_over = self._loop.create_future()
        try:
            self._client.link_opened(opened.options, opened_at)
            self._connection = connection
            if opened.greeting is not None:
                self._take_message(opened.greeting, reused=True)
            self._tell()
            await until_done(self._socket_over, self._receive(connection))
            if self._client.sockets.hang_up is None:
                failure = DroppedError(LOST_SENDING)
        except APIError as error:
            failure = error
        except asyncio.CancelledError:
            self._listener.disconnected(STREAM_CLOSED, None)
            raise
        finally:
            self._connection = None
            await connection.close()
        await self._link_over(failure, time.monotonic() - opened_at)

    async def _receive(self, connection: Connection) -> None:
        while True:
            try:
                message = await connection.receive()
            except ProtocolError as error:
                self._listener.odd_frame(str(error))
                continue
            if isinstance(message, Pong):
                self._client.pong(message.payload, time.monotonic())
                # A pong may let a backlog go on. It only moves deadlines to later times, so the timer stays.
                if self._client.sockets.may_send:
                    self._send_waiting()
                    self._set_timer()
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
            self._history.succeeded()
        self._client.receive(message, now)
        if self._tell_events():
            self._ring_at(now + AFTER_EVENT_S)
        else:
            self._act()
        if (failure := self._client.sockets.failure) is not None:
            raise ServerError(failure)

    async def _link_over(self, failure: APIError | None, lived_s: float) -> None:
        """Reports the end of a socket, and does what follows from it."""
        client = self._client
        hang_up, in_turn, served = client.sockets.hang_up, client.turn.is_open, client.sockets.is_connected
        code = failure.code if isinstance(failure, DroppedError) else None
        failure = reason_for(failure, client.sockets.last_error, served=served)
        dropped = failure if isinstance(failure, DroppedError) else None
        client.link_lost(
            time.monotonic(), clean=code in CLEAN_CODES, leaving=code == GOING_AWAY, abrupt=code == LOST_CODE
        )
        self._tell()
        reason = hang_up.value if hang_up else reason_of(failure) if failure else ""
        self._listener.disconnected(reason, dropped.code if dropped else None)
        if hang_up is HangUp.NOT_CONNECTED:
            client.attempt_failed()
        ending = self._ending(failure, hang_up, lived_s if served else 0.0, is_over=client.sockets.finished)
        decision = self._decide(ending)
        if hang_up is None and failure and not ending.needs_no_other:
            if dropped:
                self._listener.dropped(dropped, in_turn=in_turn, at_once=decision.delay_s == 0.0)
            else:
                self._dialer.note(failure)
        await self._go_on(decision, APITimeoutError(hang_up.value) if hang_up else failure)

    def _ending(
        self, error: APIError | None, hang_up: HangUp | None = None, connected_s: float = 0.0, *, is_over: bool = False
    ) -> Ending:
        """How a socket, or the attempt to open one, has ended. The client must have been told before."""
        client = self._client
        return Ending(
            failure_of(error) if error else None,
            hang_up,
            connected_s,
            in_call=self._in_call,
            in_turn=client.turn.is_open,
            is_idle=client.is_idle,
            with_less=client.sockets.tries_again and error is not None and hang_up is None,
            is_over=is_over,
        )

    def _decide(self, ending: Ending) -> Decision:
        # Jitter spreads the attempts of many streams. It need not be secret.
        decision = decide(ending, self._history, time.monotonic(), jitter=random.random())  # noqa: S311
        self._history = decision.history
        return decision

    async def _go_on(self, decision: Decision, error: APIError | None) -> None:
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
