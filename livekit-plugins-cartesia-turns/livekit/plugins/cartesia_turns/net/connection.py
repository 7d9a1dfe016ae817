"""One websocket to the server: connect, send, receive, close. Every failure is raised as an API error."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from ..core.chunk import Chunk
from ..core.link import Outgoing, Ping
from ..errors import DroppedError
from ..wire.messages import Connected, ErrorMessage, ServerMessage, Unknown
from ..wire.protocol import ProtocolError, parse, serialize
from .handshake import Handshake, shake_hands
from .redaction import redacted
from .tasks import begin, finish, look_at

CLOSE_TIMEOUT_S = 0.25
"""How long a close waits for the server's answer before the socket is cut."""
MAX_IDENTIFIERS = 16
"""How many request and turn ids are remembered as free of secrets."""
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
        self._rest: asyncio.Task[None] | None = None

    @property
    def is_sending(self) -> bool:
        """A `send_now` is under way, or its end is not told yet. There may be only one at a time."""
        return self._rest is not None

    @property
    def is_clear(self) -> bool:
        """Nothing waits to be written to the socket, so that a frame of audio goes to the network at once."""
        transport = self._transport
        if self._rest is not None or transport is None or transport.is_closing():
            return False
        return not transport.get_write_buffer_size()

    @classmethod
    async def open(
        cls, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], *, timeout_s: float
    ) -> Connection:
        """Opens a websocket.

        Args:
            session: what to connect with. It stays open.
            url: the whole address, its query encoded already.
            headers: sent with the handshake. No error contains their values or those of the query.
            timeout_s: for the whole handshake, in seconds.

        Raises:
            ServerError: the server refused.
            APIError: the server could not be reached, or did not answer in time.
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
        # This is not raised while `error` is handled: `error` would be its context, and may hold the request's headers.
        if error is not None or attempt.cancelled():
            raise handshake.failure(error)
        return cls(attempt.result(), handshake)

    def send_now(self, item: Outgoing | bytes) -> asyncio.Task[None] | None:
        """Sends one item, or PCM audio, from the caller's step of the event loop. No other send may be under way.

        Returns:
            A task that is done when the socket's own buffer has room again, if the item has filled it; else None. It
            fails if the socket is lost meanwhile.

        Raises:
            DroppedError: the socket is gone.
        """
        try:
            rest = begin(self._sending(item))
        except LOST:
            raise DroppedError(LOST_SENDING) from None
        if rest is not None:
            # The callbacks of a task run after its last step, so anything else may run between the two. The caller's
            # callback comes right after this one.
            rest.add_done_callback(self._sent)
            self._rest = rest
        return rest

    async def receive(self) -> ServerMessage | Pong:
        """Waits for the next message, which may be the server's error. Answers pings.

        Raises:
            ProtocolError: a frame is no message. The socket stays usable.
            DroppedError: the socket is gone.
        """
        while True:
            frame = await self._ws.receive()
            if frame.type is aiohttp.WSMsgType.TEXT:
                return self._message(frame.data)
            if frame.type is aiohttp.WSMsgType.PONG:
                return Pong(bytes(frame.data))
            if frame.type is aiohttp.WSMsgType.PING:
                # If the socket is lost, the frames that came in before are read first; then `receive` reports the loss.
                with contextlib.suppress(*LOST):
                    await self._ws.pong(frame.data)
            elif frame.type is aiohttp.WSMsgType.BINARY:
                raise ProtocolError("a binary frame")
            elif frame.type is aiohttp.WSMsgType.CLOSE:
                raise DroppedError("the server closed the socket", code=frame.data or 1005)
            else:
                # aiohttp reports the end of the TCP stream as a clean close, so `close_code` proves nothing.
                raise DroppedError("the socket was lost")

    async def close(self) -> None:
        """Closes the socket, for certain and within CLOSE_TIMEOUT_S."""
        closing = asyncio.create_task(self._ws.close())
        try:
            await finish(closing, CLOSE_TIMEOUT_S)
        finally:
            if self._transport is not None:
                # With data left to write, the transport would otherwise stay open until the peer has read it.
                # In Python 3.11.2 this fails for an encrypted one that was closed twice, as happens behind a proxy.
                with contextlib.suppress(AttributeError):
                    self._transport.abort()

    def _sending(self, item: Outgoing | bytes) -> Coroutine[Any, Any, None]:
        if isinstance(item, bytes):
            return self._ws.send_bytes(item)
        if isinstance(item, Chunk):
            return self._ws.send_bytes(item.pcm)
        if isinstance(item, Ping):
            return self._ws.ping(item.payload)
        return self._ws.send_str(serialize(item))

    def _sent(self, rest: asyncio.Task[None]) -> None:
        self._rest = None
        look_at(rest)

    def _message(self, data: str) -> ServerMessage:
        message = parse(data)
        if isinstance(message, ErrorMessage):
            return redacted(message, self._redaction)
        if isinstance(message, Unknown):
            return message
        request_id = self._clean(message.request_id)
        if isinstance(message, Connected):
            return message if request_id == message.request_id else Connected(request_id)
        turn_id = self._clean(message.turn_id)
        if request_id == message.request_id and turn_id == message.turn_id:
            return message
        return replace(message, request_id=request_id, turn_id=turn_id)

    def _clean(self, identifier: str) -> str:
        """The identifier without any secret in it. All messages of a turn have the same one, so it is checked once."""
        if identifier and identifier not in self._identifiers:
            if len(self._identifiers) >= MAX_IDENTIFIERS:
                self._identifiers.clear()
            self._identifiers[identifier] = self._redaction.identifier(identifier)
        return self._identifiers.get(identifier, "")
