"""Point 8: a connection is there before the first audio, one for each stream, and none is left behind."""

from __future__ import annotations

import pytest
from livekit.agents import Agent, utils
from livekit.plugins.cartesia_turns.net import prewarming as warm
from livekit.plugins.cartesia_turns.server import Faults, LocalServer
from support.conversation import conversation, stt_for
from support.stage import Stage
from support.waiting import eventually


async def test_a_sessions_first_stream_takes_the_prewarmed_connection_over() -> None:
    async with conversation() as talk:
        await talk.turn("hello")
        await talk.answered()
        assert len(talk.server.handshakes) == 1
        assert talk.stt.stats.connections == 1


async def test_the_first_audio_waits_for_no_handshake() -> None:
    async with utils.http_context.open(), LocalServer(responder=Stage(), record=True) as server:
        stt = stt_for(server)
        stt.prewarm()
        await eventually(lambda: server.open_streams)
        handshakes = len(server.handshakes)
        async with stt.stream() as stream:
            stream.push_frame(utils.audio.silence_frame(0.1, 16000))
            await eventually(lambda: server.connections[0].audio)
            assert len(server.handshakes) == handshakes == 1
        await stt.aclose()


async def test_a_stream_that_begins_while_it_is_being_opened_waits_for_it() -> None:
    faults = Faults(handshake_delay_s=0.2)
    async with utils.http_context.open(), LocalServer(responder=Stage(), record=True, faults=faults) as server:
        stt = stt_for(server)
        stt.prewarm()
        async with stt.stream() as stream:
            stream.push_frame(utils.audio.silence_frame(0.1, 16000))
            await eventually(lambda: server.connections and server.connections[0].audio)
            assert len(server.handshakes) == 1
        await stt.aclose()


async def test_prewarming_again_and_again_opens_one_connection() -> None:
    async with utils.http_context.open(), LocalServer(responder=Stage()) as server:
        stt = stt_for(server)
        for _ in range(3):
            stt.prewarm()
        await eventually(lambda: server.open_streams)
        async with stt.stream():
            stt.prewarm()
            await eventually(lambda: stt.stats.connections)
            assert len(server.handshakes) == 1
        await stt.aclose()


async def test_a_connection_that_nobody_takes_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "KEEP_S", 0.1)
    async with utils.http_context.open(), LocalServer(responder=Stage()) as server:
        stt = stt_for(server)
        stt.prewarm()
        await eventually(lambda: server.handshakes)
        await eventually(lambda: not server.open_streams)
        async with stt.stream() as stream:
            stream.push_frame(utils.audio.silence_frame(0.1, 16000))
            await eventually(lambda: server.open_streams == 1)
        await stt.aclose()


async def test_one_that_the_server_closed_meanwhile_costs_no_audio() -> None:
    async with utils.http_context.open(), LocalServer(responder=Stage(), record=True) as server:
        stt = stt_for(server)
        stt.prewarm()
        await eventually(lambda: server.open_streams)
        await server.drop_all()
        async with stt.stream() as stream:
            stream.push_frame(utils.audio.silence_frame(0.1, 16000))
            await eventually(lambda: server.connections[-1].audio_bytes == 3200)
        await stt.aclose()


async def test_keyterms_of_the_session_that_come_after_it_began_are_in_it() -> None:
    async with conversation(stt_context_options={"keyterms": ["Ink-2"]}) as talk:
        assert [pair for pair in talk.server.connections[0].query if pair[0] == "keyterm"] == [("keyterm", "Ink-2")]
        assert len(talk.server.handshakes) == 1


async def test_a_handoff_needs_no_second_connection() -> None:
    async with conversation() as talk:
        second = Agent(instructions="")
        talk.session.update_agent(second)
        await eventually(lambda: talk.session.current_agent is second)
        await talk.turn("hello")
        await talk.answered()
        assert len(talk.server.handshakes) == 1


@pytest.mark.parametrize("faults", [Faults(status=503), Faults(refuse=True)], ids=["503", "refused"])
async def test_a_failure_is_the_streams_to_report(faults: Faults) -> None:
    async with utils.http_context.open(), LocalServer(responder=Stage(), faults=[faults]) as server:
        stt = stt_for(server)
        stt.prewarm()
        async with stt.stream() as stream:
            stream.push_frame(utils.audio.silence_frame(0.1, 16000))
            await eventually(lambda: stt.stats.connections == 1)
        await stt.aclose()


async def test_without_a_loop_or_a_job_it_does_nothing() -> None:
    async with LocalServer(responder=Stage()) as server:
        stt = stt_for(server)
        stt.prewarm()
        async with stt.stream():
            await eventually(lambda: stt.stats.connections)
            assert len(server.handshakes) == 1
        await stt.aclose()


async def test_closing_the_stt_closes_it() -> None:
    async with utils.http_context.open(), LocalServer(responder=Stage()) as server:
        stt = stt_for(server)
        stt.prewarm()
        await eventually(lambda: server.open_streams)
        await stt.aclose()
        await eventually(lambda: not server.open_streams)
