"""Point 7: in a FallbackAdapter the plugin fails over on each failure, a hang among them, and comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from livekit.agents import stt
from livekit.plugins.cartesia_turns import STT
from livekit.plugins.cartesia_turns.server import Faults, LocalServer
from livekit.plugins.cartesia_turns.server.faults import FaultPlan
from support.conversation import QUIET, Conversation, conversation, stt_for
from support.script import START, end, update
from support.stage import Stage
from support.waiting import eventually

FAST: dict[str, Any] = {"attempt_timeout": 0.5, "max_retry_per_stt": 0, "retry_interval": 0.1}


@asynccontextmanager
async def two_servers(
    faults: FaultPlan, **options: Any
) -> AsyncIterator[tuple[Conversation, Stage, stt.FallbackAdapter]]:
    """A conversation whose first server has these faults, and the second server's stage."""
    stage = Stage()
    adapters: list[stt.FallbackAdapter] = []
    async with LocalServer(responder=stage) as second:
        backup = stt_for(second)

        def wrap(first: STT, _: LocalServer) -> stt.FallbackAdapter:
            adapters.append(stt.FallbackAdapter([first, backup], **FAST))
            return adapters[0]

        async with conversation(wrap=wrap, server_options={"faults": faults}, **options) as talk:
            yield talk, stage, adapters[0]
        await adapters[0].aclose()
        await backup.aclose()


async def said_on(talk: Conversation, stage: Stage, text: str) -> None:
    """The server behind this stage hears a turn, and the agent answers it."""
    stage.cue(START, update(text), end(text))
    talk.microphone.push()
    await eventually(lambda: not stage.cues)
    await eventually(lambda: talk.said[-1:] == [text])


@pytest.mark.parametrize(
    "faults",
    [
        Faults(status=401),
        Faults(status=503),
        Faults(refuse=True),
        Faults(no_connected=True),
        Faults(handshake_delay_s=5.0),
        Faults(garbage_at_s=0.0, garbage=['{"type": "error", "message": "no", "status_code": 500}']),
        Faults(drop_at_s=0.0),
    ],
    ids=["401", "503", "refused", "no connected", "slow handshake", "error in band", "dropped at once"],
)
async def test_it_fails_over_when_the_connection_fails(faults: Faults) -> None:
    async with two_servers(faults) as (talk, stage, _):
        await eventually(lambda: stage.requests)
        await said_on(talk, stage, "hello")
        await talk.answered()


async def test_it_fails_over_when_the_server_hangs_in_mid_turn() -> None:
    async with two_servers(Faults(), stt_options={"turn_end_timeout_ms": 640}) as (talk, stage, _):
        await eventually(lambda: talk.stage.requests)
        talk.stage.cue(START, update("well"))
        talk.microphone.push()
        await eventually(lambda: stage.requests, "the other server's stream")
        await talk.answered()
        assert talk.said == ["well"]
        await said_on(talk, stage, "hello again")


@pytest.mark.slow
async def test_it_fails_over_when_the_server_hangs_with_the_socket_open() -> None:
    async with two_servers(Faults(half_open_at_s=0.0)) as (talk, stage, _):
        talk.microphone.push(QUIET)
        await eventually(lambda: stage.requests)
        await said_on(talk, stage, "hello")


async def test_a_server_lost_in_mid_turn_costs_no_dangling_turn() -> None:
    async with two_servers(Faults()) as (talk, stage, _):
        await eventually(lambda: talk.stage.requests)
        talk.stage.cue(START, update("well"))
        talk.microphone.push()
        await eventually(lambda: talk.session.user_state == "speaking")
        talk.server.faults = Faults(refuse=True)
        await talk.server.drop_all()
        await eventually(lambda: talk.session.user_state == "listening")
        await eventually(lambda: stage.requests)
        await talk.answered()
        await said_on(talk, stage, "hello again")
        assert talk.said == ["well", "hello again"]


async def test_it_comes_back() -> None:
    # The adapter probes a server once, as soon as that fails.
    async with two_servers([Faults(status=503)] * 2) as (talk, stage, adapter):
        available: list[bool] = []
        adapter.on("stt_availability_changed", lambda event: available.append(event.available))
        await eventually(lambda: stage.requests and talk.stage.requests)
        talk.stage.cue(START, update("are you there"), end("are you there"))
        await talk.microphone.speak(0.2, QUIET)
        await eventually(lambda: True in available, "the first server's recovery")
        # The next stream is the first server's again.
        talk.session.clear_user_turn()
        await eventually(lambda: len(talk.stage.requests) == 2)
        await said_on(talk, talk.stage, "and back")
