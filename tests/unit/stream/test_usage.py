"""The audio that is reported as usage."""

from __future__ import annotations

import pytest
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.server import Faults, LocalServer, Script, say
from support.calls import calling, talking
from support.script import SAYS_NOTHING, START, end, playing, update
from support.waiting import until


async def test_usage_is_the_audio_sent_silence_and_replay_included() -> None:
    scripts = [playing(START, update("a")), Script([say(0.2, START), say(0.9, end("a b"))])]
    async with LocalServer(script=scripts) as server, calling(server, watchdog_min_timeout=0.1) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await server.drop_all(1011)
        await until(lambda: "END" in call.log)
        await until(lambda: call.usage_s == pytest.approx(call.stream.stats.sent_s))
        stats = call.stream.stats
        heard_s = sum(record.audio_s for record in server.connections)
    assert call.usage_s == pytest.approx(heard_s, abs=0.25)
    assert stats.replayed_s == pytest.approx(0.2, abs=0.15)
    assert stats.silent_s == pytest.approx(stats.sent_s - 0.4, abs=0.2)


async def test_usage_is_reported_while_a_turn_goes_on_and_when_the_stream_ends() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        call.push(0.5)
        await until(lambda: call.usage_s == 0.5, within_s=7)
        call.push(0.25)
        call.stream.end_input()
        await call.over()
    assert call.usage_s == 0.75


async def test_a_stream_that_was_refused_reports_no_usage() -> None:
    async with LocalServer(script=SAYS_NOTHING, faults=Faults(status=401)) as server, calling(server) as call:
        call.push(1)
        await call.over()
    assert call.usage_s == 0


async def test_a_stream_that_is_closed_reports_what_it_sent() -> None:
    heard: list[float] = []
    async with LocalServer(script=SAYS_NOTHING) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        owner.on("metrics_collected", lambda metrics: heard.append(metrics.audio_duration))
        async with talking(owner) as call:
            call.push(0.5)
            await until(lambda: server.connections and server.connections[0].audio_s == 0.5)
    assert sum(heard) == 0.5


@pytest.mark.newest
async def test_a_call_that_is_cut_off_in_mid_turn_tells_another_call_on_the_same_stt_nothing() -> None:
    async with LocalServer(script=[playing(START, update("well")), SAYS_NOTHING]) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: call.log == ["START", "INTERIM well"])
        async with talking(call.stt) as other:
            await until(lambda: len(other.named("connected")) == 1)
            await call.stream.aclose()
            other.push(0.2)
            other.stream.end_input()
            await other.over()
            assert other.log == []
