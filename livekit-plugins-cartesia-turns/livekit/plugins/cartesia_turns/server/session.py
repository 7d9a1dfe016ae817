"""One accepted websocket: what it receives goes to its responder, and the responder's answers go out."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import WSMsgType, web

from ..log import logger
from ..wire.messages import Close, Config, Connected, ErrorMessage
from ..wire.protocol import ConfigError, ProtocolError, parse_client, serialize
from .connection import ConnectionRecord, Frame, Responder, ResponderFactory
from .faults import Faults, PaceLimit, reached, reset
from .handshake import StreamRequest, bad_request, configured, server_error, too_fast
from .inbox import Inbox
from .vendor import Vendor

CLOSE_WAIT_S = 1.0
"""How long the server waits for the client's close frame, in seconds."""
HEARD_AT_ONCE_S = 0.1
"""Audio is heard in slices of at most so many seconds, so that a minute in one frame delays nobody else."""


class Session:
    """Serves one socket until either side ends it."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        stream: StreamRequest,
        respond: ResponderFactory,
        *,
        vendor: Vendor,
        faults: Faults,
        record: ConnectionRecord,
        idle_timeout_s: float,
    ) -> None:
        self.over: asyncio.Event = asyncio.Event()
        self._socket = socket
        self._transport = transport
        self._stream = stream
        self._respond = respond
        self._vendor = vendor
        self._faults = faults
        self._pace = None if faults.max_pace is None else PaceLimit(faults.max_pace, faults.pace_burst_s)
        self._record = record
        record.stream = stream
        self._idle_timeout_s = idle_timeout_s
        self._inbox = Inbox(transport)
        self._heard_bytes = 0
        self._garbage_sent = False
        self._goodbye: tuple[int, str] | None = None
        self._closing = asyncio.Event()
        self._last_message_s = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Returns when the connection is over, whoever ended it."""
        answering = asyncio.create_task(self._answer())
        pumps = (self._read(), self._close_when_idle(), self._wait_for_close())
        tasks = [answering, *map(asyncio.create_task, pumps)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gave_up = answering.done()
            for task in tasks:
                task.cancel()
            answered, *outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        await self._end(answered if gave_up or isinstance(answered, Exception) else None)
        for outcome in outcomes:
            # A client may vanish in the middle of a message: that is no error of the server's.
            if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionError):
                raise outcome

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Lets `run` close the websocket and wait for the client's close frame, CLOSE_WAIT_S at most."""
        if self._goodbye is None:
            self._goodbye = (code, reason)
            self._record.closing(code)
        self._closing.set()

    def drop(self, code: int | None) -> None:
        """Ends the connection: with a close frame of this code, or by a TCP reset where it is None."""
        if code is not None:
            self.close(code)
            return
        self._record.closing(1006)
        reset(self._transport)

    async def _end(self, failure: BaseException | None) -> None:
        """Says what is left to say, now that nobody else reads or writes.

        Args:
            failure: what the responder failed with, if it failed.
        """
        try:
            await asyncio.wait_for(self._say_goodbye(failure), 2 * CLOSE_WAIT_S)
        except (asyncio.TimeoutError, asyncio.CancelledError) as error:
            # The client does not even read: what is still to be sent would keep the connection open for ever.
            self._transport.abort()
            if isinstance(error, asyncio.CancelledError):
                raise

    async def _say_goodbye(self, failure: BaseException | None) -> None:
        is_over = self._goodbye is not None or self._transport.is_closing()
        if failure is not None and not (is_over and isinstance(failure, ConnectionError)):
            logger.error("the responder of a stream failed", exc_info=failure)
            if not is_over:
                await self._apologize()
        if self._goodbye is not None:
            # The client's close frame must be read. Otherwise what it still sends makes TCP reset the connection, and
            # the last messages are lost.
            self._inbox.let_in()
            code, reason = self._goodbye
            await self._socket.close(code=code, message=reason.encode())

    async def _apologize(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._send(serialize(server_error(self._stream.request_id)))
        self.close(1011, "Internal error")

    async def _read(self) -> None:
        async for message in self._socket:
            self._last_message_s = asyncio.get_running_loop().time()
            if message.type is WSMsgType.BINARY:
                await self._take_audio(message.data)
            elif message.type is WSMsgType.TEXT:
                self._record.commanded(message.data)
                self._inbox.put(message.data)
            if self._goodbye is not None:
                return

    async def _take_audio(self, pcm: bytes) -> None:
        self._record.heard(pcm)
        if self._is_too_fast(len(pcm)):
            await self._refuse(too_fast(self._faults.pace_status, self._stream.request_id))
            return
        if self._faults.slow_read_bytes_per_s is not None:
            await asyncio.sleep(len(pcm) / self._faults.slow_read_bytes_per_s)
        self._inbox.put(pcm)

    def _is_too_fast(self, length: int) -> bool:
        audio_s = length / self._stream.bytes_per_second
        return self._pace is not None and self._pace.exceeded_by(audio_s, self._last_message_s)

    async def _answer(self) -> None:
        responder = self._respond(self._stream)
        try:
            if not self._faults.no_connected:
                await self._send(serialize(Connected(self._stream.request_id)))
            await self._hear(responder, b"")
            while self._goodbye is None:
                frame = await self._inbox.get()
                if isinstance(frame, bytes):
                    await self._hear_all(responder, frame)
                else:
                    await self._obey(responder, frame)
        finally:
            responder.close()

    async def _hear_all(self, responder: Responder, pcm: bytes) -> None:
        size = round(self._stream.bytes_per_second * HEARD_AT_ONCE_S)
        for start in range(0, len(pcm), size):
            await self._hear(responder, pcm[start : start + size])
            if start + size < len(pcm) or not self._inbox.is_empty:
                # Otherwise a backlog is heard without a pause, and other connections would wait for its end.
                await asyncio.sleep(0)

    async def _hear(self, responder: Responder, pcm: bytes) -> None:
        self._heard_bytes += len(pcm)
        self._record.audio_s = self._heard_bytes / self._stream.bytes_per_second
        async for frame in responder.hear(pcm):
            await self._send(frame)
        await self._misbehave(self._record.audio_s)

    async def _obey(self, responder: Responder, text: str) -> None:
        try:
            command = parse_client(text)
        except ConfigError as error:
            await self._reject(str(error))
        except ProtocolError as error:
            await self._refuse(bad_request(str(error), self._stream.request_id))
        else:
            if isinstance(command, Close):
                await self._finish(responder)
            else:
                await self._configure(responder, command)

    async def _configure(self, responder: Responder, config: Config) -> None:
        try:
            if self._faults.reject_config:
                raise ValueError("A fault set from Python.")
            changed = configured(self._stream, config, self._vendor)
            responder.configure(config.turn)
        except ValueError as error:
            await self._reject(str(error))
        else:
            self._stream = self._record.stream = changed

    async def _finish(self, responder: Responder) -> None:
        async for frame in responder.finish():
            await self._send(frame)
        if self._faults.never_close:
            await asyncio.Event().wait()
        self.close()

    async def _reject(self, message: str) -> None:
        """Answers a `config` that changes nothing."""
        await self._send(serialize(bad_request(message, self._stream.request_id)))

    async def _refuse(self, error: ErrorMessage) -> None:
        await self._send(serialize(error))
        self.close(1008, error.title)

    async def _send(self, frame: Frame) -> None:
        if reached(self._faults.stall_at_s, self._record.audio_s):
            return
        if isinstance(frame, str):
            await self._socket.send_str(frame)
        else:
            await self._socket.send_bytes(frame)
        self._record.sent(frame)

    async def _misbehave(self, now_s: float) -> None:
        if reached(self._faults.garbage_at_s, now_s) and not self._garbage_sent:
            self._garbage_sent = True
            for frame in self._faults.garbage:
                await self._send(frame)
        if reached(self._faults.half_open_at_s, now_s):
            self._transport.pause_reading()
            await asyncio.Event().wait()
        if reached(self._faults.drop_at_s, now_s):
            self.drop(self._faults.drop_code)
            raise ConnectionAbortedError("dropped, as the fault asks")

    async def _wait_for_close(self) -> None:
        await self._closing.wait()

    async def _close_when_idle(self) -> None:
        loop = asyncio.get_running_loop()
        # An event would have to be set by each message, and would wake this task up each time.
        while (left_s := self._last_message_s + self._idle_timeout_s - loop.time()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left_s)
        self.close(1001, "Idle timeout")
