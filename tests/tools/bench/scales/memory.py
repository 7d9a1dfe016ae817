"""What a call takes of memory."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import time

import psutil

from ..cells import Cell, Place, Scale
from ..contestants import lines
from ..figures import CONTESTANTS, NOTHING
from ..load import Paced
from ..stamps import CYCLE_S

FRAME_MS = 20
URL_PATH = "/640"
TALKING = tuple(name for name in CONTESTANTS if name != NOTHING)


async def idle(place: Place, *, streams: int, seconds: float) -> dict[str, float]:
    """Connected calls without audio."""
    return await _grown(place, streams, seconds, busy=False)


async def busy(place: Place, *, streams: int, seconds: float) -> dict[str, float]:
    """Calls in which somebody speaks, turn after turn."""
    return await _grown(place, streams, seconds, busy=True)


async def _grown(place: Place, streams: int, seconds: float, *, busy: bool) -> dict[str, float]:
    # As many calls are open already: they use up what importing and starting has freed, and what is made once is there.
    async with lines(place.contestant, [place.url + URL_PATH] * streams, _drop) as first:
        await Paced(FRAME_MS, 0.5).push(first[:1])
        await asyncio.sleep(0.2)
        before = _used_kib()
        async with lines(place.contestant, [place.url + URL_PATH] * streams, _drop) as opened:
            begun = time.monotonic()
            while busy and time.monotonic() - begun < seconds:
                await Paced(FRAME_MS, min(CYCLE_S, seconds)).push(opened)
            await asyncio.sleep(max(0.2, seconds - (time.monotonic() - begun)))
            now = _used_kib()
    kind = "busy" if busy else "idle"
    return {
        f"{name} an {kind} stream, KiB".replace("an b", "a b"): (now[name] - before[name]) / streams for name in now
    }


def _drop(_: str, __: bool) -> None:
    """What is heard is of no interest."""


def _used_kib() -> dict[str, float]:
    gc.collect()
    # What the C library keeps for later is nobody's, where it can be told to give it back.
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
    used = psutil.Process().memory_full_info()
    return {"USS": used.uss / 1024, "RSS": used.rss / 1024}


def _cells(seconds: float, label: str, streams: int) -> list[Cell]:
    numbers = {"streams": streams, "seconds": seconds}
    return [Cell("memory", job, f"after {label}", numbers, TALKING, apart=True) for job in ("idle", "busy")]


SCALE = Scale(
    "memory",
    {"idle": idle, "busy": busy},
    usual=_cells(60.0, "1 minute", 50),
    quick=_cells(1.0, "1 second", 20),
    long=_cells(600.0, "10 minutes", 50),
)
