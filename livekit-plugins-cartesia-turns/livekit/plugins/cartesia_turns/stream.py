"""The RecognizeStream: pumps audio and messages between the framework, the pure client and a socket."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, APITimeoutError, stt, utils

from .audio import PcmConverter
from .client import ClientEvent, Limits, Notice, TurnsClient
from .connection import Connection, Pong
from .errors import DroppedError, ServerError, as_api_error
from .events import ConnectedEvent, ConnectionErrorEvent, DisconnectedEvent
from .link import HangUp
from .log import logger
from .mapping import public_event, speech_events
from .options import Options
from .protocol import Connected, ProtocolError, Unknown
from .retry import ConnectLimiter, RetryPolicy
from .stats import Stats

if TYPE_CHECKING:
    from .stt import STT

STEADY_AFTER_S = 5.0
"""A socket that lived so long, or brought a turn event, counts as a success: the next failure is a new one."""
MANY_RETRIES = 3
"""The framework's default: with fewer, it wants failures soon (FallbackAdapter, to switch to the next STT)."""
ODD_FRAMES_EVERY_S = 60.0
"""How often an odd frame of one kind is logged."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What a stream needs beside the options that go into the URL."""

    endpoint: str
    headers: Callable[[], Awaitable[dict[str, str]]]
    limiter: ConnectLimiter
    watchdog_min_timeout_s: float
    max_buffer_s: float
    outage_timeout_s: float | None
    audio_chunk_duration_ms: int | None
    speech_times: bool
    http_session: aiohttp.ClientSession | None


