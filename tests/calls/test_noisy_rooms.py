"""A short turn with noise behind it is told once, whatever happens to the socket: real sockets, the real recognizer.

Each call is a recording cut short, some white noise, and then digital silence. CI plays every ninth call;
ALL_NOISY_ROOMS=1 plays all of them, in half an hour or so.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import Counter
from dataclasses import dataclass
from enum import Enum

import numpy as np
import pytest
from livekit import rtc
from livekit.plugins.cartesia_turns.server import LocalServer, Recognizer
from livekit.plugins.cartesia_turns.server.recognition.recognizer import packaged_recognizer
from support import speech
from support.calls import RATE, Call, calling
from support.noise import clipped, white
from support.waiting import until

FRAME_S = 0.02
LEAD_S = 0.6
AFTER_S = 1.0
"""Silence that goes on after whatever happens."""
IDLE_S = 1.0
"""When the server closes an idle socket, in the calls in which it does."""
AT_ONCE = 4
EVERY = 1 if os.environ.get("ALL_NOISY_ROOMS") else 9
CUTS = {"the first 1.2 s": slice(0, round(1.2 * RATE)), "the last 1.0 s": slice(-RATE, None)}


class Incident(Enum):
    """What happens in a call."""

    DROP_AFTER = "a reset 0.3 s after the end of the turn"
    DROP_WITHIN = "a reset in mid-turn"
    CLOSE = "a close with 1000, 0.3 s after the end of the turn"
    UPDATE = "new key terms in mid-turn"
    IDLE = "an idle close after the turn"

    @property
    def is_within(self) -> bool:
        """The turn is open then."""
        return self in (Incident.DROP_WITHIN, Incident.UPDATE)


@dataclass(frozen=True)
class Scene:
    """One call."""

    clip: str
    cut: str
    noise_s: float
    dbfs: float
    incident: Incident

    @property
    def audio(self) -> bytes:
        """All of its sound."""
        words = np.frombuffer(speech.pcm(self.clip), "<i2")[CUTS[self.cut]]
        noise = clipped(white(round(self.noise_s * RATE), self.dbfs))
        return speech.silence(LEAD_S) + words.tobytes() + noise.tobytes()


SCENES = [
    Scene(*parts)
    for parts in itertools.product(speech.clips(), CUTS, (0.0, 0.3, 0.6, 1.0, 2.0), (-42.0, -35.0), Incident)
]
PLAYED = SCENES[::EVERY]


class Playback:
    """Pushes frames in real time: the audio, then silence."""

    def __init__(self, call: Call, audio: bytes) -> None:
        self._call = call
        self._audio = audio
        self.is_open = True

    async def run(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        size, at, start = 2 * round(FRAME_S * RATE), loop.time(), 0
        while True:
            if self.is_open:
                piece = self._audio[start : start + size].ljust(size, b"\0")
                self._call.stream.push_frame(rtc.AudioFrame(piece, RATE, 1, size // 2))
                start += size
            at += FRAME_S
            await asyncio.sleep(max(0.0, at - loop.time()))


async def play(scene: Scene, recognizer: Recognizer) -> list[str]:
    """Plays a call to its end; returns what was told in it."""
    idle_s = IDLE_S if scene.incident is Incident.IDLE else 60.0
    async with LocalServer(recognizer=recognizer, idle_timeout_s=idle_s) as server, calling(server) as call:
        playback = Playback(call, scene.audio)
        talking = asyncio.create_task(playback.run())
        try:
            await until(lambda: "START" in call.log, within_s=15)
            if scene.incident.is_within:
                await until(lambda: len(call.log) > 1, within_s=15)
                await happen(scene.incident, server, call, playback)
            await until(lambda: "END" in call.log, within_s=15)
            if not scene.incident.is_within:
                await asyncio.sleep(0.3)
                await happen(scene.incident, server, call, playback)
            await asyncio.sleep(AFTER_S)
        finally:
            talking.cancel()
            await asyncio.wait([talking])
        call.stream.end_input()
        await call.over(within_s=15)
        assert call.raised is None
        return call.log


async def happen(incident: Incident, server: LocalServer, call: Call, playback: Playback) -> None:
    """Lets it happen."""
    if incident is Incident.UPDATE:
        call.stt.update_options(keyterm=["Quetzalcoatl"])
    elif incident is Incident.IDLE:
        playback.is_open = False
        await until(lambda: not server.open_streams, within_s=IDLE_S + 5)
        playback.is_open = True
    else:
        await server.drop_all(1000 if incident is Incident.CLOSE else None)


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return packaged_recognizer()


async def play_all(scenes: list[Scene], recognizer: Recognizer) -> dict[Scene, list[str] | BaseException]:
    """Plays calls side by side. One that fails takes no other along."""
    room = asyncio.Semaphore(AT_ONCE)
    logs = await asyncio.gather(*(_play_in(room, scene, recognizer) for scene in scenes), return_exceptions=True)
    return dict(zip(scenes, logs, strict=True))


async def _play_in(room: asyncio.Semaphore, scene: Scene, recognizer: Recognizer) -> list[str]:
    async with room:
        return await play(scene, recognizer)


def is_told_once(log: list[str] | BaseException) -> bool:
    """One turn, and words in it."""
    if isinstance(log, BaseException):
        return False
    kinds = Counter(entry.split()[0] for entry in log)
    return kinds["START"] == kinds["FINAL"] == kinds["END"] == 1 and "FINAL" not in log


@pytest.mark.slow  # calls in real time through the recognizer
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("incident", Incident, ids=lambda incident: incident.value.replace(" ", "-"))
@pytest.mark.recognizer
async def test_a_short_turn_with_noise_behind_it_is_told_once(incident: Incident, recognizer: Recognizer) -> None:
    scenes = [scene for scene in PLAYED if scene.incident is incident]
    assert len(scenes) >= 11
    logs = await play_all(scenes, recognizer)
    told = {scene: log for scene, log in logs.items() if not is_told_once(log)}
    assert not told, f"{len(told)} of {len(scenes)} calls:\n" + "\n".join(f"{scene}: {told[scene]!r}" for scene in told)


def test_the_calls_of_ci_have_every_recording_cut_noise_level_and_incident() -> None:
    for name in ("clip", "cut", "noise_s", "dbfs", "incident"):
        assert {getattr(scene, name) for scene in SCENES[::9]} == {getattr(scene, name) for scene in SCENES}
