"""A TCP proxy on the loopback that spoils connections on demand: resets, ends, freezes, throttles and refuses them."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
import struct
from collections.abc import Callable, Sequence
from enum import Enum
from types import TracebackType
from typing import TypeAlias
from urllib.parse import urlsplit

from .waiting import until

PIECE = 4096


Choose: TypeAlias = "Callable[[Sequence[_Link]], _Link]"


class Welcome(Enum):
    """What a new connection meets."""

    SERVE = "is passed on"
    RESET = "is reset as soon as it has said something"
    END = "is closed as soon as it has said something"
    GARBAGE = "gets an answer that is none"
    IGNORE = "gets no answer"
    ANSWER = "gets the answer that the proxy was given for it"


class Proxy:
    """Passes connections on to the server at `url`."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._links: set[_Link] = set()
        self.welcome: list[Welcome] = []
        """For the next connections; those after them are served."""
        self.answers: list[bytes] = []
        """For those that are to get one."""
        self.accepted = 0
        """Connections of clients that there have been."""
        self.bytes_per_s: float | None = None
        """How fast bytes go from the client to the server."""
        self.receive_buffer: int | None = None
        """Of the kernel, in bytes, for what the client sends."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def open_links(self) -> int:
        """Connections of clients that are there now."""
        return len(self._links)

    async def __aenter__(self) -> Proxy:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        self.end()
        await until(lambda: not self._links)

    async def accept(self) -> None:
        """Listens, always on the same port."""
        if self._server is not None:
            return
        listener = sockets.create_server(("127.0.0.1", self._port))
        if self.receive_buffer is not None:
            listener.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, self.receive_buffer)
        self._server = await asyncio.start_server(self._handle, sock=listener)
        self._port = listener.getsockname()[1]

    async def refuse(self) -> None:
        """Listens no more: new connections are refused, open ones stay."""
        if self._server is not None:
            self._server.close()
        self._server = None

    def reset(self, choose: Choose | None = None) -> None:
        """Resets the open connections on both sides, or the one that is chosen."""
        for link in self._chosen(choose):
            link.reset()

    def end(self, choose: Choose | None = None) -> None:
        """Ends the open connections on both sides, without a word of the websocket's, or the one that is chosen."""
        for link in self._chosen(choose):
            link.end()

    def freeze(self, choose: Choose | None = None, *, at_most_s: float | None = None) -> None:
        """Neither reads nor writes on them any more, and leaves them open, where wanted not for ever."""
        for link in self._chosen(choose):
            link.flowing.clear()
            if at_most_s is not None:
                asyncio.get_running_loop().call_later(at_most_s, link.end)

    def _chosen(self, choose: Choose | None) -> list[_Link]:
        links = sorted(self._links, key=id)
        return [choose(links)] if choose is not None and links else links

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer)
        # A task of its own: asyncio complains when the one that runs this callback is cancelled.
        link.task = asyncio.create_task(self._serve(link, reader, writer))
        self._links.add(link)
        self.accepted += 1
        await asyncio.gather(link.task, return_exceptions=True)
        self._links.discard(link)
        for end in (writer, link.upstream):
            if end is not None:
                end.close()

    async def _serve(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        welcome = self.welcome.pop(0) if self.welcome else Welcome.SERVE
        if welcome is Welcome.SERVE:
            await self._pass_on(link, reader, writer)
            return
        first = await reader.read(PIECE)
        if welcome is Welcome.RESET:
            link.reset()
        elif welcome is Welcome.GARBAGE:
            writer.write(b"\0\1\2 nonsense \r\n\r\n")
        elif welcome is Welcome.ANSWER:
            writer.write(self.answers.pop(0))
            await writer.drain()
        elif welcome is Welcome.IGNORE:
            while first:
                first = await reader.read(PIECE)

    async def _pass_on(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._target.hostname is not None
        from_server, to_server = await asyncio.open_connection(self._target.hostname, self._target.port)
        link.upstream = to_server
        pumps = [
            asyncio.create_task(self._pump(link, reader, to_server, upward=True)),
            asyncio.create_task(self._pump(link, from_server, writer, upward=False)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, upward: bool
    ) -> None:
        while piece := await reader.read(PIECE):
            await link.flowing.wait()
            if upward and self.bytes_per_s is not None:
                await asyncio.sleep(len(piece) / self.bytes_per_s)
            writer.write(piece)
            await writer.drain()


class _Link:
    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.task: asyncio.Task[None] | None = None
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.upstream: asyncio.StreamWriter | None = None
        self._client = client

    def reset(self) -> None:
        for writer in (self._client, self.upstream):
            if writer is not None:
                with contextlib.suppress(OSError):
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, linger)
                writer.transport.abort()
        self.end()

    def end(self) -> None:
        if self.task is not None:
            self.task.cancel()
