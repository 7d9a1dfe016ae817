"""The local server itself: how many calls a core plays, and how late an update is."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator

import aiohttp
import psutil
from livekit.plugins.cartesia_turns.server import LocalServer

from ..cells import Cell, Place, Scale
from ..contestants import lines
from ..figures import FLOOR, OURS, quantile
from ..load import Paced
from ..processes import ENVIRONMENT
from ..server_figures import ScriptedCall, delays_s
from ..stamps import last_word, now_ns

FRAME_MS = 20
WARM_UP_S = 0.5


@contextlib.asynccontextmanager
async def local_server() -> AsyncIterator[tuple[str, psutil.Process]]:
    """The server in a process of its own: its address, and what it takes."""
    command = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tools.bench.local_server",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
    )
    assert command.stdout is not None
    try:
        url = (await command.stdout.readline()).decode().strip()
        yield url, psutil.Process(command.pid)
    finally:
        command.terminate()
        await command.wait()


async def scripted(place: Place, *, streams: int, audio_s: float) -> dict[str, float]:
    """So many bare websockets at once."""
    delays: list[float] = []

    def hear(text: str, _: bool) -> None:
        if (pushed := last_word(text)) is not None:
            delays.append((now_ns() - pushed) / 1e6)

    async with local_server() as (url, server), lines(FLOOR, [url] * streams, hear) as opened:
        await Paced(FRAME_MS, WARM_UP_S).push(opened)
        delays.clear()
        used_s = _used_s(server)
        late = await Paced(FRAME_MS, audio_s).push(opened)
        # Updates that are late belong to it too.
        await asyncio.sleep(0.2)
        used_s = _used_s(server) - used_s
    per_minute = used_s * 60 / (streams * audio_s)
    return {
        "server's CPU seconds a stream-minute": per_minute,
        "streams that a core serves": 60 / per_minute,
        "frame pushed to its update heard p50, ms": quantile(delays, 0.5),
        "frame pushed to its update heard p95, ms": quantile(delays, 0.95),
        "time taken over the audio's": late,
    }


async def recognized(place: Place, *, streams: int) -> dict[str, float]:
    """So many recorded calls at once, with the packaged recognizer; the clients are in the same process."""
    del place
    async with LocalServer(record=True) as server, aiohttp.ClientSession() as session:
        calls = [ScriptedCall() for _ in range(streams)]
        used_s = time.process_time()
        await asyncio.gather(*(call.run(server, session) for call in calls))
        used_s = time.process_time() - used_s
    audio_s = sum(call.sent_s for call in calls)
    ends = [delay for call in calls for delay in delays_s(call.seen_s("turn.end"))]
    gaps = [gap for call in calls for gap in call.update_gaps_s()]
    return {
        "server's CPU seconds a stream-minute": 60 * used_s / audio_s,
        "streams that a core serves": audio_s / used_s,
        "end of speech to turn.end p50, s": quantile(ends, 0.5),
        "between updates p50, s": quantile(gaps, 0.5),
    }


def _used_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _cell(streams: int, audio_s: float) -> Cell:
    return Cell("server", "scripted", f"{streams} streams", {"streams": streams, "audio_s": audio_s}, (OURS,))


def _heard(streams: int) -> Cell:
    label = f"{streams} recognized"
    return Cell("server", "recognized", label, {"streams": streams}, (OURS,))


SCALE = Scale(
    "server",
    {"scripted": scripted, "recognized": recognized},
    usual=[_cell(25, 3.0), _cell(100, 3.0)],
    quick=[_cell(25, 1.5)],
    long=[_heard(1), _heard(4)],
)
