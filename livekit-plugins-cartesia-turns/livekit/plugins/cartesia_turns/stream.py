"""The RecognizeStream: pumps audio and messages between the framework, the pure client and a socket."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import aiohttp
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, APITimeoutError, stt, utils

from .audio import PcmConverter
from .client import ClientEvent, TurnsClient
from .connection import Connection, Pong
from .dialer import Dialer
from .errors import DroppedError, ServerError, as_api_error, bare
from .handover import handover_of
from .link import HangUp
from .messages import Connected, ServerMessage, TurnEnd, Unknown
from .options import Options
from .protocol import ProtocolError
from .reporter import Reporter
from .retry import RetryPolicy, judge
from .settings import StreamSettings
from .stats import Stats
from .tasks import finish, until_done, wait_for_event
from .voice import may_be_in_session, session_around
from .warm import WarmConnection

if TYPE_CHECKING:
    from .stt import STT

STREAM_CLOSED = "the stream was closed"


class SpeechStream(stt.RecognizeStream):
    """One call's audio in, speech events out, over as many sockets as it takes.

    Made by `STT.stream()`. Takes frames of any sample rate and number of channels.
    """

    def __init__(
        self, *, stt: STT, conn_options: APIConnectOptions, options: Options, settings: StreamSettings, dialer: Dialer
    ) -> None:
        super().__init__(stt=stt, conn_options=conn_options)
        self._owner = stt
        self._settings = settings
        self._dialer = dialer
        limits = settings.limits(conn_options.timeout)
        self._client = TurnsClient(options, limits, time.monotonic())
        self._reporter = Reporter(stt, self._client, self._event_ch.send_nowait, speech_times=settings.speech_end_time)
        self._converter = PcmConverter(options.sample_rate, settings.audio_chunk_duration_ms)
        self._policy = RetryPolicy(conn_options.max_retry, settings.patience_s(conn_options.max_retry))
        self._to_send = asyncio.Event()
        self._to_hang_up = asyncio.Event()
        self._to_link = asyncio.Event()
        self._to_tick = asyncio.Event()
        self._tick_at = math.inf
        self._attempt_at = time.monotonic()
        self._is_over = False

    @property
    def stats(self) -> Stats:
        """A snapshot of what happened on this stream so far."""
        return self._client.stats

    @property
    def is_over(self) -> bool:
        """Nothing happens on this stream any more."""
        return self._is_over

    @property
    def in_turn(self) -> bool:
        """The user is in a turn."""
        return self._client.turn.is_open

    @property
    def has_had_turn(self) -> bool:
        """The user has begun to speak, now or before."""
        return self._client.stats.turns > 0

    def turn_profile(self, profile: str | None = None, **settings: float) -> contextlib.AbstractContextManager[None]:
        """As `STT.turn_profile`: a call has one stream at a time."""
        return self._owner.turn_profile(profile, **settings)

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        """Pushes audio to be recognized: signed 16-bit PCM of any rate and number of channels, which may change.

        Raises:
            RuntimeError: the stream is closed or its input has ended.
        """
        # The base class resamples one rate only and takes stereo for mono, so that is done behind the channel.
        self._check_input_not_ended()
        self._check_not_closed()
        self._input_ch.send_nowait(frame)

    def apply(self, options: Options, *, after_turn: bool = False) -> None:
        """Takes over changed options, where wanted not before the open turn is over, or else the next."""
        self._client.update(options, after_turn=after_turn)
        self._after([])

    def end_stray_turn(self) -> None:
        """Says END_OF_SPEECH for a turn that another stream of this conversation was cut off in."""
        self._reporter.stray_turn()

    async def _run(self) -> None:
        """Serves the stream to its end.

        This is the one boundary: whatever goes wrong leaves it as an APIError, since anything else would leave the
        session open and deaf.
        """
        handover = handover_of(session_around() or self._owner)
        handover.enter(self)
        failure: APIError | None = None
        try:
            async with self._http_session() as session:
                await until_done(self._keep_linked(session), self._take_input(), self._keep_time())
        except Exception as error:
            self._reporter.failed(error)
            self._after(self._client.close_turn())
            failure = as_api_error(bare(error))
            # All retries were made here, with the audio kept; the base class's would start from nothing.
            failure.retryable = False
        finally:
            self._reporter.usage()
            self._reporter.closed()
            self._is_over = True
            self._owner.retire(self._client.stats)
            handover.leave(self, left_open=self._client.turn.is_open, in_session=may_be_in_session())
        if failure is not None:
            # Not where `error` is being handled: that would be the context, and its text may hold anything.
            raise failure

    # Three tasks: the input, the sockets one after another, and the clock.

    async def _take_input(self) -> None:
        while True:
            try:
                item = await self._next_input()
            except utils.aio.ChanClosed:
                break
            if isinstance(item, rtc.AudioFrame):
                self._push(self._converter.push(item))
            else:
                self._push(self._converter.flush())
            if isinstance(item, self._FlushSentinel):
                self._flush()
        self._client.end_input()
        self._after([])

    async def _keep_linked(self, session: aiohttp.ClientSession) -> None:
        while not self._client.finished:
            if not self._client.wants_link:
                await self._to_link.wait()
                self._to_link.clear()
                continue
            try:
                opened = await self._connect(session)
            except APIError as error:
                self._client.attempt_failed()
                await self._back_off(error)
                continue
            failure = await self._use(opened)
            if failure is not None:
                await self._back_off(failure)

    async def _keep_time(self) -> None:
        while True:
            self._tick_at = self._client.deadline
            await wait_for_event(self._to_tick, self._tick_at - time.monotonic())
            now = time.monotonic()
            events = self._client.tick(now)
            if self._client.usage_due(now):
                self._reporter.usage()
            self._after(events)

    # One socket.

    async def _connect(self, session: aiohttp.ClientSession) -> WarmConnection:
        """The prewarmed connection, else a new one."""
        self._attempt_at = time.monotonic()
        options, timeout_s = self._client.options, self._conn_options.timeout
        warm = await self._owner.take_warm(options, timeout_s=timeout_s)
        return warm or WarmConnection(await self._dialer.open(session, options, timeout_s=timeout_s), options)

    async def _use(self, opened: WarmConnection) -> APIError | None:
        """Serves one socket to its end; returns what was wrong, None if the next one may follow at once."""
        self._to_hang_up.clear()
        opened_at = time.monotonic()
        connection = opened.connection
        self._client.link_opened(opened.options, opened_at)
        if opened.greeting is not None:
            self._take_message(opened.greeting, reused=True)
        self._after([])
        failure: APIError | None = None
        try:
            await until_done(self._to_hang_up.wait(), self._receive(connection), self._send(connection))
        except APIError as error:
            failure = error
        except asyncio.CancelledError:
            self._reporter.disconnected(STREAM_CLOSED, None)
            raise
        finally:
            await connection.close()
        return self._link_over(failure, time.monotonic() - opened_at)

    async def _send(self, connection: Connection) -> None:
        while True:
            # What woke this task, or was brought about by itself, is seen now: no need to come back for it.
            self._to_send.clear()
            item = self._client.outgoing(time.monotonic())
            if item is None:
                await wait_for_event(self._to_send, self._client.send_at - time.monotonic())
                continue
            await connection.send(item)
            self._client.sent(item, time.monotonic())
            self._after([])

    async def _receive(self, connection: Connection) -> None:
        while True:
            try:
                message = await connection.receive()
            except ProtocolError as error:
                self._reporter.odd_frame(str(error))
                continue
            if isinstance(message, Pong):
                self._client.pong(message.payload, time.monotonic())
                self._after([])
            else:
                self._take_message(message)

    def _take_message(self, message: ServerMessage, *, reused: bool = False) -> None:
        now = time.monotonic()
        if isinstance(message, Unknown):
            self._reporter.odd_frame("a message of an unknown type")
        elif isinstance(message, Connected):
            self._report_connection_acquired(now - self._attempt_at, reused)
            self._reporter.connected(message.request_id, now - self._attempt_at, reused=reused)
        elif isinstance(message, TurnEnd):
            self._policy.succeeded()
        self._after(self._client.receive(message, now))

    def _link_over(self, failure: APIError | None, lived_s: float) -> APIError | None:
        """Takes note of the end of a socket; returns as `_use`."""
        client = self._client
        hang_up, in_turn = client.hang_up, client.turn.is_open
        dropped = failure if isinstance(failure, DroppedError) else None
        verdict = judge(hang_up, lived_s if client.is_connected else 0.0, is_drop=dropped is not None)
        self._after(client.link_lost(time.monotonic(), clean=dropped is not None and dropped.is_clean))
        reason = hang_up.value if hang_up else failure.message if failure else ""
        self._reporter.disconnected(reason, dropped.code if dropped else None)
        if verdict.lasted:
            self._policy.succeeded()
        if hang_up is HangUp.NOT_CONNECTED:
            client.attempt_failed()
        if client.finished:
            return None
        if hang_up is None and dropped:
            self._reporter.dropped(dropped, in_turn=in_turn, at_once=verdict.at_once)
        elif hang_up is None and failure:
            self._dialer.note(failure)
        if verdict.at_once:
            return None
        return APITimeoutError(hang_up.value) if hang_up else failure

    async def _back_off(self, error: APIError) -> None:
        """Waits before the next attempt.

        Raises:
            APIError: there is no point in another one.
        """
        delay_s = None
        if error.retryable:
            delay_s = self._policy.delay_after_failure(
                time.monotonic(),
                # Spreads the attempts of many streams; nothing secret depends on it.
                jitter=random.random(),  # noqa: S311
                retry_after_s=error.retry_after_s if isinstance(error, ServerError) else None,
            )
        # A socket lost between turns costs nobody anything.
        if delay_s is None or not isinstance(error, DroppedError) or self._client.turn.is_open:
            self._reporter.attempt_failed(error, delay_s)
        if delay_s is None:
            raise error
        await asyncio.sleep(delay_s)

    # Small parts.

    def _after(self, events: Sequence[ClientEvent]) -> None:
        """Passes events on and wakes whoever has something to do now."""
        self._reporter.events(events)
        self._to_send.set()
        if self._client.hang_up:
            self._to_hang_up.set()
        if self._client.wants_link or self._client.finished:
            self._to_link.set()
        if self._client.deadline < self._tick_at:
            self._to_tick.set()

    def _push(self, pieces: list[bytes]) -> None:
        now = time.monotonic()
        for pcm in pieces:
            self._after(self._client.push_audio(pcm, now))

    def _flush(self) -> None:
        # `end_input` flushes too, and its close brings the final.
        if not self._input_ch.closed:
            self._after(self._client.flush(time.monotonic()))

    async def _next_input(self) -> rtc.AudioFrame | stt.RecognizeStream._FlushSentinel | None:
        """The next frame or flush; None when a chunk that is not full has waited for long enough."""
        if not self._converter.is_holding:
            return await self._input_ch.recv()
        hold_s = (self._settings.audio_chunk_duration_ms or 0) / 1000
        receiving = await finish(asyncio.create_task(self._input_ch.recv()), hold_s)
        return None if receiving.cancelled() else receiving.result()

    @contextlib.asynccontextmanager
    async def _http_session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """The user's session, the job's, or one of our own where there is no job."""
        given = self._settings.http_session
        if given is not None:
            yield given
            return
        async with utils.http_context.open() as session:
            yield session
