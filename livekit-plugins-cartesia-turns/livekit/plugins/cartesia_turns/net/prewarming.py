"""A connection made ahead of time, for the first stream to take over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from livekit.agents import APIError, APITimeoutError

from ..core.configs import Configs
from ..errors import ServerError
from ..log import logger
from ..wire.messages import Connected, ErrorMessage
from ..wire.options import Options
from ..wire.protocol import ProtocolError
from .connection import Connection, Pong
from .tasks import finish

KEEP_S = 30.0
"""How long a connection waits to be taken over before it is closed."""


@dataclass(frozen=True, slots=True)
class WarmConnection:
    """An open socket, the options that it was opened with, and the server's `connected` if that has come already."""

    connection: Connection
    options: Options
    greeting: Connected | None = None


class Prewarmer:
    """Opens one connection in the background and hands it over once, or closes it. Needs a running event loop.

    Args:
        connect: opens a connection with the given options.
        options: called when the connection is made, so that changes until then count.
        greeting_timeout_s: how long the server may take to say `connected`, in seconds.
    """

    def __init__(
        self,
        connect: Callable[[Options], Awaitable[Connection]],
        options: Callable[[], Options],
        *,
        greeting_timeout_s: float = 10.0,
    ) -> None:
        self._connect = connect
        self._options = options
        self._greeting_timeout_s = greeting_timeout_s
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[WarmConnection | None] = self._loop.create_future()
        self._taken = asyncio.Event()
        self._task = asyncio.create_task(self._hold(), name="cartesia_turns.prewarm")

    @property
    def is_of_this_loop(self) -> bool:
        """It was made in the event loop that runs now. It can't be used in another one."""
        return self._loop is asyncio.get_running_loop()

    @property
    def is_usable(self) -> bool:
        """It may have a connection for this event loop: neither did the attempt fail nor was it closed."""
        return self.is_of_this_loop and not self._task.done()

    async def take(self, options: Options, *, timeout_s: float) -> WarmConnection | None:
        """Returns the connection if there is one that serves these options; waits for one that is under way.

        The options may differ from those of the connection in what a config can change.

        Raises:
            APITimeoutError: the connection under way takes longer than `timeout_s` seconds. It is given up.
        """
        try:
            done, _ = await asyncio.wait([self._ready], timeout=timeout_s)
        except asyncio.CancelledError:
            # The stream is closed, and nobody else would close this connection.
            self._task.cancel()
            raise
        if not done:
            await self.aclose()
            raise APITimeoutError("the connection could not be made in time")
        warm = self._ready.result()
        if warm is None or self._task.done() or self._taken.is_set():
            return None
        self._taken.set()
        if not Configs(warm.options).serves(options):
            await warm.connection.close()
            return None
        return warm

    async def aclose(self) -> None:
        """Ends the task; closes a connection that nobody took."""
        if not self.is_of_this_loop:
            # If its loop still runs in another thread, that loop closes the connection. A closed loop has closed it.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._task.cancel)
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _hold(self) -> None:
        """Opens the connection and keeps it until it is taken or too old."""
        try:
            warm = await self._open()
            self._ready.set_result(warm)
        finally:
            if not self._ready.done():
                self._ready.set_result(None)
        if warm is None:
            return
        try:
            await finish(asyncio.create_task(self._taken.wait()), KEEP_S)
        finally:
            if not self._taken.is_set():
                logger.debug("no stream used the prewarmed connection")
                await warm.connection.close()

    async def _open(self) -> WarmConnection | None:
        options = self._options()
        try:
            connection = await self._connect(options)
        except APIError as error:
            # The stream will get the same error and report it.
            logger.debug("prewarming failed", extra={"error": type(error).__name__})
            return None
        greeting = asyncio.create_task(_greeting(connection))
        try:
            await finish(greeting, self._greeting_timeout_s)
        except asyncio.CancelledError:
            await connection.close()
            raise
        if greeting.cancelled() or greeting.exception():
            await connection.close()
            return None
        return WarmConnection(connection, options, greeting.result())


async def _greeting(connection: Connection) -> Connected:
    """Waits for the server's `connected`, and ignores everything before it except an error."""
    while True:
        try:
            message = await connection.receive()
        except ProtocolError:
            continue
        if isinstance(message, Connected):
            return message
        if isinstance(message, ErrorMessage):
            raise ServerError(message)
        if isinstance(message, Pong):
            continue
