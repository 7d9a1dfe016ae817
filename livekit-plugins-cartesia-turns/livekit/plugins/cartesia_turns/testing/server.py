"""The server under test conditions: it hears the caller's words, and goes wrong on purpose."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, Agent, APIConnectOptions, utils

from ..compat import AgentSession
from ..server.app import TODAY, LocalServer
from ..server.faults import FaultPlan
from ..server.vendor import Vendor
from ..stt import STT
from .calls import Conversation, StreamCall
from .doubles import Speaker
from .ear import Listener
from .faults import fault
from .heard import Heard
from .speech import Voice

FAST_SPEED = 20.0
"""How many times faster than real time a stream that is made here may send audio."""


class ScriptedServer(LocalServer):
    """A `LocalServer` that hears what a test's caller says: no recognizer, no key, no network but this machine's.

        async with ScriptedServer() as server, server.conversation(make_session, make_agent) as call:
            await call.play(say("what time", pause=0.4), say("is it"))
            reply = await call.reply()
            call.heard.assert_turns("what time is it")

    In a test take the fixture `cartesia_turns_server` instead of making one: a test that fails then tells what was said
    and heard.

    Args:
        faults: what goes wrong on purpose: a name out of `PASSING_FAULTS` or `LASTING_FAULTS`, or a plan of your own.
            `server.faults` may be set at any time, and holds for the connections to come.
        vendor: the vendor's numbers to use, as for `LocalServer`.
        key: the only key that is let in; by default a random one.
        port: by default a free one.

    Raises:
        ValueError: there is no fault of that name, or no such vendor.
    """

    def __init__(
        self,
        *,
        faults: FaultPlan | str = "none",
        vendor: str | Vendor = TODAY,
        key: str | None = None,
        port: int = 0,
    ) -> None:
        self._voice = Voice()
        self._heard: list[Heard] = []
        listener = partial(Listener, self._voice)
        super().__init__(key=key, port=port, responder=listener, vendor=vendor, faults=_plan(faults), record=True)

    async def __aenter__(self) -> ScriptedServer:
        await self.start()
        return self

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong with connections to come; a name or a plan may be set at any time."""
        return self._endpoint.faults

    @faults.setter
    def faults(self, plan: FaultPlan | str) -> None:
        self._endpoint.faults = _plan(plan)

    @property
    def report(self) -> str:
        """What was said and heard in each call so far."""
        return "\n\n".join(map(str, self._heard))

    def stt(self, **options: Any) -> STT:
        """An STT that connects to this server. Options are those of `STT`."""
        return STT(**{"base_url": self.url, "api_key": self.key, **options})

    @contextlib.asynccontextmanager
    async def stream(
        self,
        stt: STT | None = None,
        *,
        fast: bool = False,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> AsyncIterator[StreamCall]:
        """A stream by itself, without a session: closed at the end.

        Args:
            stt: whose stream; by default a new one's.
            fast: push audio as fast as the STT's `catch_up_speed` lets it out, 20 times real time by default. The words
                of the turns, their order and what the server makes of pauses are the same, since all of it is counted
                in audio. Delays mean nothing then, and assertions about them raise a ValueError.
            conn_options: of the stream.
        """
        owner = stt or self.stt(**({"catch_up_speed": FAST_SPEED} if fast else {}))
        call = StreamCall(self._voice, owner, owner.stream(conn_options=conn_options), fast=fast)
        self._heard.append(call.heard)
        try:
            yield call
        finally:
            await call.aclose()
            if stt is None:
                await owner.aclose()

    @contextlib.asynccontextmanager
    async def conversation(
        self,
        session: AgentSession[Any] | Callable[[STT], AgentSession[Any]],
        agent: Agent | Callable[[STT], Agent],
        *,
        stt: STT | None = None,
        speaker: Speaker | None = None,
    ) -> AsyncIterator[Conversation]:
        """A session with an agent, started and closed, in real time: its own delays are counted by the clock.

        Args:
            session: the session, or a function that makes it for an STT.
            agent: the agent, or a function that makes it for an STT.
            stt: the STT whose turns are noted; by default a new one, for which the session and the agent are made. Give
                yours if the session was made before.
            speaker: plays what the session's TTS says, in real time, so that it can be interrupted. By default the
                agent answers in text, and its TTS is not asked.

        Raises:
            ValueError: the session was made before, and `stt`, whose turns are to be noted, is not given.
        """
        if stt is None and isinstance(session, AgentSession):
            raise ValueError("conversation() needs the session's stt=, or a function that makes the session for one")
        owner = stt or self.stt()
        async with utils.http_context.open():
            made = session if isinstance(session, AgentSession) else session(owner)
            with_agent = agent if isinstance(agent, Agent) else agent(owner)
            call = Conversation(self._voice, owner, made, with_agent, speaker)
            self._heard.append(call.heard)
            try:
                await call.start()
                yield call
            finally:
                await call.aclose()
                if stt is None:
                    await owner.aclose()


def _plan(plan: FaultPlan | str) -> FaultPlan:
    return fault(plan) if isinstance(plan, str) else plan
