"""One websocket to the server: connect, send, receive, close. Whatever goes wrong is raised as an API error."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import aiohttp

from ..core.audio_queue import Chunk
from ..core.link import Outgoing, Ping
from ..errors import DroppedError
from ..wire.messages import ErrorMessage, ServerMessage
from ..wire.protocol import ProtocolError, parse, serialize
from .handshake import Handshake, redacted, shake_hands
from .tasks import finish

CLOSE_TIMEOUT_S = 0.25
"""How long a close waits for the server's answer before the socket is cut."""
MAX_IDENTIFIERS = 16
"""So many request and turn ids are remembered as looked at."""
LOST_SENDING = "the socket was lost while sending"
LOST = (aiohttp.ClientError, OSError, RuntimeError)
"""What aiohttp raises when it sends on a socket that is gone."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping."""

    payload: bytes


class Connection:
    """An open websocket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse[bool], handshake: Handshake) -> None:
        self._ws = ws
        self._transport = handshake.transport
        self._redaction = handshake.redaction
        self._identifiers: dict[str, str] = {}
        self.is_sending: bool = False
        """A `send` is under way; there may be one at a time."""
        self.is_lost: bool = False
        """A `send` has failed."""

    @property
    def is_clear(self) -> bool:
        """Nothing waits to be written, so that a frame of audio is with the network at once."""
        transport = self._transport
        return not self.is_sending and transport is not None and not transport.get_write_buffer_size()

    @classmethod
    async def open(
        cls, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], *, timeout_s: float
    ) -> Connection:
        """Opens a websocket.

        Args:
            session: what to connect with; stays open.
            url: the whole address, its query encoded already.
            headers: sent with the handshake; their values, and the query's, are kept out of errors.
            timeout_s: for the whole handshake.

        Raises:
            ServerError: the server refused.
            APIError: it could not be reached, or did not answer in time.
        """
        handshake = Handshake.of(url, headers)
        attempt = asyncio.create_task(shake_hands(session, url, headers, handshake, CLOSE_TIMEOUT_S))
        try:
            await finish(attempt, timeout_s)
        except asyncio.CancelledError:
            if not attempt.cancelled() and not attempt.exception():
                await cls(attempt.result(), handshake).close()
            raise
        error = None if attempt.cancelled() else attempt.exception()
        # Raised where `error` is not being handled: it may hold the request's headers, and would be the context.
        if error is not None or attempt.cancelled():
            raise handshake.failure(error)
        return cls(attempt.result(), handshake)

    async def send(self, item: Outgoing) -> None:
        """Sends, waiting while the socket's own buffer is full.

        Raises:
            DroppedError: the socket is gone.
        """
        if isinstance(item, Chunk):
            await self.send_audio(item.pcm)
            return
        self.is_sending = True
        try:
            if isinstance(item, Ping):
                await self._ws.ping(item.payload)
            else:
                await self._ws.send_str(serialize(item))
        except LOST:
            self.is_lost = True
            raise DroppedError(LOST_SENDING) from None
        finally:
            self.is_sending = False

    async def send_audio(self, pcm: bytes) -> None:
        """Sends PCM audio, as `send`."""
        self.is_sending = True
        try:
            await self._ws.send_bytes(pcm)
        except LOST:
            self.is_lost = True
            raise DroppedError(LOST_SENDING) from None
        finally:
            self.is_sending = False

    async def receive(self) -> ServerMessage | Pong:
        """Waits for the next message, an error of the server's included. Answers pings.

        Raises:
            ProtocolError: a frame that is no message; the socket lives on.
            DroppedError: the socket is gone.
        """
        while True:
            frame = await self._ws.receive()
            if frame.type is aiohttp.WSMsgType.TEXT:
                return self._message(frame.data)
            if frame.type is aiohttp.WSMsgType.PONG:
                return Pong(bytes(frame.data))
            if frame.type is aiohttp.WSMsgType.PING:
                # What came in before the socket was lost is read first; then follows the loss.
                with contextlib.suppress(*LOST):
                    await self._ws.pong(frame.data)
            elif frame.type is aiohttp.WSMsgType.BINARY:
                raise ProtocolError("a binary frame")
            elif frame.type is aiohttp.WSMsgType.CLOSE:
                raise DroppedError("the server closed the socket", code=frame.data or 1005)
            else:
                # aiohttp reports the end of the TCP stream as a clean close: `close_code` tells nothing.
                raise DroppedError("the socket was lost")

    async def close(self) -> None:
        """Closes the socket, for certain and within CLOSE_TIMEOUT_S."""
        closing = asyncio.create_task(self._ws.close())
        try:
            await finish(closing, CLOSE_TIMEOUT_S)
        finally:
            if self._transport is not None:
                # One that has something left to write would stay until the peer has read it.
                self._transport.abort()

    def _message(self, data: str) -> ServerMessage:
        message = parse(data)
        if isinstance(message, ErrorMessage):
            return redacted(message, self._redaction)
        ids = {name: value for name in ("request_id", "turn_id") if (value := getattr(message, name, ""))}
        clean = {name: self._clean(value) for name, value in ids.items()}
        if clean == ids:
            return message
        return replace(message, **clean)  # type: ignore[arg-type]  # these are fields that the message has

    def _clean(self, identifier: str) -> str:
        """The identifier without a secret in it. All messages of a turn have the same, which is looked at once."""
        if identifier not in self._identifiers:
            if len(self._identifiers) >= MAX_IDENTIFIERS:
                self._identifiers.clear()
            self._identifiers[identifier] = self._redaction.identifier(identifier)
        return self._identifiers[identifier]
