"""A real AgentSession over a real socket: the test feeds the microphone and cues the server, and reads what came of it.

The model and the voice are the only make-believe: they answer at once, and note when.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import Agent, AgentSession, ConversationItemAddedEvent, UserInputTranscribedEvent, llm, utils
from livekit.plugins.cartesia_turns import STT, testing, turn_handling
from livekit.plugins.cartesia_turns.server import LocalServer
from livekit.plugins.cartesia_turns.testing import FakeLLM, FakeTTS, Speaker
from livekit.plugins.cartesia_turns.wire.messages import ServerMessage

from .script import START, end, update
from .stage import Stage
from .waiting import eventually

RATE = 16000
FRAME_S = 0.02
BOUND_S = 15.0
VOICED = (np.random.default_rng(1).normal(0, 4000, round(RATE * FRAME_S))).astype("<i2").tobytes()
QUIET = bytes(len(VOICED))


class Microphone(testing.Microphone):
    """The package's microphone, which takes PCM too, and can push at the pace of a real one."""

    def push(self, frame: rtc.AudioFrame | bytes = VOICED) -> None:
        super().push(rtc.AudioFrame(frame, RATE, 1, len(frame) // 2) if isinstance(frame, bytes) else frame)

    async def speak(self, seconds: float, pcm: bytes = VOICED) -> float:
        """Pushes frames at the pace of a microphone; returns the wall clock's time at the end of the last."""
        begun = time.monotonic()
        for number in range(1, round(seconds / FRAME_S) + 1):
            await asyncio.sleep(begun + number * FRAME_S - time.monotonic())
            self.push(pcm)
        return time.time()

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """A microphone in a silent room, as long as the block lasts: one that is on never stops."""
        on = asyncio.create_task(self.speak(BOUND_S, QUIET))
        try:
            yield
        finally:
            await utils.aio.cancel_and_wait(on)


@dataclass
class Conversation:
    """All that a test touches."""

    server: LocalServer
    stage: Stage
    stt: STT
    session: AgentSession[None]
    microphone: Microphone = field(default_factory=Microphone)
    speaker: Speaker = field(default_factory=Speaker)
    model: FakeLLM = field(default_factory=FakeLLM)
    transcripts: list[UserInputTranscribedEvent] = field(default_factory=list)
    user_states: list[str] = field(default_factory=list)
    messages: list[llm.ChatMessage] = field(default_factory=list)
    plugin_events: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session.on("user_input_transcribed", self.transcripts.append)
        self.session.on("user_state_changed", lambda event: self.user_states.append(event.new_state))
        self.session.on("conversation_item_added", self._note)
        heard = self.plugin_events  # the STT may outlive the session, and is not to keep it alive
        for name in ("connected", "turn_start", "turn_update", "turn_eager_end", "turn_resume", "turn_end"):
            self.stt.on(name, lambda _, name=name: heard.append(name))

    def _note(self, event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, llm.ChatMessage):
            self.messages.append(event.item)

    async def hears(self, *messages: ServerMessage, pcm: bytes = VOICED, steps: int | None = None) -> None:
        """The server answers one frame with these messages, and the plugin has told of them, in `steps` events."""
        expected = len(self.plugin_events) + (len(messages) if steps is None else steps)
        self.stage.cue(*messages)
        self.microphone.push(pcm)
        await eventually(lambda: len(self.plugin_events) >= expected, f"{messages} heard")

    async def turn(self, text: str) -> None:
        """A whole turn of the user's, all at once."""
        await self.hears(START, update(text), end(text))

    async def answered(self, times: int = 1) -> None:
        """Waits until the agent has begun to speak so many times."""
        await eventually(lambda: len(self.speaker.started_at) >= times, "the reply")

    async def silent(self) -> None:
        """Waits until the agent has nothing to say."""
        await eventually(lambda: not self.speaker.is_audible and self.session.agent_state == "listening", "silence")

    @property
    def said(self) -> list[str]:
        """The user's messages in the history, in order."""
        return [m.text_content or "" for m in self.session.history.messages() if m.role == "user"]


def stt_for(server: LocalServer, **options: Any) -> STT:
    return STT(**{"api_key": server.key, "base_url": server.url, **options})


@asynccontextmanager
async def conversation(
    *,
    stt_options: dict[str, Any] | None = None,
    server_options: dict[str, Any] | None = None,
    agent: Agent | None = None,
    reply_s: float = 0.2,
    speaker: Speaker | None = None,
    wrap: Callable[[STT, LocalServer], Any] | None = None,
    stt_handlers: dict[Any, Callable[..., object]] | None = None,
    **options: Any,
) -> AsyncIterator[Conversation]:
    """A session under way whose first socket is up.

    Args:
        stt_options: of the STT.
        server_options: of the local server.
        agent: the first agent.
        reply_s: how long the agent speaks.
        speaker: in place of one that can pause.
        wrap: what the session gets in place of the STT itself.
        stt_handlers: of the STT's events, from before the session begins.
        options: of the AgentSession, which is set up as the README says where they don't say otherwise.
    """
    stage, model = Stage(), FakeLLM()
    async with (
        utils.http_context.open(),
        LocalServer(**{"responder": stage, "record": True, **(server_options or {})}) as server,
    ):
        stt = stt_for(server, **(stt_options or {}))
        for name, handler in (stt_handlers or {}).items():
            stt.on(name, handler)
        session = session_of(wrap(stt, server) if wrap else stt, model, reply_s, **options)
        talk = Conversation(server, stage, stt, session, model=model, speaker=speaker or Speaker())
        try:
            async with under_way(talk, agent):
                await eventually(lambda: "connected" in talk.plugin_events or wrap, "the connection")
                yield talk
        finally:
            await stt.aclose()


@asynccontextmanager
async def another_conversation(talk: Conversation, *, reply_s: float = 0.2) -> AsyncIterator[Conversation]:
    """A second session under way, with the server and the STT of the first: another room of one worker."""
    model, sockets = FakeLLM(), len(talk.server.connections)
    session = session_of(talk.stt, model, reply_s)
    other = Conversation(talk.server, talk.stage, talk.stt, session, model=model)
    async with under_way(other, None):
        await eventually(lambda: len(talk.server.connections) > sockets, "the second connection")
        yield other


def session_of(stt: Any, model: FakeLLM, reply_s: float, **options: Any) -> AgentSession[None]:
    """One that is set up as the README says where options don't say otherwise."""
    usual = {"stt": stt, "vad": None, "turn_handling": turn_handling(), "aec_warmup_duration": None}
    return AgentSession[None](llm=model, tts=FakeTTS(reply_s), **{**usual, **options})


@asynccontextmanager
async def under_way(talk: Conversation, agent: Agent | None) -> AsyncIterator[None]:
    """Starts the session with its microphone and speaker, and closes it."""
    talk.session.input.audio, talk.session.output.audio = talk.microphone, talk.speaker
    try:
        await talk.session.start(agent or Agent(instructions=""))
        yield
    finally:
        await talk.session.aclose()
