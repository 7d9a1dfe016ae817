"""Peers that do what no proper server does, and a client session that tells which of its sockets are open."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from .waiting import until

TcpHandler: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
WebHandler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def web_peer(handler: WebHandler, *, encryption: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serves every path with the handler; gives the address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=encryption)
    await site.start()
    try:
        yield f"{'https' if encryption else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
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


class ForwardProxy:
    """A company's proxy: tunnels what asks for CONNECT to `target`, whatever the host, or answers with `refusal`.

    Attributes:
        heard: the head of each request that it got, as text.
    """

    def __init__(self, target: str = "", *, refusal: bytes = b"") -> None:
        self.heard: list[str] = []
        self._target = urlsplit(target)
        self._refusal = refusal

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection: for `tcp_peer`."""
        self.heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
        if self._refusal:
            writer.write(self._refusal)
            await writer.drain()
            await reader.read()
            return
        from_server, to_server = await asyncio.open_connection(self._target.hostname, self._target.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        pumps = [asyncio.create_task(_pump(*ends)) for ends in ((reader, to_server), (from_server, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            to_server.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(4096):
        writer.write(piece)
        await writer.drain()
