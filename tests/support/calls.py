"""A call on a server: a stream whose events are collected as they come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, stt
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.server import LocalServer

from .exposed import exposed
from .waiting import until

RATE = 16000
PUBLIC_EVENTS = (
    "connected",
    "disconnected",
    "connection_error",
    "turn_start",
    "turn_update",
    "turn_eager_end",
    "turn_resume",
    "turn_end",
)
_NAMES = {
    stt.SpeechEventType.START_OF_SPEECH: "START",
    stt.SpeechEventType.INTERIM_TRANSCRIPT: "INTERIM",
    stt.SpeechEventType.PREFLIGHT_TRANSCRIPT: "PREFLIGHT",
    stt.SpeechEventType.FINAL_TRANSCRIPT: "FINAL",
    stt.SpeechEventType.RECOGNITION_USAGE: "USAGE",
    stt.SpeechEventType.END_OF_SPEECH: "END",
}


def silent_frame(seconds: float, *, rate: int = RATE, channels: int = 1) -> rtc.AudioFrame:
    """A frame of digital silence."""
    samples = round(seconds * rate)
    return rtc.AudioFrame(bytes(2 * samples * channels), rate, channels, samples)


def brief(event: stt.SpeechEvent) -> str:
    """The event in short: `FINAL hello`."""
    texts = [data.text for data in event.alternatives]
    return " ".join([_NAMES[event.type], *texts])


class Call:
    """A stream, and all that came out of it and of its STT."""

    def __init__(self, owner: cartesia_turns.STT, stream: cartesia_turns.SpeechStream) -> None:
        self.stt = owner
        self.stream = stream
        self.events: list[stt.SpeechEvent] = []
        self.public: list[tuple[str, Any]] = []
        self.errors: list[stt.STTError] = []
        self.exposed: list[str] = []
        self.raised: BaseException | None = None
        for name in PUBLIC_EVENTS:
            owner.on(name, self._noter(name))  # type: ignore[call-overload]  # a str is not a Literal
        owner.on("error", self.errors.append)
        # As it is when listeners hear of it: later, others raise it again.
        for name in ("connection_error", "error"):
            owner.on(name, lambda event: self.exposed.append(exposed(event.error)))  # type: ignore[call-overload]  # as above
        self.reader = asyncio.create_task(self._read())

    @property
    def log(self) -> list[str]:
        """What came out, in short, without usage."""
        return [brief(event) for event in self.events if event.type is not stt.SpeechEventType.RECOGNITION_USAGE]

    @property
    def finals(self) -> list[str]:
        """The text of each FINAL_TRANSCRIPT."""
        return [entry.removeprefix("FINAL ") for entry in self.log if entry.startswith("FINAL")]

    @property
    def usage_s(self) -> float:
        """Seconds of audio reported as usage."""
        return sum(event.recognition_usage.audio_duration for event in self.events if event.recognition_usage)

    @property
    def is_over(self) -> bool:
        """The stream has no more events."""
        return self.reader.done()

    def named(self, name: str) -> list[Any]:
        """The public events of this name."""
        return [event for said, event in self.public if said == name]

    def push(self, seconds: float) -> None:
        """Pushes silence as one frame: what a scripted server answers depends on the length alone."""
        self.stream.push_frame(silent_frame(seconds))

    def speak(self, seconds: float) -> None:
        """Pushes what may be speech, as one frame."""
        samples = round(seconds * RATE)
        self.stream.push_frame(rtc.AudioFrame(b"\0\x20\0\xe0" * (samples // 2), RATE, 1, samples))

    async def over(self, *, within_s: float = 5.0) -> None:
        """Waits for the end of the events."""
        await until(lambda: self.is_over, within_s=within_s)

    def _noter(self, name: str) -> Any:
        return lambda event: self.public.append((name, event))

    async def _read(self) -> None:
        try:
            async for event in self.stream:
                self.events.append(event)
        except Exception as error:
            self.raised = error


@contextlib.asynccontextmanager
async def calling(
    server: LocalServer,
    *,
    conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    via: str | None = None,
    **arguments: Any,
) -> AsyncIterator[Call]:
    """A call on this server, or by way of the proxy at `via`; closed at the end. The arguments are the STT's."""
    owner = cartesia_turns.STT(**{"base_url": via or server.url, "api_key": server.key, **arguments})
    async with talking(owner, conn_options=conn_options) as call:
        yield call


@contextlib.asynccontextmanager
async def talking(
    owner: cartesia_turns.STT, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
) -> AsyncIterator[Call]:
    """A call on an STT; closed at the end."""
    call = Call(owner, owner.stream(conn_options=conn_options))
    try:
        yield call
    finally:
        await call.stream.aclose()
        await call.reader
