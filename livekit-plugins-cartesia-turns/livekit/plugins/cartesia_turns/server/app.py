"""The local server: Cartesia's turn endpoint on this machine, without a key to buy and without the internet."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket as sockets
from collections.abc import Sequence
from functools import partial
from types import TracebackType

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ..log import logger
from ..wire.protocol import PATH
from .connection import ConnectionRecord, Handshake, ResponderFactory
from .endpoint import Endpoint
from .faults import FaultPlan, Faults
from .handshake import StreamRequest
from .recognition.listener import Listener
from .recognition.recognizer import Decoder, Recognizer, packaged_recognizer
from .script import Script, Scripts
from .session import CLOSE_WAIT_S
from .vendor import Vendor

NO_FAULTS = Faults()
TODAY = Vendor()


class _OddRequests(logging.Filter):
    """Keeps requests that are not HTTP out of the log: they are answered with 400, and may hold a key."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


http_logger: logging.Logger = logger.getChild("server")
http_logger.addFilter(_OddRequests())


class LocalServer:
    """A local server with Cartesia's protocol, for any client.

        async with LocalServer() as server:
            stt = cartesia_turns.STT(base_url=server.url, api_key=server.key)

    Args:
        host: the address to listen on.
        port: the port to listen on; 0 chooses a free one.
        key: the only accepted key; by default a random one.
        recognizer: recognizes speech instead of the packaged models.
        script: the messages to send instead of recognizing speech. With several scripts, each connection gets the next
            one, and the last one repeats.
        responder: creates the object that answers a connection, instead of a recognizer or a script.
        vendor: Cartesia's limits and defaults as of a day or month, such as "2026-05", or your own.
        faults: the faults to inject.
        max_streams: further connections are refused with 429.
        idle_timeout_s: seconds without a message after which a socket is closed. None takes the vendor's number.
        record: keep audio, commands and messages in `connections`.

    Raises:
        ValueError: the list of scripts is empty, the vendor is not known, or a number is out of range.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        key: str | None = None,
        recognizer: Recognizer | None = None,
        script: Script | Sequence[Script] | None = None,
        responder: ResponderFactory | None = None,
        vendor: str | Vendor = TODAY,
        faults: FaultPlan = NO_FAULTS,
        max_streams: int = 32,
        idle_timeout_s: float | None = None,
        record: bool = False,
    ) -> None:
        self.key: str = key or f"local-{secrets.token_hex(12)}"
        numbers = Vendor.of(vendor) if isinstance(vendor, str) else vendor
        idle_s = numbers.idle_close_s if idle_timeout_s is None else idle_timeout_s
        if not idle_s > 0:
            raise ValueError(f"idle_timeout_s={idle_s} is out of range: it must be more than 0 seconds")
        if not host:
            raise ValueError("host is empty: it must be an address or a name of this machine")
        if not 0 <= port <= 65535:
            raise ValueError(f"port={port} is out of range: it must be from 0 (any free port) to 65535")
        if max_streams < 0:
            raise ValueError(f"max_streams={max_streams} is out of range: it must be 0 or more")
        self._endpoint = Endpoint(
            host=host,
            key=self.key,
            vendor=numbers,
            max_streams=max_streams,
            idle_timeout_s=idle_s,
            record=record,
        )
        self._endpoint.faults = faults
        self._host = host
        self._port = port
        self._recognizer = recognizer
        self._responder = Scripts(script) if script is not None else responder
        self._decoder: Decoder | None = None
        self._runner: web.AppRunner | None = None
        self._site: web.SockSite | None = None

    @property
    def url(self) -> str:
        """The address to connect to: `http://HOST:PORT`.

        Raises:
            RuntimeError: the server takes a free port and was not started, so there is no address yet.
        """
        if not self._port:
            raise RuntimeError("the server was not started: use it as `async with server:`")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def faults(self) -> FaultPlan:
        """The faults of new connections; can be set at any time."""
        return self._endpoint.faults

    @faults.setter
    def faults(self, plan: FaultPlan) -> None:
        self._endpoint.faults = plan

    @property
    def connections(self) -> list[ConnectionRecord]:
        """The last accepted connections, oldest first."""
        return list(self._endpoint.connections)

    @property
    def handshakes(self) -> list[Handshake]:
        """The last attempts to connect, including refused ones, oldest first."""
        return list(self._endpoint.handshakes)

    @property
    def open_streams(self) -> int:
        """The number of open connections."""
        return len(self._endpoint.sessions)

    async def start(self) -> None:
        """Loads the recognizer, if one is needed, and listens.

        Raises:
            RecognizerMissingError: the `server` extra is not installed.
            OSError: the address is in use, or does not belong to this machine.
        """
        self._endpoint.respond = self._responder or await self._listeners()
        app = web.Application()
        app.router.add_get(PATH, self._endpoint.handle)
        self._runner = web.AppRunner(app, shutdown_timeout=CLOSE_WAIT_S, access_log=None, logger=http_logger)
        await self._runner.setup()
        await self.resume_accepting()

    async def aclose(self) -> None:
        """Closes every connection with 1001, and stops."""
        await self.pause_accepting()
        await self._endpoint.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._decoder is not None:
            self._decoder.close()

    async def __aenter__(self) -> LocalServer:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def drop_all(self, code: int | None = None) -> None:
        """Drops every open connection: with a close frame of this code, or by a TCP reset if it is None."""
        await self._endpoint.end_all(lambda session: session.drop(code))

    async def pause_accepting(self) -> None:
        """Refuses TCP connections from now on. Open connections stay open."""
        if self._site is not None:
            await self._site.stop()
        self._site = None

    async def resume_accepting(self) -> None:
        """Listens again, on the same port.

        Raises:
            OSError: another program uses the port now.
        """
        if self._site is not None or self._runner is None:
            return
        family = sockets.AF_INET6 if ":" in self._host else sockets.AF_INET
        listener = sockets.create_server((self._host, self._port), family=family)
        self._port = listener.getsockname()[1]
        self._site = web.SockSite(self._runner, listener)
        await self._site.start()

    async def _listeners(self) -> ResponderFactory:
        recognizer = self._recognizer
        if recognizer is None:
            recognizer = await asyncio.to_thread(packaged_recognizer)
        self._decoder = Decoder(recognizer)
        return partial(_listen, recognizer, self._decoder)


def _listen(recognizer: Recognizer, decoder: Decoder, stream: StreamRequest) -> Listener:
    return Listener(stream, recognizer, decoder)
