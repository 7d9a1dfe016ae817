"""A server of a vendor that has changed its mind: its defaults are none that we know, and it rejects what it likes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import WSMsgType, web

from .peers import web_peer
from .waiting import until

DEFAULTS: dict[str, float] = {
    "start_threshold": 0.71,
    "eager_end_threshold": 0.47,
    "end_threshold": 0.13,
    "end_timeout_ms": 7777,
}

Answer: TypeAlias = "dict[str, object] | int"
"""The fields of an `error`, or the code of a close."""


@dataclass
class Line:
    """One socket, as the server sees it."""

    ws: web.WebSocketResponse
    transport: asyncio.Transport
    query: list[tuple[str, str]]
    turn: dict[str, float]
    """The turn settings in force."""
    keyterms: list[str]
    configs: list[dict[str, Any]] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)

    async def say(self, kind: str, **fields: object) -> None:
        """Sends a message."""
        await self.ws.send_str(json.dumps({"type": kind, "request_id": "r", **fields}))

    def reset(self) -> None:
        """Loses the connection."""
        self.transport.abort()


class Vendor:
    """Answers every socket, and keeps what came in.

    Args:
        answer: what a config is answered with, one after the other; a server that takes it answers nothing.
        refuse: what a query is answered with in place of `connected`, if not let in: a code under 1000 is a status.
    """

    def __init__(
        self,
        answer: Callable[[dict[str, Any]], list[Answer]] = lambda _: [],
        refuse: Callable[[dict[str, str]], list[Answer]] = lambda _: [],
    ) -> None:
        self.lines: list[Line] = []
        self.url = ""
        self._answer = answer
        self._refuse = refuse

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serves one socket to its end."""
        query = list(request.query.items())
        refusal = self._refuse(dict(query))
        if refusal and isinstance(refusal[0], int) and refusal[0] < 1000:
            return web.json_response({"message": "No.", "title": "Bad request"}, status=refusal[0])
        ws = web.WebSocketResponse()
        transport = request.transport
        assert transport is not None
        await ws.prepare(request)
        if refusal:
            await _tell(ws, refusal)
            return ws
        given = {name: float(value) for name in DEFAULTS if (value := request.query.get(f"turn_{name}"))}
        line = Line(ws, transport, query, {**DEFAULTS, **given}, request.query.getall("keyterm", []))
        self.lines.append(line)
        await line.say("connected")
        async for message in ws:
            if message.type is WSMsgType.BINARY:
                line.audio += message.data
            elif message.type is WSMsgType.TEXT:
                await self._command(line, json.loads(message.data))
        return ws

    async def _command(self, line: Line, command: dict[str, Any]) -> None:
        if command["type"] == "close":
            await line.ws.close()
            return
        line.configs.append(command)
        answers = self._answer(command)
        if not answers:
            line.turn |= command.get("turn", {})
            line.keyterms = command.get("keyterms", line.keyterms)
        await _tell(line.ws, answers)


async def _tell(ws: web.WebSocketResponse, answers: list[Answer]) -> None:
    for answer in answers:
        if isinstance(answer, int):
            await ws.close(code=answer)
        else:
            await ws.send_str(json.dumps({"type": "error", **answer}))


@contextlib.asynccontextmanager
async def vendor(**arguments: Any) -> AsyncIterator[Vendor]:
    """A server that listens."""
    peer = Vendor(**arguments)
    async with web_peer(peer.handle) as peer.url:
        yield peer


async def lines(peer: Vendor, count: int) -> Line:
    """The last of so many sockets, once it is there."""
    await until(lambda: len(peer.lines) == count)
    return peer.lines[-1]
