"""One websocket to the server: connect, send, receive, close. Whatever goes wrong is raised as an API error."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import TypeGuard
from urllib.parse import parse_qsl, unquote, urlsplit

import aiohttp
from yarl import URL

from .errors import DroppedError, RedirectedError, ServerError, as_api_error, without
from .link import Outgoing, Ping
from .messages import ErrorMessage, ServerMessage
from .protocol import VERSION_HEADER, ProtocolError, parse, parse_error_body, serialize
from .replay import Chunk
from .tasks import finish

CLOSE_TIMEOUT_S = 0.25
"""How long a close waits for the server's answer before the socket is cut."""
MAX_ERROR_BODY = 16_384
"""Bytes read of the body of a failed handshake."""
ERROR_BODY_TIMEOUT_S = 1.0
"""How long it is waited for: the status alone says enough."""
REQUEST_ID_HEADER = "X-Request-Id"
LOST = (aiohttp.ClientError, OSError, RuntimeError)
"""What aiohttp raises when it sends on a socket that is gone."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping."""

    payload: bytes


class Connection:
    """An open websocket."""

    def __init__(
        self,
        ws: aiohttp.ClientWebSocketResponse[bool],
        transport: asyncio.Transport | None,
        secrets: frozenset[str],
    ) -> None:
        self._ws = ws
        self._transport = transport
        self._secrets = secrets

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
        secrets = _secrets(url, headers)
        answer = _Answer()
        if _TRACE not in session.trace_configs:
            session.trace_configs.append(_TRACE)
        attempt = asyncio.create_task(_connect(session, url, headers, answer))
        try:
            await finish(attempt, timeout_s)
        except asyncio.CancelledError:
            if not attempt.cancelled() and not attempt.exception():
                await cls(attempt.result(), answer.transport, secrets).close()
            raise
        error = asyncio.TimeoutError() if attempt.cancelled() else attempt.exception()
        # Raised where `error` is not being handled: it may hold the request's headers, and would be the context.
        if _is_refusal(error):
            raise _refusal(error, bytes(answer.body), secrets)
        if isinstance(error, Exception):
            raise as_api_error(error)
        return cls(attempt.result(), answer.transport, secrets)

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
        except LOST:
            raise DroppedError("the socket was lost while sending") from None

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
        return _redacted(message, self._secrets) if isinstance(message, ErrorMessage) else message


@dataclass(slots=True)
class _Answer:
    """What came back to a handshake, beside what `ws_connect` returns."""

    body: bytearray = field(default_factory=bytearray)
    """Of a refusal."""
    transport: asyncio.Transport | None = None
    """What the answer came over."""


async def _connect(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], answer: _Answer
) -> aiohttp.ClientWebSocketResponse[bool]:
    # Set within this task, so that no other request of the user's session is taken for the handshake.
    _answer.set(answer)
    return await session.ws_connect(
        URL(url, encoded=True),
        headers=headers,
        # Pongs tell how long a round trip takes and what audio has arrived, so they are not left to aiohttp.
        autoping=False,
        autoclose=False,
        timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
    )


def _is_refusal(error: BaseException | None) -> TypeGuard[aiohttp.ClientResponseError]:
    """Whether the server answered with another status than 101."""
    # Not WSServerHandshakeError alone: a session with raise_for_status raises its base. With a cause it is no refusal:
    # aiohttp makes up a status for an answer that is no HTTP.
    return isinstance(error, aiohttp.ClientResponseError) and error.__cause__ is None


def _refusal(error: aiohttp.ClientResponseError, body: bytes, secrets: frozenset[str]) -> ServerError:
    headers: Mapping[str, str] = error.headers or {}
    message = parse_error_body(body, error.status)
    if not message.request_id:
        message = replace(message, request_id=headers.get(REQUEST_ID_HEADER, ""))
    return ServerError(_redacted(message, secrets), retry_after_s=_seconds(headers.get("Retry-After")))


def _redacted(message: ErrorMessage, secrets: frozenset[str]) -> ErrorMessage:
    return replace(
        message,
        title=without(message.title, secrets),
        message=without(message.message, secrets),
        error_code=message.error_code and without(message.error_code, secrets),
        request_id=without(message.request_id, secrets),
        doc_url=message.doc_url and without(message.doc_url, secrets),
    )


def _secrets(url: str, headers: Mapping[str, str]) -> frozenset[str]:
    """What no error may quote: the key, the token, the query, its keyterms, and whatever else the user sends."""
    query = urlsplit(url).query
    terms = [value for name, value in parse_qsl(query) if name == "keyterm"]
    values = [value for name, value in headers.items() if name != VERSION_HEADER]
    return frozenset([query, unquote(query), *terms, *values, *(value.removeprefix("Bearer ") for value in values)])


def _seconds(retry_after: str | None) -> float | None:
    """Reads a Retry-After in either form that HTTP has: seconds, or a date (a proxy's: the vendor sends none)."""
    if retry_after is None or retry_after.isdecimal():
        return float(retry_after) if retry_after else None
    try:
        at = parsedate_to_datetime(retry_after)
    except (TypeError, ValueError):
        return None
    return max(0.0, at.timestamp() - time.time())


_answer: ContextVar[_Answer] = ContextVar("answer")


async def _keep_answer(_: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestEndParams) -> None:
    """Keeps what `ws_connect` does not give out: the transport, and the body of a refusal, which says the reason."""
    answer, response = _answer.get(None), params.response
    if answer is None:
        return
    answer.transport = response.connection.transport if response.connection else None
    if response.status >= 400:
        await finish(asyncio.create_task(_read(response.content, answer.body)), ERROR_BODY_TIMEOUT_S)


async def _read(stream: aiohttp.StreamReader, kept: bytearray) -> None:
    with contextlib.suppress(aiohttp.ClientError):
        while len(kept) < MAX_ERROR_BODY and (piece := await stream.readany()):
            kept += piece


async def _refuse_redirect(
    _: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestRedirectParams
) -> None:
    """Stops a handshake that is sent elsewhere: the key is for this server alone."""
    if _answer.get(None) is not None:
        params.response.close()
        raise RedirectedError


_TRACE = aiohttp.TraceConfig()
_TRACE.on_request_end.append(_keep_answer)
_TRACE.on_request_redirect.append(_refuse_redirect)
_TRACE.freeze()
