"""A client of the wire protocol that knows nothing but aiohttp."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import aiohttp
from livekit.plugins.cartesia_turns.server import LocalServer
from livekit.plugins.cartesia_turns.wire.messages import ServerMessage
from livekit.plugins.cartesia_turns.wire.protocol import PATH, parse

BOUND_S = 20.0
QUERY = {"model": "ink-2", "encoding": "pcm_s16le", "sample_rate": "16000"}


class RawClient:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        self.socket = socket
        self.messages: list[ServerMessage] = []

    async def send(self, pcm: bytes, frame_bytes: int = 640) -> None:
        for start in range(0, len(pcm), frame_bytes):
            await self.socket.send_bytes(pcm[start : start + frame_bytes])

    async def command(self, **fields: object) -> None:
        await self.socket.send_str(json.dumps(fields))

    async def close(self) -> list[ServerMessage]:
        """Sends `close`; returns all the messages of the connection."""
        await self.command(type="close")
        return await self.rest()

    async def rest(self) -> list[ServerMessage]:
        """Returns all the messages once the server has closed the socket."""
        while await self.next() is not None:
            pass
        return self.messages

    async def next(self) -> ServerMessage | None:
        frame = await asyncio.wait_for(self.socket.receive(), BOUND_S)
        if frame.type is not aiohttp.WSMsgType.TEXT:
            return None
        self.messages.append(parse(frame.data))
        return self.messages[-1]

    async def until(self, kind: type[ServerMessage]) -> ServerMessage:
        while not isinstance(message := await self.next(), kind):
            assert message is not None, f"closed before {kind.__name__}"
        return message


@asynccontextmanager
async def connected(
    server: LocalServer,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    heartbeat_s: float | None = None,
) -> AsyncIterator[RawClient]:
    """A client of this server; the query's entries replace or add to the usual ones."""
    url = f"{server.url}{PATH}?{urlencode({**QUERY, **(query or {})})}"
    headers = {"X-API-Key": server.key} if headers is None else headers
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers=headers, heartbeat=heartbeat_s) as socket,
    ):
        yield RawClient(socket)
