"""Those who take part: each opens lines that take frames and tell what they hear."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import aiohttp
from livekit import rtc
from livekit.agents import stt

from .figures import CONTESTANTS, FLOOR, NOTHING, OFFICIAL, OFFICIAL_AT_FRAMES, OURS

KEY = "bench"
"""Let in by every server here; no secret."""
PATH = "/stt/turns/websocket"
QUERY = {"model": "ink-2", "encoding": "pcm_s16le", "sample_rate": "16000"}
OFFICIAL_MODULE = "livekit.plugins.cartesia"
OURS_MODULE = "livekit.plugins.cartesia_turns"
Hear = Callable[[str, bool], None]
"""Told of each text, and whether it is final."""


class Line(Protocol):
    """One call."""

    def push(self, frame: rtc.AudioFrame) -> None:
        """Takes a frame at once."""

    async def aclose(self) -> None:
        """Hangs up."""


def present() -> list[str]:
    """The contestants that are installed."""
    has_official = importlib.util.find_spec(OFFICIAL_MODULE) is not None
    return [name for name in CONTESTANTS if has_official or name not in (OFFICIAL, OFFICIAL_AT_FRAMES)]


def make_stt(contestant: str, url: str, session: aiohttp.ClientSession, *, frame_ms: int = 20, **options: Any) -> Any:
    """The STT of one of the plugins."""
    common = {"api_key": KEY, "base_url": url, "model": "ink-2", "http_session": session}
    if contestant == OURS:
        return importlib.import_module(OURS_MODULE).STT(**common, **options)
    pieces = {"audio_chunk_duration_ms": frame_ms} if contestant == OFFICIAL_AT_FRAMES else {}
    return importlib.import_module(OFFICIAL_MODULE).STT(**common, **pieces)


async def open_line(
    contestant: str,
    url: str,
    session: aiohttp.ClientSession,
    hear: Hear,
    *,
    frame_ms: int = 20,
    **options: Any,
) -> Line:
    """A line to the server at this address, which may have a path.

    Args:
        contestant: whose.
        url: the server's.
        session: used for the connection.
        hear: told of texts.
        frame_ms: how long the frames are that will be pushed.
        options: of this plugin's STT.
    """
    if contestant == NOTHING:
        return Silence()
    if contestant == FLOOR:
        return await Bare.open(url, session, hear)
    return Plugged(make_stt(contestant, url, session, frame_ms=frame_ms, **options).stream(), hear)


class Silence:
    """Takes frames and does nothing."""

    def push(self, frame: rtc.AudioFrame) -> None:
        """Drops it."""

    async def aclose(self) -> None:
        """Has nothing to end."""


class Plugged:
    """A stream of a plugin, and a task that reads its events."""

    def __init__(self, stream: stt.RecognizeStream, hear: Hear) -> None:
        self._stream = stream
        self._hear = hear
        self._reading = asyncio.create_task(self._read())
        self.push = stream.push_frame

    async def aclose(self) -> None:
        """Closes the stream."""
        await self._stream.aclose()
        with contextlib.suppress(Exception, asyncio.CancelledError):
            await self._reading

    async def _read(self) -> None:
        async for event in self._stream:
            if event.alternatives:
                self._hear(event.alternatives[0].text, event.type is stt.SpeechEventType.FINAL_TRANSCRIPT)


class Bare:
    """The least that a plugin can do: a queue, since pushing must not wait, a task that sends and one that reads."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[bool], hear: Hear) -> None:
        self._socket = socket
        self._hear = hear
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._read())]
        self.push = self._frames.put_nowait

    @classmethod
    async def open(cls, url: str, session: aiohttp.ClientSession, hear: Hear) -> Bare:
        """Connects."""
        return cls(await session.ws_connect(url + PATH, params=QUERY, headers={"X-API-Key": KEY}), hear)

    async def aclose(self) -> None:
        """Closes the socket."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    async def _send(self) -> None:
        while True:
            frame = await self._frames.get()
            await self._socket.send_bytes(frame.data.tobytes())

    async def _read(self) -> None:
        async for frame in self._socket:
            message = json.loads(frame.data)
            if text := message.get("transcript"):
                self._hear(text, message["type"] == "turn.end")


@contextlib.asynccontextmanager
async def lines(
    contestant: str, urls: list[str], hear: Hear, *, frames_ms: list[int] | None = None, **options: Any
) -> AsyncIterator[list[Line]]:
    """A line to each of these addresses; closed at the end."""
    lengths = frames_ms or [20] * len(urls)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        opened = [
            await open_line(contestant, url, session, hear, frame_ms=length, **options)
            for url, length in zip(urls, lengths, strict=True)
        ]
        try:
            yield opened
        finally:
            await asyncio.gather(*(line.aclose() for line in opened))
