"""How a stream connects, and how it ends without a connection."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from livekit.agents import APIConnectOptions, APITimeoutError
from livekit.plugins.cartesia_turns.server import Faults, LocalServer, Script, say
from livekit.plugins.cartesia_turns.wire.messages import ErrorMessage
from support.calls import calling
from support.proxy import Proxy, Welcome
from support.script import SAYS_NOTHING, START, end, playing, update
from support.waiting import until

UPDATE = update("a")
END = end("a b")


async def test_audio_goes_out_before_the_server_said_connected() -> None:
    async with LocalServer(script=SAYS_NOTHING, faults=Faults(no_connected=True)) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: server.connections and server.connections[0].audio_s == 0.2)
        assert not call.named("connected")


async def test_a_server_that_never_says_connected_is_tried_again() -> None:
    faults = [Faults(no_connected=True), Faults(no_connected=True)]
    options = APIConnectOptions(timeout=0.2)
    scripts = [SAYS_NOTHING, SAYS_NOTHING, playing(START, END)]
    async with LocalServer(script=scripts, faults=faults) as server, calling(server, conn_options=options) as call:
        call.speak(0.2)
        await until(lambda: "END" in call.log)
    failed = call.named("connection_error")
    assert [(type(event.error), event.error.retryable) for event in failed] == [(APITimeoutError, True)] * 2
    assert call.log == ["START", "FINAL a b", "END"]


async def test_audio_that_was_pushed_and_ended_before_the_socket_was_up_is_still_heard() -> None:
    faults = Faults(handshake_delay_s=0.2)
    async with LocalServer(script=playing(START, END), faults=faults) as server, calling(server) as call:
        call.push(0.2)
        call.stream.end_input()
        await call.over()
        assert server.connections[0].audio_s == 0.2
    assert call.log == ["START", "FINAL a b", "END"]
    assert call.raised is None


async def test_a_stream_that_never_had_audio_ends_at_once_when_its_input_does() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        call.stream.end_input()
        await call.over(within_s=1)
    assert (call.log, call.raised) == ([], None)


async def test_an_end_with_nothing_left_to_say_waits_for_no_pause() -> None:
    faults = Faults(status=429, status_headers={"Retry-After": "8"})
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server, calling(server) as call:
        await until(lambda: call.named("connection_error"))
        call.stream.end_input()
        await call.over(within_s=1)
    assert (call.log, call.raised) == ([], None)


async def test_an_end_with_nothing_left_to_say_waits_for_no_handshake() -> None:
    async with (
        LocalServer(script=SAYS_NOTHING) as server,
        Proxy(server.url) as proxy,
        calling(server, via=proxy.url) as call,
    ):
        proxy.welcome = [Welcome.IGNORE]
        await until(lambda: proxy.accepted)
        call.stream.end_input()
        await call.over(within_s=1)
        await until(lambda: not proxy.open_links)
    assert (call.log, call.raised) == ([], None)


@pytest.mark.parametrize("drops", [1, 3])
async def test_a_server_that_keeps_dropping_is_not_stormed(drops: int) -> None:
    faults = [Faults(drop_at_s=0.1, drop_code=1011)] * drops
    script = Script([say(0.1, START), say(0.1, UPDATE), say(0.2, END)])
    async with LocalServer(script=script, faults=faults) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log, within_s=30)
        times = [handshake.at_s for handshake in server.handshakes]
    assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]
    assert len(times) == drops + 1
    waits = [later - before for before, later in itertools.pairwise(times)]
    assert waits[0] < 0.5
    assert all(wait >= 0.99 for wait in waits[1:])


@pytest.mark.parametrize("code", [1000, 1001, 1011])
async def test_a_server_that_keeps_closing_an_idle_socket_is_not_stormed(code: int) -> None:
    faults = Faults(drop_at_s=0.0, drop_code=code)
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server, calling(server) as call:
        began = time.monotonic()
        for _ in range(50):
            call.push(0.02)
            await asyncio.sleep(0.02)  # audio that flows
        assert 1 < len(server.handshakes) <= 2 + (time.monotonic() - began)


@pytest.mark.parametrize("code", [1000, 1001, 1011])
async def test_a_server_that_keeps_closing_while_a_backlog_of_silence_waits_is_not_stormed(code: int) -> None:
    faults = Faults(drop_at_s=0.5, drop_code=code)
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server, calling(server) as call:
        call.push(5.0)
        await until(lambda: len(server.handshakes) == 3)
        times = [handshake.at_s for handshake in server.handshakes]
        assert times[2] - times[1] >= 0.99


async def test_an_error_for_the_speed_of_silence_is_no_reason_to_give_up() -> None:
    script = [playing(ErrorMessage("Too fast.", "Refused", 400)), SAYS_NOTHING]
    options = APIConnectOptions(max_retry=0)
    async with LocalServer(script=script) as server, calling(server, conn_options=options) as call:
        call.push(3.0)
        await until(lambda: len(call.named("connected")) == 2)
        assert [event.retry_in_s > 0 for event in call.named("connection_error")] == [True]
        assert not call.is_over


async def test_a_server_that_keeps_closing_a_socket_on_which_nobody_speaks_is_forgiven() -> None:
    faults = [Faults(drop_at_s=0.1, drop_code=1001)] * 3
    options = APIConnectOptions(max_retry=0)
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server, calling(server, conn_options=options) as call:
        while len(server.handshakes) < 4:
            call.push(0.02)
            await asyncio.sleep(0.02)  # audio that flows
        await until(lambda: len(call.named("connected")) == 4)
        assert not call.is_over
        assert (call.stream.stats.idle_closes, call.stream.stats.drops) == (3, 0)
