"""In a turn the alarm is set to when silence would be due, and as a rule audio has come by then."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.net.driver import Driver
from livekit.plugins.cartesia_turns.net.sender import Sender
from livekit.plugins.cartesia_turns.server import LocalServer
from support.calls import calling
from support.script import START, playing
from support.waiting import until


async def test_an_alarm_that_comes_while_audio_flows_only_sets_itself_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    sends, steps = [0], list[int]()
    step, send = Driver._step, Sender.send_waiting

    def stepping(driver: Driver, *arguments: Any) -> None:
        before = sends[0]
        step(driver, *arguments)
        steps.append(sends[0] - before)

    def sending(sender: Sender) -> None:
        sends[0] += 1
        send(sender)

    monkeypatch.setattr(Driver, "_step", stepping)
    monkeypatch.setattr(Sender, "send_waiting", sending)
    async with LocalServer(script=playing(START)) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "START" in call.log)
        steps.clear()
        for _ in range(60):
            call.push(0.02)
            await asyncio.sleep(0.02)
        assert 0 in steps
        # The alarm still works: without audio, silence is sent.
        await until(lambda: call.stream.stats.silent_s > 0)
