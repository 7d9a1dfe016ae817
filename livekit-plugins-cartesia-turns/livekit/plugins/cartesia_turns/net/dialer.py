"""Opens connections: the address, the credentials, and the pace that a key allows."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakValueDictionary

import aiohttp
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIError, APITimeoutError, utils

from ..core.limiter import ConnectLimiter
from ..core.pacing import Pace
from ..errors import Cause, ServerError, UnreachableError, bare
from ..wire.checks import check_header, check_headers, check_text, credential
from ..wire.messages import ErrorMessage
from ..wire.options import Options
from ..wire.protocol import API_KEY_HEADER, VERSION_HEADER
from .connection import Connection
from .prewarming import Prewarmer, WarmConnection
from .tasks import finish

TokenProvider: TypeAlias = Callable[[], Awaitable[str] | str]
KEY_VARIABLE = "CARTESIA_API_KEY"
AUTHORIZATION = "Authorization"
PAUSED = ErrorMessage("the server asked this key to wait longer before it connects again", "Too many connections", 429)
"""The answer to a stream whose wait would exceed the time for a handshake, so that its user hears of the pause."""

_limiters: WeakValueDictionary[tuple[str, object], ConnectLimiter] = WeakValueDictionary()
"""One for each endpoint and key in use: streams of this process that share a key share its limits."""


_paces: dict[str, Pace] = {}
"""One for each endpoint: what is known of a server counts for all present and later streams of this process."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key, or a token, or a function that is asked for a token at each connect. Its `repr` shows none of them."""

    api_key: str | None = None
    access_token: str | TokenProvider | None = None

    @classmethod
    def resolve(cls, api_key: str | None, access_token: str | TokenProvider | None) -> Credentials:
        """The credentials of the arguments, else those of the environment.

        Raises:
            ValueError: there is neither a key nor a token, or it has a character that no header can have.
        """
        token = access_token if callable(access_token) else credential("access_token", access_token)
        if token is not None:
            return cls(access_token=token)
        key = credential("api_key", api_key) or credential(KEY_VARIABLE, os.environ.get(KEY_VARIABLE))
        if key is None:
            raise ValueError(f"there is no key: pass api_key or access_token, or set {KEY_VARIABLE}")
        return cls(api_key=key)

    def __repr__(self) -> str:
        return "Credentials(***)"

    async def header(self, timeout_s: float) -> tuple[str, str]:
        """The name and the value of the header that carries the key or the token.

        Raises:
            APIConnectionError: the user's function failed, or took longer than `timeout_s` seconds.
        """
        if self.api_key is not None:
            return API_KEY_HEADER, self.api_key
        token = self.access_token
        if callable(token):
            token = await _ask(token, timeout_s)
        return AUTHORIZATION, f"Bearer {token}"


async def _ask(provider: TokenProvider, timeout_s: float) -> str:
    asking = await finish(asyncio.create_task(_call(provider)), timeout_s)
    if asking.cancelled():
        raise APITimeoutError("access_token returned no token: the function took too long")
    if (error := asking.exception()) is not None:
        # The next attempt may succeed. The error's text is left out, since it may contain the token.
        raise UnreachableError(Cause.TOKEN, f"the function raised {type(error).__name__}")
    return _token(asking.result())


async def _call(provider: TokenProvider) -> str:
    token = provider()
    return await token if inspect.isawaitable(token) else token


def _token(returned: str) -> str:
    try:
        token = credential("the returned token", returned)
    except ValueError as error:
        raise UnreachableError(Cause.TOKEN, str(error)) from None
    if token is None:
        raise UnreachableError(Cause.TOKEN, "the function returned nothing")
    return token


