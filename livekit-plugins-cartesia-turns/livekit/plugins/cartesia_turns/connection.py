"""One websocket to the server: connect, send, receive, close. Whatever goes wrong is raised as an API error."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import SimpleNamespace

import aiohttp
from yarl import URL

from .errors import DroppedError, ServerError, as_api_error, without
from .link import Outgoing, Ping
from .protocol import ErrorMessage, ProtocolError, ServerMessage, parse, parse_error_body, serialize
from .replay import Chunk

CLOSE_TIMEOUT_S = 0.25
"""How long a close waits for the server's answer before the socket is cut."""
MAX_ERROR_BODY = 16_384
"""Bytes read of the body of a failed handshake."""
REQUEST_ID_HEADER = "X-Request-Id"


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping."""

    payload: bytes


class Connection:
    """An open websocket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse[bool], secrets: frozenset[str]) -> None:
        self._ws = ws
        self._secrets = secrets

    @classmethod
    async def open(
        cls, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], *, timeout_s: float
    ) -> Connection:
        """Opens a websocket.

        Args:
            session: what to connect with; stays open.
            url: the whole address, its query encoded already.
            headers: sent with the handshake; their values are kept out of errors.
            timeout_s: for the whole handshake.

        Raises:
            ServerError: the server refused.
            APIError: it could not be reached, or did not answer in time.
        """
        secrets = frozenset(headers.values())
        body = bytearray()
        _refusal_body.set(body)
        if _TRACE not in session.trace_configs:
            session.trace_configs.append(_TRACE)
        try:
            ws = await asyncio.wait_for(_connect(session, url, headers), timeout_s)
        except aiohttp.WSServerHandshakeError as error:
            # `from None`, here and below: the cause holds the request's headers.
            raise _refusal(error, bytes(body), secrets) from None
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError, ValueError, RuntimeError) as error:
            raise as_api_error(error) from None
        return cls(ws, secrets)

    async def send(self, item: Outgoing) -> None:
        """Sends, waiting while the socket's own buffer is full.

        Raises:
            DroppedError: the socket is gone.
        """
        try:
            if isinstance(item, Chunk):
                await self._ws.send_bytes(item.pcm)
            elif isinstance(item, Ping):
                await self._ws.ping(item.payload)
            else:
                await self._ws.send_str(serialize(item))
        except (aiohttp.ClientError, OSError, RuntimeError):
            raise DroppedError("the socket was lost while sending") from None

    async def receive(self) -> ServerMessage | Pong:
        """Waits for the next message. Answers pings.

        Raises:
            ProtocolError: a frame that is no message; the socket lives on.
            ServerError: the server reported a failure in-band.
            DroppedError: the socket is gone.
        """
        while True:
            frame = await self._ws.receive()
            if frame.type is aiohttp.WSMsgType.TEXT:
                return self._message(frame.data)
            if frame.type is aiohttp.WSMsgType.PONG:
                return Pong(bytes(frame.data))
            if frame.type is aiohttp.WSMsgType.PING:
                await self._ws.pong(frame.data)
            elif frame.type is aiohttp.WSMsgType.BINARY:
                raise ProtocolError("a binary frame")
            else:
                code = self._ws.close_code or 1006
                raise DroppedError("the server closed the socket" if code != 1006 else "the socket was lost", code=code)

    async def close(self) -> None:
        """Closes the socket, for certain and within CLOSE_TIMEOUT_S."""
        try:
            await asyncio.wait_for(self._ws.close(), CLOSE_TIMEOUT_S)
        except (asyncio.TimeoutError, aiohttp.ClientError, OSError):
            # A cancelled `ws.close` has cut the transport.
            return

    def _message(self, data: str) -> ServerMessage:
        message = parse(data)
        if isinstance(message, ErrorMessage):
            raise ServerError(_redacted(message, self._secrets))
        return message


async def _connect(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]
) -> aiohttp.ClientWebSocketResponse[bool]:
    return await session.ws_connect(
        URL(url, encoded=True),
        headers=headers,
        # Pongs tell how long a round trip takes and what audio has arrived, so they are not left to aiohttp.
        autoping=False,
        timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
    )


def _refusal(error: aiohttp.WSServerHandshakeError, body: bytes, secrets: frozenset[str]) -> ServerError:
    headers: Mapping[str, str] = error.headers or {}
    message = parse_error_body(body, error.status)
    if not message.request_id:
        message = replace(message, request_id=headers.get(REQUEST_ID_HEADER, ""))
    return ServerError(_redacted(message, secrets), retry_after_s=_seconds(headers.get("Retry-After")))


def _redacted(message: ErrorMessage, secrets: frozenset[str]) -> ErrorMessage:
    return replace(message, title=without(message.title, secrets), message=without(message.message, secrets))


def _seconds(retry_after: str | None) -> float | None:
    """Reads a Retry-After in seconds; the form with a date is not used by the vendor."""
    return float(retry_after) if retry_after and retry_after.isdecimal() else None


_refusal_body: ContextVar[bytearray] = ContextVar("refusal_body")


async def _keep_refusal(_: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestEndParams) -> None:
    """Keeps the body of a refused handshake: it says what was wrong, and `ws_connect` throws it away."""
    kept = _refusal_body.get(None)
    if kept is not None and params.response.status >= 400:
        kept += await params.response.content.read(MAX_ERROR_BODY)


_TRACE = aiohttp.TraceConfig()
_TRACE.on_request_end.append(_keep_refusal)
_TRACE.freeze()
