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
    """A `LocalServer` for tests: it recognizes the words of the test's caller, without a recognizer or a key.

        async with ScriptedServer() as server, server.conversation(make_session, make_agent) as call:
            await call.play(say("what time", pause=0.4), say("is it"))
            reply = await call.reply()
            call.heard.assert_turns("what time is it")

    In a test use the fixture `cartesia_turns_server`: the report of a failed test then lists what happened in the call.

    Args:
        faults: the faults to inject: a name from `PASSING_FAULTS` or `LASTING_FAULTS`, or your own plan.
            `server.faults` can be set at any time, and applies to new connections.
        vendor: Cartesia's limits and defaults, as for `LocalServer`.
        key: the only accepted key; by default a random one.
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
        """The faults of new connections; can be set to a name or a plan at any time."""
        return self._endpoint.faults

    @faults.setter
    def faults(self, plan: FaultPlan | str) -> None:
        self._endpoint.faults = _plan(plan)

    @property
    def report(self) -> str:
        """What has happened in each call so far."""
        return "\n\n".join(map(str, self._heard))

    def stt(self, **options: Any) -> STT:
        """Returns an STT that connects to this server. The options are those of `STT`."""
        return STT(**{"base_url": self.url, "api_key": self.key, **options})

    @contextlib.asynccontextmanager
    async def stream(
        self,
        stt: STT | None = None,
        *,
        fast: bool = False,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> AsyncIterator[StreamCall]:
        """Opens a stream without a session, and closes it at the end.

        Args:
            stt: the STT of the stream; by default a new one.
            fast: push audio as fast as the STT's `catch_up_speed` allows, 20 times real time by default. The turns are
                the same, since they depend only on the audio. But delays have no meaning, and assertions about them
                raise a ValueError.
            conn_options: the options of the stream.
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
        """Runs a session with an agent in real time, since a session measures its delays with the clock.

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
