"""Audio at a pace, what the server says of it, and what it took of this process."""

from __future__ import annotations

import asyncio
import json
import selectors
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .contestants import Line
from .stamps import BYTES_PER_S, Talk

PHASES = 10
"""Calls are not in step: their frames come spread over so many parts of a frame's time."""
PATIENCE_S = 30.0
PIECE_S = 0.16
"""The longest piece that a contestant may hold back at the end."""


class Wakes(selectors.DefaultSelector):
    """Counts how often the event loop wakes up."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Waits, and counts."""
        self.count += 1
        return super().select(timeout)


def counting_loop() -> tuple[asyncio.AbstractEventLoop, Wakes]:
    """An event loop whose wake-ups are counted."""
    wakes = Wakes()
    return asyncio.SelectorEventLoop(wakes), wakes


@dataclass(frozen=True)
class Paced:
    """Audio for each of some lines.

    `speed` is in real times. A loop that can't keep up takes longer, and pushes no less. With `quiet` nobody speaks.
    """

    frame_ms: int
    audio_s: float
    speed: float = 1.0
    quiet: bool = False

    async def push(self, lines: Sequence[Line]) -> float:
        """Pushes all of it; returns how many times longer that took than it should."""
        loop, talk = asyncio.get_running_loop(), Talk(self.frame_ms)
        phases = min(PHASES, len(lines))
        groups = [lines[start::phases] for start in range(phases)]
        begun, tick_s = loop.time(), talk.frame_s / self.speed / phases
        ticks = round(self.audio_s / talk.frame_s) * phases
        for tick in range(ticks):
            await asyncio.sleep(begun + tick * tick_s - loop.time())
            frame = talk.frame(-1 if self.quiet else tick // phases)
            for line in groups[tick % phases]:
                line.push(frame)
        return max(1.0, (loop.time() - begun) / (ticks * tick_s))


async def report(url: str, what: str = "heard") -> dict[str, Any]:
    """What the endpoint has `heard` since the last report; with each frame's age where these `ages` are asked for."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"GET /{what} HTTP/1.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.partition(b"Content-Length:")[2].partition(b"\r\n")[0])
    told: dict[str, Any] = json.loads(await reader.readexactly(length))
    writer.close()
    return told


async def connected(url: str, count: int) -> None:
    """Waits until so many sockets are open.

    Raises:
        TimeoutError: that takes too long.
    """
    deadline = time.monotonic() + PATIENCE_S
    while (await report(url))["open"] != count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{count} sockets were not open within {PATIENCE_S} s")
        await asyncio.sleep(0.02)


async def arrived(url: str, audio_s: float, streams: int) -> None:
    """Waits until all audio is at the server, but for a last piece that is not full.

    Raises:
        TimeoutError: that takes too long.
    """
    wanted = (audio_s - PIECE_S) * streams * BYTES_PER_S
    heard = 0
    deadline = time.monotonic() + PATIENCE_S
    while (heard := heard + (await report(url))["heard"]) < wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"of {wanted:.0f} bytes only {heard} arrived within {PATIENCE_S} s")
        await asyncio.sleep(0.1)


async def ages_ms(url: str) -> dict[int, list[float]]:
    """How old the frames were that have come in since the last report, by their length in bytes."""
    told = (await report(url, "ages"))["ages_ns"]
    return {int(length): [age / 1e6 for age in ages] for length, ages in told.items()}
