"""A call under test: a stream without a session, or a session with an agent."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.agents import Agent, AgentStateChangedEvent, CloseEvent, ConversationItemAddedEvent, ErrorEvent, llm, stt

from ..compat import AgentSession
from ..stream import SpeechStream
from ..stt import STT
from .caller import Caller
from .doubles import Microphone, Speaker
from .heard import Heard, Reply
from .speech import Voice


class StreamCall(Caller):
    """A stream under test, made by `ScriptedServer.stream`.

    Attributes:
        stream: the stream. The test must not read its events itself.
        events: the stream's events so far.
    """

    def __init__(self, voice: Voice, owner: STT, stream: SpeechStream, *, fast: bool) -> None:
        backlog_s = (lambda: stream.stats.backlog_s) if fast else None
        super().__init__(voice, Heard(owner, fast=fast), stream.push_frame, backlog_s)
        self.stream = stream
        self.events: list[stt.SpeechEvent] = []
        self._reader = asyncio.create_task(self._read())

    def check(self) -> None:
        """Checks that the stream has not ended.

        Raises:
            AssertionError: it has ended. The text lists what happened.
        """
        if self._reader.done():
            raise self.heard.failure("the stream has ended")

    async def end(self) -> Heard:
        """Ends the input, as at the end of a recording, and waits until all events have come.

        Returns:
            Everything that happened in the call.
        """
        self.stream.end_input()
        await self._reader
        return self.heard

    async def aclose(self) -> None:
        """Hangs up."""
        await self.stream.aclose()
        await self._reader
        self.heard.close()

    async def _read(self) -> None:
        try:
            async for event in self.stream:
                self.events.append(event)
        except Exception as error:
            self.heard.failed(error)


class Conversation(Caller):
    """A session under test, made by `ScriptedServer.conversation`.

    Attributes:
        session: the session.
        agent: the session's first agent.
        speaker: the agent's audio output; None if it answers in text.
    """

    def __init__(
        self, voice: Voice, owner: STT, session: AgentSession[Any], agent: Agent, speaker: Speaker | None
    ) -> None:
        self._microphone = Microphone()
        super().__init__(voice, Heard(owner), self._microphone.push)
        self.session = session
        self.agent = agent
        self.speaker = speaker
        self._began_s = 0.0
        self._is_over = False
        self._answered = 0
        session.on("agent_state_changed", self._on_state)
        session.on("conversation_item_added", self._on_item)
        session.on("error", self._on_error)
        session.on("close", self._on_close)

    def check(self) -> None:
        """Checks that the session is open.

        Raises:
            AssertionError: it is closed. The text lists what happened.
        """
        if self._is_over:
            raise self.heard.failure("the session is closed")

    async def start(self) -> None:
        """Starts the session, with the caller as its microphone."""
        self.session.input.audio = self._microphone
        self.session.output.audio = self.speaker
        await self.session.start(self.agent)

    async def reply(self) -> Reply:
        """Waits until the agent's next reply is over; if the agent speaks, until it is played.

        Each reply is returned once, in order.

        Raises:
            AssertionError: none came within 15 s. The text lists what happened.
        """
        await self.until(lambda: len(self.heard.replies) > self._answered, "the agent's reply")
        self._answered += 1
        return self.heard.replies[self._answered - 1]

    async def speaking(self) -> None:
        """Waits until the agent speaks, so that it can be interrupted.

        Raises:
            AssertionError: it did not begin within 15 s. The text lists what happened.
        """
        await self.until(lambda: self.session.agent_state == "speaking", "the agent's voice")

    async def aclose(self) -> None:
        """Hangs up: closes the session."""
        await self.session.aclose()
        self.heard.close()

    def _on_state(self, event: AgentStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self._began_s = self.heard.now_s
            self.heard.note("the agent begins to reply")

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, llm.ChatMessage) and event.item.role == "assistant":
            self.heard.replied(event.item.text_content or "", self._began_s, interrupted=event.item.interrupted)

    def _on_close(self, event: CloseEvent) -> None:
        self._is_over = True
        self.heard.note(f"the session is closed: {event.reason.value}")

    def _on_error(self, event: ErrorEvent) -> None:
        error = getattr(event.error, "error", event.error)
        if not getattr(event.error, "recoverable", False) and isinstance(error, Exception):
            self.heard.failed(error)
