"""In a turn the alarm is set to when silence would be due, and as a rule audio has come by then."""

from __future__ import annotations

import asyncio

import pytest
from livekit.plugins.cartesia_turns.net.alarm import Alarm
from livekit.plugins.cartesia_turns.net.sender import Sender
from livekit.plugins.cartesia_turns.server import LocalServer
from support.calls import calling
from support.script import START, playing
from support.waiting import until


async def test_an_alarm_that_comes_while_audio_flows_only_sets_itself_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    rings, sends = [0], [0]
    ring, send = Alarm._go_off, Sender.send_waiting

    def ringing(alarm: Alarm) -> None:
        rings[0] += 1
        ring(alarm)

    def sending(sender: Sender) -> None:
        sends[0] += 1
        send(sender)

    async with LocalServer(script=playing(START)) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "START" in call.log)
        monkeypatch.setattr(Alarm, "_go_off", ringing)
        call.push(0.02)
        await asyncio.sleep(0)
        monkeypatch.setattr(Sender, "send_waiting", sending)
        for _ in range(60):
            call.push(0.02)
            await asyncio.sleep(0.02)
        assert rings[0] > sends[0]
        # The alarm still works: without audio the server gets silence, which ends the turn.
        await until(lambda: call.stream.stats.silent_s > 0)
    assert call.log[0] == "START"
