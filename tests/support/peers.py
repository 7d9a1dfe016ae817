"""Peers that do what no proper server does, and a client session that tells which of its sockets are open."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import aiohttp
from aiohttp import web

from .waiting import until

TcpHandler: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
WebHandler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def web_peer(handler: WebHandler) -> AsyncIterator[str]:
    """Serves every path with the handler; gives the address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def tcp_peer(handler: TcpHandler) -> AsyncIterator[str]:
    """Gives every TCP connection to the handler, and closes it after; gives the address."""
    peer = _TcpPeer(handler)
    server = await asyncio.start_server(peer.handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await peer.end()


class _TcpPeer:
    def __init__(self, handler: TcpHandler) -> None:
        self._handler = handler
        self._tasks: set[asyncio.Future[None]] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of its own: asyncio complains when the one that runs this callback is cancelled.
        task = asyncio.ensure_future(self._handler(reader, writer))
        self._tasks.add(task)
        await asyncio.gather(task, return_exceptions=True)
        self._tasks.discard(task)
        writer.transport.abort()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await until(lambda: not self._tasks)


class SocketCount:
    """Makes the sockets of a client session and remembers them."""

    def __init__(self) -> None:
        self.made: list[sockets.socket] = []

    def __call__(self, address: tuple[Any, ...]) -> sockets.socket:
        family, kind, protocol = address[:3]
        made = sockets.socket(family, kind, protocol)
        self.made = [earlier for earlier in self.made if earlier.fileno() != -1] + [made]
        return made

    @property
    def open(self) -> int:
        """How many of them are not closed."""
        return sum(made.fileno() != -1 for made in self.made)


@contextlib.asynccontextmanager
async def counted_session(*, limit: int = 100) -> AsyncIterator[tuple[aiohttp.ClientSession, SocketCount]]:
    """A client session that keeps no socket for later, and a count of its sockets."""
    count = SocketCount()
    connector = aiohttp.TCPConnector(socket_factory=count, force_close=True, limit=limit)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session, count
