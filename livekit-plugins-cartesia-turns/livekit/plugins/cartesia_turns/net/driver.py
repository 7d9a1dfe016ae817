"""The shell of a client: it runs the sockets, one after another, sends what may go out, and keeps the time.

Everything is sent in the step of the event loop in which it may go out, so that a frame wakes nobody: in that of the
caller who pushes it, of a message, or of the timer. A task waits only while the socket's own buffer is full.
"""

from __future__ import annotations

import asyncio
import time

import aiohttp
from livekit.agents import APIError

from ..core.backoff import RetryPolicy
from ..core.client import TurnsClient
from ..core.events import are_inside_turn
from ..core.link import Outgoing
from ..errors import DroppedError, ServerError
from ..wire.messages import ServerMessage, Unknown
from ..wire.options import Options
from ..wire.protocol import ProtocolError
from .alarm import Alarm
from .attempts import Attempts, Listener
from .connection import LOST_SENDING, Connection, Pong
from .dialer import Dialer
from .endings import STREAM_CLOSED, SocketEnd, answer_of
from .prewarming import WarmConnection
from .sender import Sender
from .tasks import until_done


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
        self._attempts = Attempts(client, listener, history)
        self._timeout_s = timeout_s
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Is done as soon as the client is finished, or fails with what went wrong here."""
        self._sender = Sender(client, lost=self._end_socket, has_room=self._step)
        self._alarm = Alarm(self._step)
        self._socket_over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Is done as soon as the present socket must be closed."""
        self._to_link = asyncio.Event()

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Gives the client its sockets, one after another. The caller cancels it as soon as `over` is done.

        Raises:
            APIError: another attempt to connect makes no sense.
        """
        self._alarm.start()
        self._alarm.set(self._due_at)
        try:
            await self._keep_linked(session)
        finally:
            self._alarm.stop()

    def push_now(self, pcm: bytes) -> bool:
        """Sends the user's audio if that takes neither a decision nor a wait; returns whether it took the audio."""
        now = time.monotonic()
        if not self._sender.send_live(pcm, now):
            return False
        if self._client.live.wants_ping:
            self._sender.send_ping(now)
        if self._client.live.is_full:
            self._client.live_sent(now)
            # In a turn it would always be too early, as silence is due some time after the last audio.
            self._alarm.put_off(now)
            self._alarm.set(self._due_at)
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
        """Takes over changed options. Changes that are made in one step of the event loop go out together."""
        self._client.update(options)
        self._alarm.set(time.monotonic())

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
        """Passes on the client's events; returns whether they are steps inside a turn and nothing else."""
        if not (events := self._client.take_events()):
            return False
        are_inside = are_inside_turn(events)
        self._listener.events(events, None if are_inside else self._client.stats)
        return are_inside

    def _act(self) -> None:
        """Does what the client asks for now."""
        sockets = self._client.sockets
        if sockets.may_send:
            self._sender.send_waiting()
        if sockets.hang_up:
            self._end_socket()
        if sockets.wants_link:
            self._to_link.set()
        if sockets.finished and not self.over.done():
            self.over.set_result(None)
        self._alarm.set(self._due_at)

    def _end_socket(self) -> None:
        if not self._socket_over.done():
            self._socket_over.set_result(None)

    @property
    def _due_at(self) -> float:
        """When the client must next be called. An alarm that is set to an earlier time stays, and sets the next one."""
        return min(self._client.deadline, self._sender.send_at)

    def _step(self, sent: Outgoing | None = None) -> None:
        """Does what is due by now. The alarm calls it, and so does the sender, once the socket has taken an item."""
        try:
            now, client = time.monotonic(), self._client
            if sent is not None:
                client.sent(sent, now)
            elif now < (due_at := self._due_at) and not (client.sockets.may_send or client.live.wants_ping):
                # In a turn the alarm is set to when silence would be due, and audio has come since.
                self._alarm.set(due_at)
                return
            if now >= client.deadline:
                client.tick(now)
            self._sender.send_waiting()
            self._tell()
        except Exception as error:
            # It would end nothing but this call of the event loop, and the stream would go on without its clock.
            if not self.over.done():
                self.over.set_exception(error)

    # Sockets.

    async def _keep_linked(self, session: aiohttp.ClientSession) -> None:
        while True:
            while not self._client.sockets.wants_link:
                await self._to_link.wait()
                self._to_link.clear()
            self._attempts.begin()
            options, urgent = self._client.sockets.options, self._client.turn.is_open
            try:
                opened = await self._dialer.connect(session, options, timeout_s=self._timeout_s, urgent=urgent)
            except APIError as error:
                self._client.attempt_failed(answer_of(error), options)
                self._tell()
                await self._attempts.go_on(self._attempts.decide(self._attempts.ending(error)), error)
            else:
                await self._use(opened)

    async def _use(self, opened: WarmConnection) -> None:
        """Serves one socket, and then waits as long as the next attempt must; an APIError means that there is none."""
        opened_at = time.monotonic()
        try:
            failure = await self._serve(opened)
        except asyncio.CancelledError:
            self._listener.disconnected(STREAM_CLOSED, None)
            raise
        end = SocketEnd.of(self._client, failure, time.monotonic() - opened_at)
        end.tell(self._client, time.monotonic())
        self._tell()
        decision = self._attempts.socket_over(end)
        if end.error and decision.is_told:
            self._dialer.note(end.error)
        await self._attempts.go_on(decision, end.error)

    async def _serve(self, opened: WarmConnection) -> APIError | None:
        """Serves one socket to its end and closes it. Returns what went wrong, if anything did."""
        self._socket_over = asyncio.get_running_loop().create_future()
        try:
            self._client.link_opened(opened.options, time.monotonic())
            self._sender.connection = opened.connection
            if opened.greeting is not None:
                self._take_message(opened.greeting, reused=True)
            self._tell()
            await until_done(self._socket_over, self._receive(opened.connection))
            return DroppedError(LOST_SENDING) if self._client.sockets.hang_up is None else None
        except APIError as error:
            return error
        finally:
            self._sender.connection = None
            await opened.connection.close()

    async def _receive(self, connection: Connection) -> None:
        while True:
            try:
                message = await connection.receive()
            except ProtocolError as error:
                self._listener.odd_frame(str(error))
                continue
            if isinstance(message, Pong):
                self._client.pong(message.payload, time.monotonic())
                # A pong may let a backlog go on. Whether a server has stalled is looked at with the next audio.
                if self._client.sockets.may_send:
                    self._sender.send_waiting()
                    self._alarm.set(self._due_at)
            else:
                self._take_message(message)

    def _take_message(self, message: ServerMessage, *, reused: bool = False) -> None:
        now = time.monotonic()
        if isinstance(message, Unknown):
            self._listener.odd_frame("a message of an unknown type")
        self._attempts.heard(message, now, reused=reused)
        self._client.receive(message, now)
        are_inside = self._tell_events()
        # Such steps ask for nothing now and for nothing sooner than before, unless a turn begins with them.
        if not (are_inside and self._client.live.is_open):
            self._act()
        if (failure := self._client.sockets.failure) is not None:
            raise ServerError(failure)