class SpeechStream(stt.RecognizeStream):
    """One call's audio in, speech events out, over as many sockets as it takes.

    Made by `STT.stream()`. Takes frames of any sample rate and number of channels.
    """

    def __init__(
        self, *, stt: STT, conn_options: APIConnectOptions, options: Options, settings: StreamSettings
    ) -> None:
        super().__init__(stt=stt, conn_options=conn_options)
        self._owner = stt
        self._settings = settings
        now = time.monotonic()
        limits = Limits(settings.watchdog_min_timeout_s, settings.max_buffer_s, conn_options.timeout)
        self._client = TurnsClient(options, limits, now)
        self._converter = PcmConverter(options.sample_rate, settings.audio_chunk_duration_ms)
        self._policy = RetryPolicy(conn_options.max_retry, self._patience_s())
        self._to_send = asyncio.Event()
        self._to_hang_up = asyncio.Event()
        self._to_link = asyncio.Event()
        self._to_tick = asyncio.Event()
        self._tick_at = math.inf
        self._attempt_at = now
        self._odd_frames: dict[str, float] = {}
        self._is_over = False

    @property
    def stats(self) -> Stats:
        """A snapshot of what happened on this stream so far."""
        return self._client.stats

    @property
    def is_over(self) -> bool:
        """Nothing happens on this stream any more."""
        return self._is_over

    def update_options(self, options: Options) -> None:
        """Takes over the STT's changed options; see `STT.update_options`."""
        self._client.update(options)
        self._after([])

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        """Pushes audio to be recognized: signed 16-bit PCM of any rate and number of channels, which may change.

        Raises:
            RuntimeError: the stream is closed or its input has ended.
        """
        # The base class resamples one rate only and takes stereo for mono, so that is done behind the channel.
        self._check_input_not_ended()
        self._check_not_closed()
        self._input_ch.send_nowait(frame)

    async def _run(self) -> None:
        """Serves the stream to its end.

        This is the one boundary: whatever goes wrong leaves it as an APIError, since anything else would leave the
        session open and deaf.
        """
        try:
            async with self._http_session() as session:
                await _until_done(self._keep_linked(session), self._take_input(), self._keep_time())
        except Exception as error:
            self._log_unexpected(error)
            self._after(self._client.close_turn())
            failure = as_api_error(error)
            # All retries were made here, with the audio kept; the base class's would start from nothing.
            failure.retryable = False
            raise failure from None
        finally:
            self._report_usage()
            self._is_over = True
            self._owner._retire(self._client.stats)

    # Three tasks: the input, the sockets one after another, and the clock.

    async def _take_input(self) -> None:
        while True:
            try:
                item = await asyncio.wait_for(self._input_ch.recv(), self._hold_s())
            except asyncio.TimeoutError:
                self._push(self._converter.flush())
                continue
            except utils.aio.ChanClosed:
                break
            if isinstance(item, rtc.AudioFrame):
                self._push(self._converter.push(item))
            else:
                self._push(self._converter.flush())
        self._client.end_input()
        self._after([])

    async def _keep_linked(self, session: aiohttp.ClientSession) -> None:
        while not self._client.finished:
            if not self._client.wants_link:
                await self._to_link.wait()
                self._to_link.clear()
                continue
            try:
                connection = await self._connect(session)
            except APIError as error:
                self._client.attempt_failed()
                await self._back_off(error)
                continue
            failure = await self._use(connection)
            if failure is not None:
                await self._back_off(failure)

    async def _keep_time(self) -> None:
        while True:
            self._tick_at = self._client.deadline
            await _wait(self._to_tick, self._tick_at - time.monotonic())
            now = time.monotonic()
            events = self._client.tick(now)
            if self._client.usage_due(now):
                self._report_usage()
            self._after(events)

    # One socket.

    async def _connect(self, session: aiohttp.ClientSession) -> Connection:
        await asyncio.sleep(self._settings.limiter.reserve(time.monotonic()))
        self._attempt_at = time.monotonic()
        headers = await self._settings.headers()
        url = f"{self._settings.endpoint}?{self._client.options.query()}"
        return await Connection.open(session, url, headers, timeout_s=self._conn_options.timeout)

    async def _use(self, connection: Connection) -> APIError | None:
        """Serves one socket to its end; returns what was wrong, None if the next one may follow at once."""
        self._to_hang_up.clear()
        opened_at = time.monotonic()
        self._client.link_opened(opened_at)
        self._after([])
        failure: APIError | None = None
        try:
            await _until_done(self._to_hang_up.wait(), self._send(connection), self._receive(connection))
        except APIError as error:
            failure = error
        finally:
            await connection.close()
        return self._link_over(failure, steady=time.monotonic() >= opened_at + STEADY_AFTER_S)

    async def _send(self, connection: Connection) -> None:
        while True:
            item = self._client.outgoing(time.monotonic())
            if item is None:
                await _wait(self._to_send, self._client.send_at - time.monotonic())
                continue
            await connection.send(item)
            self._client.sent(item, time.monotonic())
            self._after([])

    async def _receive(self, connection: Connection) -> None:
        while True:
            try:
                message = await connection.receive()
            except ProtocolError as error:
                self._log_odd_frame(str(error))
                continue
            now = time.monotonic()
            if isinstance(message, Pong):
                self._client.pong(message.payload, now)
                continue
            if isinstance(message, Unknown):
                self._log_odd_frame("a message of an unknown type")
            elif isinstance(message, Connected):
                self._connected(message, now)
            else:
                self._policy.succeeded()
            self._after(self._client.receive(message, now))

    def _connected(self, message: Connected, now: float) -> None:
        took_s = now - self._attempt_at
        self._report_connection_acquired(took_s, False)
        self._owner._announce("connected", ConnectedEvent(message.request_id, took_s))

    def _link_over(self, failure: APIError | None, *, steady: bool) -> APIError | None:
        client = self._client
        hang_up, in_turn, was_connected = client.hang_up, client.turn.is_open, client.is_connected
        code = failure.code if isinstance(failure, DroppedError) else None
        clean = isinstance(failure, DroppedError) and failure.is_clean
        self._after(client.link_lost(time.monotonic(), clean=clean))
        reason = hang_up.value if hang_up else str(failure.message if failure else "")
        self._owner._announce("disconnected", DisconnectedEvent(client.request_id, reason, code))
        if hang_up is HangUp.NOT_CONNECTED:
            client.attempt_failed()
            return APITimeoutError(hang_up.value)
        if hang_up is not None or client.finished:
            return None
        if was_connected and steady:
            self._policy.succeeded()
        if isinstance(failure, DroppedError) and was_connected and (steady or in_turn or clean):
            self._log_drop(failure, in_turn=in_turn)
            return None
        return failure

    # Failures.

    async def _back_off(self, error: APIError) -> None:
        """Waits before the next attempt.

        Raises:
            APIError: there is no point in another one.
        """
        retry_after_s = error.retry_after_s if isinstance(error, ServerError) else None
        now = time.monotonic()
        if isinstance(error, ServerError) and error.status_code == 429:
            self._settings.limiter.rate_limited(now, retry_after_s)
        delay_s = None
        if error.retryable:
            # Spreads the attempts of many streams; nothing secret depends on it.
            jitter = random.random()  # noqa: S311
            delay_s = self._policy.delay_after_failure(now, jitter=jitter, retry_after_s=retry_after_s)
        self._owner._announce("connection_error", ConnectionErrorEvent(error, delay_s))
        if delay_s is None:
            raise error
        logger.warning("connection failed, trying again", extra={"retry_in_s": delay_s, "error": type(error).__name__})
        await asyncio.sleep(delay_s)

    def _patience_s(self) -> float:
        """How long an outage may last before it surfaces."""
        if self._settings.outage_timeout_s is not None:
            return self._settings.outage_timeout_s
        return self._settings.max_buffer_s if self._conn_options.max_retry >= MANY_RETRIES else 0.0

    def _log_drop(self, error: DroppedError, *, in_turn: bool) -> None:
        extra = {"code": error.code, "request_id": self._client.request_id}
        if in_turn:
            logger.warning("the socket was lost in mid-turn, going on with a new one", extra=extra)
            self._owner._announce("connection_error", ConnectionErrorEvent(error, 0.0))
        else:
            logger.debug("the socket was closed between turns", extra=extra)

    def _log_odd_frame(self, kind: str) -> None:
        """Logs each kind of odd frame once a minute at most."""
        now = time.monotonic()
        if now - self._odd_frames.get(kind, -math.inf) >= ODD_FRAMES_EVERY_S:
            self._odd_frames[kind] = now
            logger.warning("ignoring an odd frame from the server", extra={"frame": kind})

    def _log_unexpected(self, error: Exception) -> None:
        if not isinstance(error, APIError):
            frames = traceback.extract_tb(error.__traceback__)
            where = f"{frames[-1].name}:{frames[-1].lineno}" if frames else "?"
            logger.error("the stream failed unexpectedly", extra={"error": type(error).__name__, "where": where})

    # What the client said.

    def _after(self, events: Sequence[ClientEvent]) -> None:
        """Publishes events and wakes whoever has something to do now."""
        for event in events:
            self._publish(event)
        self._to_send.set()
        if self._client.hang_up:
            self._to_hang_up.set()
        if self._client.wants_link or self._client.finished:
            self._to_link.set()
        if self._client.deadline < self._tick_at:
            self._to_tick.set()

    def _publish(self, event: ClientEvent) -> None:
        if isinstance(event, Notice):
            logger.warning(event.value, extra={"request_id": self._client.request_id})
            return
        for speech_event in speech_events(event, self._client.request_id):
            if speech_event.type is stt.SpeechEventType.END_OF_SPEECH:
                self._report_usage()
            self._event_ch.send_nowait(speech_event)
        self._owner._announce(*public_event(event, self._client.request_id))

    def _report_usage(self) -> None:
        seconds = self._client.take_usage(time.monotonic())
        if seconds:
            self._event_ch.send_nowait(
                stt.SpeechEvent(
                    type=stt.SpeechEventType.RECOGNITION_USAGE,
                    request_id=self._client.request_id,
                    recognition_usage=stt.RecognitionUsage(audio_duration=seconds),
                )
            )

    # Small parts.

    def _push(self, pieces: list[bytes]) -> None:
        now = time.monotonic()
        for pcm in pieces:
            self._after(self._client.push_audio(pcm, now))

    def _hold_s(self) -> float | None:
        """How long a chunk that is not full may wait."""
        return (self._settings.audio_chunk_duration_ms or 0) / 1000 if self._converter.is_holding else None

    @contextlib.asynccontextmanager
    async def _http_session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """The user's session, the job's, or one of our own where there is no job."""
        given = self._settings.http_session
        if given is not None:
            yield given
            return
        async with utils.http_context.open() as session:
            yield session


async def _until_done(main: Coroutine[Any, Any, object], *helpers: Coroutine[Any, Any, object]) -> None:
    """Runs all until `main` returns; an exception in any of them ends the others and is raised."""
    first = asyncio.create_task(main)
    tasks = {first, *map(asyncio.create_task, helpers)}
    pending = set(tasks)
    try:
        while not first.done():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        await utils.aio.cancel_and_wait(*tasks)


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    """Waits for the event, no longer than `timeout_s` seconds, and clears it. Always lets other tasks run."""
    if timeout_s <= 0:
        await asyncio.sleep(0)
    else:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(event.wait(), None if timeout_s == math.inf else timeout_s)
    event.clear()
