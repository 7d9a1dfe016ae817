"""What a call takes of a processor, by the number of calls and the pace of the audio."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from ..cells import Cell, Place, Scale
from ..contestants import lines
from ..figures import NOTHING, OURS
from ..load import Paced, arrived, connected, report
from ..stamps import BYTES_PER_S

FRAME_MS = 20
WARM_UP_S = 0.3
"""What is done once only is over by then."""


async def load(
    place: Place, *, streams: int, audio_s: float, speed: float, frame_ms: int = FRAME_MS
) -> dict[str, float]:
    """So many calls at once, from the first frame until the server has the last one."""
    # Audio faster than real time is a backlog to this plugin, which it would send at four times real time.
    unpaced: dict[str, Any] = {"catch_up_speed": 1000.0} if place.contestant == OURS and speed > 1 else {}
    urls = [f"{place.url}/{round(frame_ms * BYTES_PER_S / 1000)}"] * streams
    async with lines(place.contestant, urls, _drop, frames_ms=[frame_ms] * streams, **unpaced) as opened:
        talks = place.contestant != NOTHING
        await connected(place.url, streams if talks else 0)
        await Paced(frame_ms, WARM_UP_S).push(opened)
        await asyncio.sleep(0.05)
        await report(place.url)
        used_s, woken = time.process_time(), place.wakes.count
        late = await Paced(frame_ms, audio_s, speed).push(opened)
        if talks:
            await arrived(place.url, audio_s, streams)
        used_s, woken = time.process_time() - used_s, place.wakes.count - woken
    minutes = streams * audio_s / 60
    return {
        "CPU seconds a stream-minute": used_s / minutes,
        "wake-ups a stream-minute": woken / minutes,
        "time taken over the audio's": late,
    }


def _drop(_: str, __: bool) -> None:
    """What is heard is of no interest."""


def cell(streams: int, audio_s: float, speed: float, frame_ms: int = FRAME_MS) -> Cell:
    """One of the cells."""
    pace = "real time" if speed == 1 else f"{speed:g} x"
    label = f"{streams} {'stream' if streams == 1 else 'streams'} at {pace}"
    if frame_ms != FRAME_MS:
        label += f", {frame_ms} ms frames"
    numbers = {"streams": streams, "audio_s": audio_s, "speed": speed, "frame_ms": frame_ms}
    return Cell("cpu", "load", label, numbers)


SCALE = Scale(
    "cpu",
    {"load": load},
    usual=[
        cell(1, 6.0, 1),
        cell(25, 2.0, 1),
        cell(25, 3.0, 1, frame_ms=50),
        cell(200, 2.0, 1),
        cell(1, 6.0, 4),
        cell(25, 6.0, 4),
        cell(200, 3.0, 4),
    ],
    quick=[cell(25, 1.5, 1)],
)
