"""One accepted websocket: what it receives goes to its responder, what that answers goes out."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
import struct
from typing import TypeAlias

from aiohttp import WSMsgType, web

from ..messages import ClientMessage, Close, Config, Connected
from ..protocol import ProtocolError, parse_client, serialize
from .faults import Faults, reached
from .handshake import StreamRequest, bad_request
from .record import ConnectionRecord, Frame
from .responder import Responder

CLOSE_WAIT_S = 1.0
"""How long the server waits for the client's half of a close, in seconds."""
SLICE_S = 0.1
"""Audio is heard in slices of at most so many seconds, so that a minute in one frame delays nobody else."""
MAX_INBOX = 3000
"""Slices and commands received and not yet heard: a minute of 20 ms frames. Beyond it the client has to wait."""
MAX_FRAME_BYTES = 32 * 2**20

_Item: TypeAlias = bytes | ClientMessage | ProtocolError


class Session:
    """Pumps one socket until either side ends it."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        stream: StreamRequest,
        responder: Responder,
        *,
        faults: Faults,
        record: ConnectionRecord,
        idle_timeout_s: float,
    ) -> None:
        self.over = asyncio.Event()
        self._socket = socket
        self._transport = transport
        self._stream = stream
        self._responder = responder
        self._faults = faults
        self._record = record
        self._idle_timeout_s = idle_timeout_s
        self._inbox: asyncio.Queue[_Item] = asyncio.Queue(MAX_INBOX)
        self._heard_bytes = 0
        self._garbage_sent = False
        self._goodbye: tuple[int, str] | None = None
        self._closing = asyncio.Event()
        self._last_message_s = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Returns when the connection is over, whoever ended it."""
        pumps = (self._read(), self._answer(), self._close_when_idle(), self._wait_for_close())
        tasks = [asyncio.create_task(pump) for pump in pumps]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            self._responder.close()
        if self._goodbye is not None:
            # Only now, with nobody else reading: the client's half of the close must be read, or what it still sends
            # makes TCP reset the connection and take the last messages with it.
            code, reason = self._goodbye
            await self._socket.close(code=code, message=reason.encode())
        for outcome in outcomes:
            # A client may vanish in the middle of a message: that is its right.
            if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionError):
                raise outcome

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Lets `run` close the websocket and wait for the client's half of it, CLOSE_WAIT_S at most."""
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

    async def _read(self) -> None:
        async for message in self._socket:
            self._last_message_s = asyncio.get_running_loop().time()
            if message.type is WSMsgType.BINARY:
                await self._take_audio(message.data)
            elif message.type is WSMsgType.TEXT:
                self._record.commanded(message.data)
                await self._inbox.put(_command(message.data))

    async def _take_audio(self, pcm: bytes) -> None:
        self._record.heard(pcm)
        if self._faults.slow_read_bytes_per_s is not None:
            await asyncio.sleep(len(pcm) / self._faults.slow_read_bytes_per_s)
        size = round(self._stream.bytes_per_second * SLICE_S)
        for start in range(0, len(pcm), size):
            await self._inbox.put(pcm[start : start + size])

    async def _answer(self) -> None:
        if not self._faults.no_connected:
            await self._send(serialize(Connected(self._stream.request_id)))
        await self._hear(b"")
        while True:
            item = await self._inbox.get()
            if isinstance(item, bytes):
                await self._hear(item)
            elif isinstance(item, Config):
                await self._configure(item)
            elif isinstance(item, Close):
                await self._finish()
                return
            else:
                await self._fail(str(item))

    async def _hear(self, pcm: bytes) -> None:
        self._heard_bytes += len(pcm)
        self._record.audio_s = self._heard_bytes / self._stream.bytes_per_second
        async for frame in self._responder.hear(pcm):
            await self._send(frame)
        await self._misbehave(self._record.audio_s)
        # A backlog is heard without a pause otherwise, and other connections would wait for its end.
        await asyncio.sleep(0)

    async def _configure(self, config: Config) -> None:
        try:
            self._responder.configure(config.turn)
        except ValueError as error:
            await self._fail(str(error))

    async def _finish(self) -> None:
        async for frame in self._responder.finish():
            await self._send(frame)
        if self._faults.never_close:
            await asyncio.Event().wait()
        self.close()

    async def _fail(self, message: str) -> None:
        await self._send(serialize(bad_request(message, self._stream.request_id)))
        self.close(1008, "Bad request")

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
        # An event would have to be set by each message, and would wake this up for each.
        while (left_s := self._last_message_s + self._idle_timeout_s - loop.time()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left_s)
        self.close(1001, "Idle timeout")


def reset(transport: asyncio.Transport) -> None:
    """Drops a TCP connection without a word: the peer gets a reset and loses what it had not read."""
    socket = transport.get_extra_info("socket")
    # With no time to linger, closing means a reset.
    with contextlib.suppress(OSError):
        socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _command(text: str) -> ClientMessage | ProtocolError:
    try:
        return parse_client(text)
    except ProtocolError as error:
        return error
