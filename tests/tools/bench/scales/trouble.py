"""What becomes of a turn when the connection is reset, and how long a connection is dead before anybody notices."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from livekit.plugins.cartesia_turns.server import LocalServer
from support.numbered import Ears, Microphone
from support.proxy import Proxy
from support.waiting import until

from ..cells import Cell, Place, Scale
from ..contestants import KEY, lines
from ..figures import OFFICIAL, OURS

TOLD_WITHIN_S = 2.0
BEHIND_FRAMES = 15
"""A call that is not further behind has caught up: the longest pieces are of 8 frames."""
PLUGINS = (OURS, OFFICIAL)


@dataclass
class Rig:
    """A call by way of a proxy to a server that reads numbered frames, each of which is a word."""

    ears: Ears
    proxy: Proxy
    mic: Microphone
    finals: list[str] = field(default_factory=list)

    def hear(self, text: str, is_final: bool) -> None:
        """Keeps the final texts."""
        if is_final and text:
            self.finals.append(text)

    @property
    def has_caught_up(self) -> bool:
        """A connection that is not the first hears what is being said."""
        last = self.ears.all[-1]
        return len(self.ears.all) > 1 and bool(last.heard) and last.heard[-1] >= self.mic.spoken[-1] - BEHIND_FRAMES

    @property
    def told(self) -> set[int]:
        """The words of all final texts."""
        return {int(word) for text in self.finals for word in text.split()}


@contextlib.asynccontextmanager
async def rigged(place: Place) -> AsyncIterator[Rig]:
    """A call in which the microphone is on."""
    ears = Ears()
    async with LocalServer(responder=ears, key=KEY) as server, Proxy(server.url) as proxy:
        rig = Rig(ears, proxy, Microphone(lambda _: None))
        async with lines(place.contestant, [proxy.url], rig.hear) as [line]:
            rig.mic = Microphone(line.push)
            rig.mic.start()
            yield rig
            await rig.mic.stop()


async def reset(place: Place, *, speech_s: float) -> dict[str, float]:
    """One turn, and a reset in the middle of it."""
    async with rigged(place) as rig:
        playing = asyncio.create_task(rig.mic.play(0.5, speech_s, 1.0))
        await until(lambda: len(rig.mic.spoken) >= speech_s / 2 / 0.02)
        rig.proxy.reset()
        begun = asyncio.get_running_loop().time()
        await until(lambda: rig.has_caught_up, within_s=20)
        caught_up_s = asyncio.get_running_loop().time() - begun
        spoken = await playing
        with contextlib.suppress(AssertionError):
            await until(lambda: spoken[-1] in rig.told, within_s=TOLD_WITHIN_S)
    return {
        "after a reset, words lost of a hundred": 100 * len(set(spoken) - rig.told) / len(spoken),
        "after a reset, turns told of the one spoken": len(rig.finals),
        "after a reset, seconds until caught up": caught_up_s,
    }


async def half_open(place: Place, *, at_most_s: float) -> dict[str, float]:
    """A connection that carries nothing any more, and is never closed."""
    async with rigged(place) as rig:
        playing = asyncio.create_task(rig.mic.play(0.5, at_most_s))
        await until(lambda: len(rig.mic.spoken) >= 50)
        rig.proxy.freeze()
        begun = asyncio.get_running_loop().time()
        with contextlib.suppress(AssertionError):
            await until(lambda: rig.proxy.accepted > 1, within_s=at_most_s)
        noticed_s = asyncio.get_running_loop().time() - begun
        playing.cancel()
    return {f"half-open, seconds until noticed ({at_most_s:g}: not before)": min(noticed_s, at_most_s)}


def _cells(speech_s: float, at_most_s: float) -> list[Cell]:
    return [
        Cell("trouble", "reset", "", {"speech_s": speech_s}, PLUGINS, together=True),
        Cell("trouble", "half_open", "", {"at_most_s": at_most_s}, PLUGINS, together=True),
    ]


SCALE = Scale(
    "trouble",
    {"reset": reset, "half_open": half_open},
    usual=_cells(4.0, 20.0),
    quick=_cells(2.0, 20.0)[:1],
)