class Dialer:
    """Opens the connections of an STT.

    Args:
        endpoint: the websocket's address without a query.
        credentials: what the handshake carries.
        headers: further headers of the handshake; None for no others.
        api_version: the vendor's API version.

    Raises:
        ValueError: a header can't be sent.
    """

    def __init__(
        self, endpoint: str, credentials: Credentials, headers: Mapping[str, str] | None, api_version: str
    ) -> None:
        headers = {} if headers is None else headers
        check_headers("extra_headers", headers)
        _check_against_arguments(headers, credentials)
        check_text("api_version", api_version)
        check_header("api_version", api_version)
        self._endpoint = endpoint
        self._credentials = credentials
        self._headers = {**headers, VERSION_HEADER: api_version}
        self.pace: Pace = _paces.setdefault(endpoint, Pace())
        """How fast the endpoint takes a backlog."""
        shared = _hashable(credentials.api_key or credentials.access_token)
        self._limiter = _limiters.setdefault((endpoint, shared), ConnectLimiter())
        self._prewarmer: Prewarmer | None = None

    def prewarm(self, session: aiohttp.ClientSession, options: Callable[[], Options]) -> None:
        """Opens a connection in the background, for the next `connect`, if there is none. Needs a running event loop.

        Args:
            session: what to connect with.
            options: called when the connection is made; returns the options to open it with.
        """
        if self._prewarmer is None or not self._prewarmer.is_usable:
            dial = functools.partial(self.open, session, timeout_s=DEFAULT_API_CONNECT_OPTIONS.timeout)
            self._prewarmer = Prewarmer(dial, options)

    async def connect(
        self, session: aiohttp.ClientSession, options: Options, *, timeout_s: float, urgent: bool = False
    ) -> WarmConnection:
        """Returns the prewarmed connection if it fits, else a new one; arguments and errors are those of `open`."""
        prewarmer, self._prewarmer = self._prewarmer, None
        if prewarmer is not None:
            if not prewarmer.is_of_this_loop:
                await prewarmer.aclose()
            elif (warm := await prewarmer.take(options, timeout_s=timeout_s)) is not None:
                return warm
        return WarmConnection(await self.open(session, options, timeout_s=timeout_s, urgent=urgent), options)

    async def aclose(self) -> None:
        """Closes a prewarmed connection that nobody took."""
        prewarmer, self._prewarmer = self._prewarmer, None
        if prewarmer is not None:
            await prewarmer.aclose()

    async def open(
        self, session: aiohttp.ClientSession, options: Options, *, timeout_s: float, urgent: bool = False
    ) -> Connection:
        """Opens a connection. If the server asked for a pause under this key, it waits for a place in the queue first.

        Args:
            session: what to connect with.
            options: what the server is asked for.
            timeout_s: for the whole handshake, and for the wait before it, in seconds.
            urgent: the user is in mid-turn, so the pause does not count.

        Raises:
            ServerError: the wait would exceed `timeout_s` seconds. `retry_after_s` says how long it is.
            APIError: as `Connection.open`.
        """
        wait_s = self._limiter.reserve(time.monotonic(), timeout_s, urgent=urgent)
        if wait_s > timeout_s:
            raise ServerError(PAUSED, retry_after_s=wait_s, in_band=False)
        await asyncio.sleep(wait_s)
        try:
            connection = await self._open(session, options, timeout_s)
        except APIError as error:
            self.note(error)
            raise bare(error) from None
        self._limiter.opened(time.monotonic())
        return connection

    def note(self, error: APIError) -> None:
        """Slows down all streams that share the key if the error is a 429."""
        if isinstance(error, ServerError) and error.status_code == 429:
            self._limiter.rate_limited(time.monotonic(), error.retry_after_s)

    async def _open(self, session: aiohttp.ClientSession, options: Options, timeout_s: float) -> Connection:
        name, value = await self._credentials.header(timeout_s)
        url = f"{self._endpoint}?{options.query()}"
        return await Connection.open(session, url, {**self._headers, name: value}, timeout_s=timeout_s)


@contextlib.asynccontextmanager
async def http_session(given: aiohttp.ClientSession | None) -> AsyncIterator[aiohttp.ClientSession]:
    """The session that the user gave, else the job's, else one of our own, which is closed at the end."""
    if given is not None:
        yield given
        return
    try:
        session = utils.http_context.http_session()
    except RuntimeError:
        session = None
    if session is not None:
        yield session
        return
    # A job gets its proxy from its worker. A script uses the one that the environment names.
    async with (
        utils.http_context.open() as session,
        aiohttp.ClientSession(connector=session.connector, connector_owner=False, trust_env=True) as ours,
    ):
        yield ours


def _hashable(secret: str | TokenProvider | None) -> object:
    """The secret, or its identity if it is a function object without a hash."""
    try:
        hash(secret)
    except TypeError:
        return id(secret)
    return secret


def _check_against_arguments(headers: Mapping[str, str], credentials: Credentials) -> None:
    """Checks that no header is one that an argument gives, since only one of the two could be sent.

    Raises:
        ValueError: a header is. The error does not repeat its value.
    """
    ours = {API_KEY_HEADER: "api_key", VERSION_HEADER: "api_version"}
    if credentials.access_token is not None:
        ours[AUTHORIZATION] = "access_token"
    given = {header.casefold() for header in headers}
    for header, argument in ours.items():
        if header.casefold() in given:
            raise ValueError(f"extra_headers has {header}: use {argument} for it")
