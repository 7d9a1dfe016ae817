"""The handshake of a websocket: what is sent with it, what comes back, and why it failed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import TypeGuard
from urllib.parse import urlsplit
from urllib.request import getproxies

import aiohttp
from livekit.agents import APIError, APITimeoutError
from yarl import URL

from ..errors import Cause, ServerError, UnreachableError
from ..wire.options import is_loopback
from ..wire.protocol import parse_error_body
from .causes import NO_ANSWER, RedirectedError, as_api_error, proxy_refusal
from .redaction import Redaction, redacted, redaction_of
from .tasks import finish

MAX_ERROR_BODY = 16_384
"""How many bytes are read of the body of a failed handshake."""
ERROR_BODY_TIMEOUT_S = 1.0
"""How long to wait for that body, since the status alone says enough."""
REQUEST_ID_HEADERS = ("X-Request-Id", "cartesia-request-id")
PROXY_WANTS_A_PASSWORD = 407


@dataclass(slots=True)
class Handshake:
    """One attempt, and what is noted of it on the way."""

    redaction: Redaction
    address: str
    """The address of the server, without the query."""
    body: bytearray = field(default_factory=bytearray)
    """The body of a refusal."""
    transport: asyncio.Transport | None = None
    """The transport over which the answer came."""
    doing: str = "connecting"
    """The step that is under way, for the error of a timeout."""

    @classmethod
    def of(cls, url: str, headers: Mapping[str, str]) -> Handshake:
        """A handshake with this address. No error quotes its query and headers."""
        return cls(redaction_of(url, headers), url.partition("?")[0])

    def failure(self, error: BaseException | None) -> APIError:
        """Why the handshake failed: `error` is what `ws_connect` raised, None if it took too long."""
        if error is None:
            return APITimeoutError(f"{NO_ANSWER} ({self.doing})")
        if _is_answer(error):
            return self._refusal(error)
        address_at_fault = self._bad_address(error)
        if address_at_fault is not None:
            return address_at_fault
        if isinstance(error, RuntimeError):
            # aiohttp raises a RuntimeError if the session can no longer be used.
            return UnreachableError(
                Cause.ARGUMENT, "http_session is closed, or belongs to another event loop", retryable=False
            )
        return as_api_error(error) if isinstance(error, Exception) else UnreachableError(Cause.OTHER)

    def _bad_address(self, error: BaseException) -> UnreachableError | None:
        """The failure if an address is bad, and it is the proxy's, or it can't be told whose it is; else None."""
        if isinstance(error, aiohttp.ClientConnectorDNSError) and error.host != URL(self.address).raw_host:
            return UnreachableError(Cause.PROXY, "its name could not be resolved")
        if isinstance(error, aiohttp.InvalidURL) and not self._is_with(str(error.url)):
            return UnreachableError(Cause.PROXY, "its address is invalid", retryable=False)
        if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
            # For example a host name with an empty part, or a proxy's address whose port is no number.
            return UnreachableError(Cause.ARGUMENT, retryable=False)
        return None

    def _is_with(self, url: str) -> bool:
        """Whether the URL is that of the server, whatever the scheme."""
        return url.partition("://")[2].startswith(self.address.partition("://")[2])

    def _refusal(self, error: aiohttp.ClientResponseError) -> APIError:
        if error.status == PROXY_WANTS_A_PASSWORD:
            return proxy_refusal(error.status)
        if error.status < 400:
            detail = f"status {error.status}"
            return UnreachableError(Cause.ANSWER, detail, status_code=error.status, retryable=False)
        headers: Mapping[str, str] = error.headers or {}
        message = parse_error_body(bytes(self.body), error.status)
        if not message.request_id:
            ids = (headers.get(name, "") for name in REQUEST_ID_HEADERS)
            message = replace(message, request_id=next(filter(None, ids), ""))
        retry_after_s = seconds(headers.get("Retry-After"), time.time())
        return ServerError(redacted(message, self.redaction), retry_after_s=retry_after_s, in_band=False)


async def shake_hands(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], handshake: Handshake, close_timeout_s: float
) -> aiohttp.ClientWebSocketResponse[bool]:
    """Opens a websocket, and notes what happens in `handshake`.

    Raises:
        Exception: whatever aiohttp raises. `Handshake.failure` turns it into an API error.
    """
    # This runs in a task of its own, so that no other request of the user's session is taken for the handshake.
    _under_way.set(handshake)
    async with _session_for(session, url) as used:
        if _TRACE not in used.trace_configs:
            used.trace_configs.append(_TRACE)
        return await used.ws_connect(
            URL(_address(used, url), encoded=True),
            # An answer that is not compressed can't grow while it is read.
            headers={"Accept-Encoding": "identity", **headers},
            # Pongs show how long a round trip takes and which audio has arrived, so they are not left to aiohttp.
            autoping=False,
            autoclose=False,
            timeout=aiohttp.ClientWSTimeout(ws_close=close_timeout_s),
        )


@contextlib.asynccontextmanager
async def _session_for(session: aiohttp.ClientSession, url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """The session; for a server on this machine, a session that does not use the proxy.

    Nothing encrypts the key on such a connection, so a proxy, which is usually on another machine, could read it.
    """
    unknown = object()
    # aiohttp has no public name for the proxy of a session.
    proxied = session.trust_env or getattr(session, "_default_proxy", unknown) is not None
    if not proxied or not is_loopback(urlsplit(url).hostname or "") or session.closed:
        yield session
        return
    async with aiohttp.ClientSession(
        connector=session.connector,
        connector_owner=False,
        headers=session.headers,
        trace_configs=[*session.trace_configs],
    ) as direct:
        yield direct


def _address(session: aiohttp.ClientSession, url: str) -> str:
    """The address for which a session that uses the environment's proxies finds the right one.

    For the scheme wss, aiohttp looks for WSS_PROXY, but people set HTTPS_PROXY. It treats both schemes alike otherwise.
    """
    if session.trust_env and urlsplit(url).scheme not in getproxies():
        return f"http{url.removeprefix('ws')}"
    return url


def _is_answer(error: BaseException | None) -> TypeGuard[aiohttp.ClientResponseError]:
    """Whether the server answered, but not with a websocket."""
    # A session with raise_for_status raises the base class of WSServerHandshakeError. An error with a cause is no
    # answer, since aiohttp makes up a status for bytes that are no HTTP.
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return False
    return isinstance(error, aiohttp.ClientResponseError) and error.__cause__ is None


def seconds(retry_after: str | None, now: float) -> float | None:
    """Reads a Retry-After in either form of HTTP: seconds, or a date (from a proxy; the vendor sends none).

    Args:
        retry_after: the header's value, if there is one.
        now: the wall clock, in seconds since 1970.
    """
    if retry_after is None or retry_after.isdecimal():
        return float(retry_after) if retry_after else None
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - now)
    except (TypeError, ValueError, OverflowError, OSError):
        # This is no date, or one that this machine can't represent.
        return None


_under_way: ContextVar[Handshake] = ContextVar("handshake")


async def _note_answer(_: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestEndParams) -> None:
    """Keeps what `ws_connect` does not return: the transport, and the body of a refusal, which gives the reason."""
    handshake, response = _under_way.get(None), params.response
    if handshake is None:
        return
    handshake.transport = response.connection.transport if response.connection else None
    if response.status >= 400:
        await finish(asyncio.create_task(_read(response.content, handshake.body)), ERROR_BODY_TIMEOUT_S)


async def _read(stream: aiohttp.StreamReader, kept: bytearray) -> None:
    with contextlib.suppress(aiohttp.ClientError):
        while len(kept) < MAX_ERROR_BODY and (piece := await stream.readany()):
            kept += piece[: MAX_ERROR_BODY - len(kept)]


async def _refuse_redirect(
    _: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestRedirectParams
) -> None:
    """Stops a handshake that is redirected, since the key is for this server alone."""
    if _under_way.get(None) is not None:
        params.response.close()
        raise RedirectedError


async def _note_lookup(_: aiohttp.ClientSession, __: SimpleNamespace, ___: object) -> None:
    _note("resolving the host's name")


async def _note_connecting(_: aiohttp.ClientSession, __: SimpleNamespace, ___: object) -> None:
    _note("connecting")


async def _note_connected(_: aiohttp.ClientSession, __: SimpleNamespace, ___: object) -> None:
    _note("connected, and waiting for the answer")


def _note(doing: str) -> None:
    handshake = _under_way.get(None)
    if handshake is not None:
        handshake.doing = doing


_TRACE = aiohttp.TraceConfig()
_TRACE.on_dns_resolvehost_start.append(_note_lookup)
_TRACE.on_dns_resolvehost_end.append(_note_connecting)
_TRACE.on_connection_create_end.append(_note_connected)
_TRACE.on_request_end.append(_note_answer)
_TRACE.on_request_redirect.append(_refuse_redirect)
_TRACE.freeze()
