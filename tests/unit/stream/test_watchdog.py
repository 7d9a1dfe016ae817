"""Silence that is sent where audio stops in the middle of a turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.server import LocalServer, Script, say
from support.calls import calling
from support.script import SAYS_NOTHING, START, end, playing, update
from support.waiting import holds, until


async def test_silence_is_sent_in_mid_turn_until_the_turn_ends_and_not_before_nor_after(
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = Script([say(0.2, START), say(1.2, end("a"))])
    async with LocalServer(script=script) as server, calling(server, watchdog_min_timeout=0.5) as call:
        call.push(0.1)
        await holds(lambda: call.stream.stats.silent_s == 0, for_s=1.0)
        call.push(0.1)
        await until(lambda: "START" in call.log)
        await holds(lambda: call.stream.stats.silent_s == 0, for_s=0.25)
        await until(lambda: "END" in call.log)
        sent_s = call.stream.stats.sent_s
        assert call.stream.stats.silent_s == pytest.approx(sent_s - 0.2)
        await holds(lambda: call.stream.stats.sent_s == sent_s, for_s=0.4)
        assert server.connections[0].audio_s == pytest.approx(sent_s, abs=0.01)
        await until(lambda: call.usage_s == pytest.approx(sent_s, abs=0.01))
    assert call.log == ["START", "FINAL a", "END"]
    assert sum("sending silence" in record.message for record in caplog.records) == 1


async def test_no_silence_is_sent_while_audio_flows_in_mid_turn() -> None:
    async with LocalServer(script=playing(START)) as server, calling(server, watchdog_min_timeout=0.5) as call:
        call.push(0.2)
        await until(lambda: "START" in call.log)
        for _ in range(100):
            call.push(0.05)
            await asyncio.sleep(0.03)  # audio that flows
        assert call.stream.stats.silent_s == 0


async def test_a_turn_that_silence_does_not_end_is_closed_from_what_is_known() -> None:
    script = Script([say(0.1, START), say(0.1, update("half a")), say(99, end("the end"))])
    arguments: dict[str, Any] = {"watchdog_min_timeout": 0.1, "turn_end_timeout_ms": 640}
    async with LocalServer(script=[script, SAYS_NOTHING]) as server, calling(server, **arguments) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
        assert call.log == ["START", "INTERIM half a", "FINAL half a", "END"]
        assert call.stream.stats.turns_closed_by_us == 1
        assert 1.6 <= call.stream.stats.silent_s < 2.5
        call.push(0.2)
        await until(lambda: len(server.connections) == 2)
        assert call.log[-1] == "END"
