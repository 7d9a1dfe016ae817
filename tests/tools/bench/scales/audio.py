"""How old audio is when it reaches the server, and how late an event is when it reaches the user of the plugin.

Server and contestant run on cores of their own, as on two machines. On a core that they share, the server does not see
a frame before the contestant has done all that it does next, although the frame is on its way.
"""

from __future__ import annotations

import asyncio

from ..cells import Cell, Place, Scale
from ..contestants import Line, lines
from ..figures import CONTESTANTS, NOTHING, quantile
from ..load import Paced, ages_ms, connected, report
from ..processes import off_first_core
from ..stamps import BYTES_PER_S, last_word, now_ns

FRAMES_MS = (10, 20, 50)
WARM_UP_S = 0.3
APART_S = 0.0033
"""The calls of different people are not in step: each begins so long after the one before it."""
TALKING = tuple(name for name in CONTESTANTS if name != NOTHING)


class Ear:
    """Notes how late texts are whose last word is the time at which they were sent."""

    def __init__(self) -> None:
        self.delays_ms: list[float] = []

    def hear(self, text: str, _: bool) -> None:
        """Takes one."""
        if (sent := last_word(text)) is not None:
            self.delays_ms.append((now_ns() - sent) / 1e6)


async def ages(place: Place, *, audio_s: float) -> dict[str, float]:
    """A call for each length of frames, at the same time: that is little to do for a process."""
    ear = Ear()
    urls = [f"{place.url}/{_bytes(ms)}" for ms in FRAMES_MS]
    async with lines(place.contestant, urls, ear.hear, frames_ms=list(FRAMES_MS)) as opened:
        await connected(place.url, len(urls))
        with off_first_core():
            await _push(opened, WARM_UP_S)
            await report(place.url)
            await _push(opened, audio_s)
        found = await ages_ms(place.url)
        # Before the end: what is told of a turn that was cut off is no answer to a message.
        delays = list(ear.delays_ms)
    figures = {"event delay p50, ms": quantile(delays, 0.5), "event delay p95, ms": quantile(delays, 0.95)}
    for ms in FRAMES_MS:
        for part in (0.5, 0.95):
            figures[f"age of audio p{100 * part:.0f}, ms, {ms} ms frames"] = quantile(found[_bytes(ms)], part)
    return figures


async def _push(lines: list[Line], audio_s: float) -> None:
    pairs = enumerate(zip(FRAMES_MS, lines, strict=True))
    await asyncio.gather(*(_begin(number * APART_S, Paced(ms, audio_s), line) for number, (ms, line) in pairs))
    await asyncio.sleep(0.05)


async def _begin(after_s: float, paced: Paced, line: Line) -> None:
    await asyncio.sleep(after_s)
    await paced.push([line])


def _bytes(frame_ms: int) -> int:
    return round(frame_ms * BYTES_PER_S / 1000)


def _cells(audio_s: float) -> list[Cell]:
    return [Cell("audio", "ages", "", {"audio_s": audio_s}, TALKING)]


SCALE = Scale("audio", {"ages": ages}, usual=_cells(10), quick=_cells(1.5))
