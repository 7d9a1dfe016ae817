"""A socket that is lost or dies, and what follows."""

from __future__ import annotations

import asyncio

import pytest
from livekit.agents import APIConnectOptions, APITimeoutError
from livekit.plugins.cartesia_turns.core import backoff as backoff_module
from livekit.plugins.cartesia_turns.core import liveness as liveness_module
from livekit.plugins.cartesia_turns.core import retry as retry_module
from livekit.plugins.cartesia_turns.errors import DroppedError
from livekit.plugins.cartesia_turns.server import Faults, LocalServer, Script, say
from support.calls import calling
from support.proxy import Proxy
from support.script import SAYS_NOTHING, START, end, playing, update
from support.waiting import holds, until

UPDATE = update("a")
END = end("a b")


async def test_a_socket_that_is_lost_in_mid_turn_is_told_as_an_error_that_costs_no_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry_module, "STEADY_AFTER_S", 0.0)
    scripts = [playing(START, UPDATE), playing(START, END)]
    async with LocalServer(script=scripts) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await server.drop_all(1011)
        await until(lambda: "END" in call.log)
    told = call.named("connection_error")
    assert [(type(event.error), event.retry_in_s) for event in told] == [(DroppedError, 0.0)]
    assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]


async def test_a_socket_that_is_lost_between_turns_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_module, "STEADY_AFTER_S", 0.0)
    async with LocalServer(script=[playing(START, END), SAYS_NOTHING]) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
        await server.drop_all(1001)
        call.push(0.2)
        await until(lambda: len(call.named("connected")) == 2)
        assert len(call.named("disconnected")) == 1
        assert not call.named("connection_error")


@pytest.fixture
def soon_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that does not answer is dead after 0.4 s, one that served for 0.3 s a success; 0.3 s are long."""
    monkeypatch.setattr(liveness_module, "PING_EVERY_S", 0.1)
    monkeypatch.setattr(liveness_module, "DEAD_AFTER_S", 0.4)
    monkeypatch.setattr(retry_module, "DEAD_AFTER_S", 0.4)
    monkeypatch.setattr(retry_module, "STEADY_AFTER_S", 0.3)
    monkeypatch.setattr(backoff_module, "LATER_DELAY_S", 0.3)


@pytest.mark.usefixtures("soon_dead")
async def test_servers_that_die_long_after_each_other_do_not_add_up() -> None:
    options = APIConnectOptions(max_retry=1)
    async with (
        LocalServer(script=SAYS_NOTHING) as server,
        Proxy(server.url) as proxy,
        calling(server, via=proxy.url, conn_options=options) as call,
    ):
        for deaths in range(3):
            call.push(0.1)
            await until(lambda deaths=deaths: len(call.named("connected")) > deaths)  # type: ignore[misc]
            await holds(lambda: not call.is_over, for_s=0.5)
            proxy.freeze()
            await until(lambda deaths=deaths: call.stream.stats.dead_peers > deaths)  # type: ignore[misc]
        call.push(0.1)
        await until(lambda: len(call.named("connected")) == 4)
        assert [event.retry_in_s < 0.2 for event in call.named("connection_error")] == [True] * 3


@pytest.mark.usefixtures("soon_dead")
async def test_servers_that_die_one_after_the_other_surface() -> None:
    options = APIConnectOptions(max_retry=1)
    server = LocalServer(script=SAYS_NOTHING, faults=Faults(half_open_at_s=0.0))
    async with server, calling(server, conn_options=options) as call:
        call.speak(0.2)
        await call.over()
        assert len(server.handshakes) == 2
    assert isinstance(call.raised, APITimeoutError)


@pytest.mark.parametrize("ends_input", [True, False])
async def test_each_connected_has_its_disconnected_however_the_stream_ends(*, ends_input: bool) -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: call.named("connected"))
        assert not call.named("disconnected")
        if ends_input:
            call.stream.end_input()
            await call.over()
        else:
            await call.stream.aclose()
        assert [event.request_id for event in call.named("disconnected")] == [call.named("connected")[0].request_id]
        assert call.named("disconnected")[0].reason


async def test_each_connected_has_its_disconnected_in_whatever_step_the_stream_is_closed_after_a_drop() -> None:
    async with LocalServer(script=playing(START)) as server:
        for steps in range(40):
            async with calling(server) as call:
                call.push(0.2)
                await until(lambda call=call: call.log)  # type: ignore[misc]
                dropping = asyncio.create_task(server.drop_all(1011))
                for _ in range(steps):
                    await asyncio.sleep(0)
                await call.stream.aclose()
                await dropping
            # The next socket may have ended before its `connected`.
            assert len(call.named("connected")) <= len(call.named("disconnected")), f"after {steps} steps"


async def test_text_with_which_the_next_servers_turn_begins_has_silence_sent_if_the_audio_stops_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry_module, "STEADY_AFTER_S", 0.0)
    scripts = [playing(START, UPDATE), Script([say(1.0, update("a b"))])]
    async with LocalServer(script=scripts) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await server.drop_all(1011)
        await until(lambda: len(call.named("connected")) == 2)
        for _ in range(100):
            call.push(0.02)
            await asyncio.sleep(0.02)
            if "INTERIM a b" in call.log:
                break
        assert call.log == ["START", "INTERIM a", "INTERIM a b"]
        await until(lambda: call.stream.stats.silent_s > 0, within_s=2.0)
