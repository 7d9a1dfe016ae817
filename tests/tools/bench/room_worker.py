"""The worker whose rooms room_figures.py measures: a session that listens and does nothing else.

BENCH_STT names the module of the plugin that hears, BENCH_OPTIONS has its arguments as JSON. Without a module the audio
goes where it would go with one, and is dropped there.
"""

from __future__ import annotations

import importlib
import json
import os
from typing import Any

from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    Agent,
    AgentServer,
    AgentSession,
    APIConnectOptions,
    JobContext,
    LanguageCode,
    NotGivenOr,
    room_io,
    stt,
    utils,
)

REPORT_EVERY_S = 10
MODULE = os.environ.get("BENCH_STT", "")
# Plugins register themselves as they are imported, which has to be done in the main thread.
PLUGIN: Any = importlib.import_module(MODULE) if MODULE else None

# A process for each room and none in reserve, so that what is measured is the rooms'.
server = AgentServer(host="127.0.0.1", num_idle_processes=0, load_fnc=lambda: 0.0)


class DeafSTT(stt.STT[str]):
    """Drops the audio, and says so in a final transcript every ten seconds of it."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        return _DeafStream(stt=self, conn_options=conn_options)

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        raise NotImplementedError


class _DeafStream(stt.RecognizeStream):
    async def _run(self) -> None:
        heard_s, reports = 0.0, 0
        async for item in self._input_ch:
            heard_s += item.duration if isinstance(item, rtc.AudioFrame) else 0.0
            if heard_s >= (reports + 1) * REPORT_EVERY_S:
                reports += 1
                self._event_ch.send_nowait(_final(report(reports)))


def _final(text: str) -> stt.SpeechEvent:
    words = stt.SpeechData(language=LanguageCode("en"), text=text)
    return stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[words])


def report(number: int) -> str:
    """What DeafSTT says for the nth time."""
    return f"{number * REPORT_EVERY_S} s of audio"


def make_stt() -> stt.STT[Any]:
    """The ears in question."""
    if PLUGIN is None:
        return DeafSTT()
    plugin: stt.STT[Any] = PLUGIN.STT(**json.loads(os.environ["BENCH_OPTIONS"]))
    return plugin


@server.rtc_session()
async def listen(ctx: JobContext) -> None:
    """One room."""
    session: AgentSession[None] = AgentSession(stt=make_stt(), vad=None, turn_handling={"turn_detection": "stt"})
    options = room_io.RoomOptions(audio_output=False, text_output=True)
    await session.start(Agent(instructions=""), room=ctx.room, room_options=options)
