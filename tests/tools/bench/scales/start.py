"""How soon a new stream's audio is at the server, and what importing a plugin adds to importing LiveKit Agents."""

from __future__ import annotations

import asyncio
import statistics
import sys
from typing import Any

import aiohttp

from ..cells import Cell, Place, Scale
from ..contestants import OFFICIAL_MODULE, OURS_MODULE, Plugged, make_stt, open_line
from ..figures import CONTESTANTS, FLOOR, NOTHING, OFFICIAL, OURS
from ..load import ages_ms, connected, report
from ..stamps import now_ns, stamped

URL_PATH = "/640"
FRAMES = 8
"""Pushed at once: as many as the longest piece holds."""
TALKING = tuple(name for name in CONTESTANTS if name != NOTHING)
BODY = bytes(640)


async def cold(place: Place, *, times: int) -> dict[str, float]:
    """From `stream()` to the first audio at the server."""
    return {"first byte after stream(), ms": statistics.median([await _first(place) for _ in range(times)])}


async def prewarmed(place: Place, *, times: int) -> dict[str, float]:
    """The same for an STT that was prewarmed. It is this plugin's alone: the others can't be."""
    first = [await _first(place, prewarm=True) for _ in range(times)]
    return {"first byte after stream(), prewarmed, ms": statistics.median(first)}


async def _first(place: Place, *, prewarm: bool = False) -> float:
    async with aiohttp.ClientSession() as session:
        url = place.url + URL_PATH
        plugin = make_stt(place.contestant, url, session) if place.contestant != FLOOR else None
        if prewarm and plugin is not None:
            plugin.prewarm()
            await connected(place.url, 1)
        await report(place.url)
        begun = now_ns()
        line = Plugged(plugin.stream(), _drop) if plugin else await open_line(FLOOR, url, session, _drop)
        for _ in range(FRAMES):
            line.push(stamped(BODY, begun))
        # The server can only be asked.
        while not (ages := await ages_ms(place.url)):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await line.aclose()
        if plugin is not None:
            await plugin.aclose()
    await connected(place.url, 0)
    return min(age for found in ages.values() for age in found)


async def importing(place: Place) -> dict[str, float]:
    """In an interpreter of its own, which has imported livekit.agents before."""
    module = OURS_MODULE if place.contestant == OURS else OFFICIAL_MODULE
    script = (
        # The collection of the framework's own garbage is due sooner or later, and belongs to nobody.
        "import gc, time, importlib, livekit.agents; gc.collect(); gc.freeze(); begun = time.perf_counter();"
        f"importlib.import_module('{module}'); print(time.perf_counter() - begun)"
    )
    command = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    told, _ = await command.communicate()
    return {"import over livekit.agents, ms": 1000 * float(told)}


def _drop(_: Any, __: bool) -> None:
    """What is heard is of no interest."""


def _cells(times: int) -> list[Cell]:
    numbers = {"times": times}
    return [
        Cell("start", "cold", "", numbers, TALKING),
        Cell("start", "prewarmed", "", numbers, (OURS,)),
        Cell("start", "importing", "", {}, (OURS, OFFICIAL)),
    ]


SCALE = Scale(
    "start",
    {"cold": cold, "prewarmed": prewarmed, "importing": importing},
    usual=_cells(5),
    quick=_cells(1)[:2],
)
