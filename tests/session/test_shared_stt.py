"""One STT in two AgentSessions, as where a worker serves several rooms: what belongs to a call stays with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession, utils
from livekit.plugins.cartesia_turns import STT, turn_handling
from livekit.plugins.cartesia_turns.server import ConnectionRecord, LocalServer
from livekit.plugins.cartesia_turns.testing import FakeLLM, FakeTTS, Speaker
from livekit.plugins.cartesia_turns.wire.messages import ServerMessage
from support.calls import talking
from support.conversation import QUIET, Microphone, stt_for
from support.script import START, end
from support.stage import Stage
from support.waiting import eventually, holds

TIMEOUT = "turn_end_timeout_ms"
GIVEN = {"turn_eager_end_threshold": 0.5, "turn_end_threshold": 0.2, TIMEOUT: 5000}


@dataclass
class Room:
    """One session."""

    session: AgentSession[None]
    microphone: Microphone


@dataclass
class House:
    """Two sessions on one STT; each has a connection."""

    stt: STT
    server: LocalServer
    stage: Stage
    rooms: list[Room]

    async def hears(self, room: Room, *messages: ServerMessage) -> None:
        """The server answers a frame of this room."""
        turns = len(self.stage.said_at)
        self.stage.cue(*messages)
        room.microphone.push()
        await eventually(lambda: not self.stage.cues and len(self.stage.said_at) >= turns)


class Asking(Agent):
    """Asks for a number as soon as the session begins, with a profile of its own."""

    def __init__(self, stt: STT, profile: dict[str, float]) -> None:
        super().__init__(instructions="")
        self._shared, self._profile = stt, profile

    async def on_enter(self) -> None:
        with self._shared.turn_profile(**self._profile):  # type: ignore[arg-type]  # no name is among them
            await self.session.say("What is your order number?")


def terms(record: ConnectionRecord) -> list[str]:
    return [value for name, value in record.query if name == "keyterm"]


def told(record: ConnectionRecord) -> str:
    """All that a connection was asked for, from its query to its last config."""
    return f"{record.query} {record.commands}"


@asynccontextmanager
async def house(
    *keyterms: list[str], agents: Any = None, stt_options: dict[str, Any] | None = None
) -> AsyncIterator[House]:
    """Sessions under way, one for each list of keyterms, started one after the other."""
    stage = Stage()
    async with (
        utils.http_context.open(),
        LocalServer(responder=stage, record=True) as server,
        AsyncExitStack() as stack,
    ):
        shared = stt_for(server, **(stt_options or {}))
        stack.push_async_callback(shared.aclose)
        home = House(shared, server, stage, [])
        for number, own in enumerate(keyterms):
            session = AgentSession[None](
                llm=FakeLLM(),
                tts=FakeTTS(),
                stt=shared,
                vad=None,
                turn_handling=turn_handling(),
                aec_warmup_duration=None,
                stt_context_options={"keyterms": own},
            )
            room = Room(session, Microphone())
            session.input.audio, session.output.audio = room.microphone, Speaker()
            stack.push_async_callback(session.aclose)
            await session.start(agents(shared, number) if agents else Agent(instructions=""))
            home.rooms.append(room)
            await eventually(lambda: len(server.connections) > number)  # noqa: B023 - awaited within the loop
        yield home


async def test_each_session_has_its_own_keyterms_beside_the_users() -> None:
    async with house(["Ink"], ["Sonic"], stt_options={"keyterm": ["LiveKit"]}) as home:
        assert [terms(record) for record in home.server.connections] == [["LiveKit", "Ink"], ["LiveKit", "Sonic"]]


@pytest.mark.newest
async def test_keyterms_that_change_reach_their_session_alone() -> None:
    async with house(["Ink"], []) as home:
        home.rooms[1].session.update_options(keyterms=["Sonic"])
        for room in home.rooms:
            room.microphone.push(QUIET)
        await eventually(lambda: len(home.server.connections) == 3)
        assert [terms(record) for record in home.server.connections] == [["Ink"], [], ["Sonic"]]
        home.stt.update_options(keyterm=["LiveKit"])
        for room in home.rooms:
            room.microphone.push(QUIET)
        await eventually(lambda: len(home.server.connections) == 5)
        assert sorted(terms(record) for record in home.server.connections[3:]) == [
            ["LiveKit", "Ink"],
            ["LiveKit", "Sonic"],
        ]


@pytest.mark.newest
async def test_a_session_keeps_its_keyterms_from_one_agent_to_the_next() -> None:
    async with house(["Ink"], ["Sonic"]) as home:
        home.rooms[0].session.update_agent(Agent(instructions=""))
        await home.server.drop_all()
        await eventually(lambda: home.stt.stats.drops + home.stt.stats.idle_closes == 2)
        for room in home.rooms:
            room.microphone.push(QUIET)
        await eventually(lambda: len(home.server.connections) == 4)
        assert sorted(terms(record) for record in home.server.connections[2:]) == [["Ink"], ["Sonic"]]


@pytest.mark.newest
async def test_a_stream_outside_any_session_has_the_keyterms_of_none() -> None:
    async with house(["Ink"]) as home, talking(home.stt) as call:
        call.push(0.1)
        await eventually(lambda: len(home.server.connections) == 2)
        assert terms(home.server.connections[1]) == []
        home.rooms[0].session.update_options(keyterms=["Sonic"])
        home.rooms[0].microphone.push(QUIET)
        call.push(0.1)
        await eventually(lambda: len(home.server.connections) == 3)
        assert terms(home.server.connections[2]) == ["Sonic"]
        await holds(lambda: len(home.server.connections) == 3, for_s=0.2)


@pytest.mark.newest
async def test_a_profile_set_by_an_agent_holds_for_its_session_alone() -> None:
    def agent(stt: STT, number: int) -> Agent:
        return Asking(stt, {"end_timeout_ms": 900}) if number else Agent(instructions="")

    async with house([], [], agents=agent) as home:
        for room in home.rooms:
            room.microphone.push(QUIET)
        # With its first socket or as a config, by which comes first.
        await eventually(lambda: "900" in told(home.server.connections[1]))
        await home.hears(home.rooms[0], START, end("not me"))
        assert "900" not in told(home.server.connections[0])


async def test_a_profile_set_outside_the_sessions_holds_for_all_until_each_has_had_its_answer() -> None:
    async with house([], [], stt_options=GIVEN) as home:
        with home.stt.turn_profile(end_timeout_ms=900):
            for room in home.rooms:
                room.microphone.push(QUIET)
            await eventually(lambda: len(home.stage.configured) == 2)
            await home.hears(home.rooms[0], START, end("one"))
        for room in home.rooms:
            room.microphone.push(QUIET)
        await eventually(lambda: len(home.stage.configured) == 3)
        first, second = home.server.connections
        assert [len(first.commands), len(second.commands)] == [2, 1]
        await home.hears(home.rooms[1], START, end("two"))
        home.rooms[1].microphone.push(QUIET)
        await eventually(lambda: len(home.stage.configured) == 4)
        assert len(second.commands) == 2
        assert [turn.end_timeout_ms for turn in home.stage.configured] == [900, 900, 5000, 5000]
