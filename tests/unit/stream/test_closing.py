"""The end of the input, and closing in each state, after which nothing is left.

Each `closing_...` is a way to get to such a state.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.server import Faults, LocalServer, Script, say
from support.calls import Call, calling, silent_frame, talking
from support.peers import counted_session, web_peer
from support.script import SAYS_NOTHING, START, end, playing, update
from support.waiting import until


async def test_the_end_of_the_input_brings_what_the_server_still_held() -> None:
    script = Script([say(0.1, START), say(5, update("held")), say(5, end("held back"))])
    async with LocalServer(script=script, record=True) as server, calling(server) as call:
        call.push(0.2)
        call.stream.end_input()
        await call.over()
        assert server.connections[0].commands == ['{"type": "close"}']
    assert call.log == ["START", "INTERIM held", "FINAL held back", "END"]


async def test_the_end_does_not_wait_for_ever_for_a_server_that_never_closes() -> None:
    script = Script([say(0.1, START), say(0.1, update("a")), say(5, update("a b"))])
    faults = Faults(never_close=True)
    async with LocalServer(script=script, faults=faults) as server, calling(server) as call:
        call.push(0.2)
        call.stream.end_input()
        started = time.monotonic()
        await call.over(within_s=7)
        assert 4 < time.monotonic() - started < 6.5
        await until(lambda: server.open_streams == 0)
    assert call.log == ["START", "INTERIM a", "INTERIM a b", "FINAL a b", "END"]
    assert call.raised is None


async def test_nothing_can_be_pushed_after_the_end() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        call.stream.end_input()
        with pytest.raises(RuntimeError, match="input ended"):
            call.push(0.1)


async def closing_fresh(_: LocalServer, __: Call) -> None:
    return


async def closing_connected(server: LocalServer, call: Call) -> None:
    await until(lambda: call.named("connected"))


async def closing_in_a_turn(server: LocalServer, call: Call) -> None:
    call.push(0.2)
    await until(lambda: "START" in call.log)


async def closing_with_a_backlog(server: LocalServer, call: Call) -> None:
    call.push(60)
    await until(lambda: call.stream.stats.sent_s > 0)


async def closing_while_draining(server: LocalServer, call: Call) -> None:
    server.faults = Faults(never_close=True)
    await server.drop_all(1011)
    call.push(0.2)
    call.stream.end_input()
    await until(lambda: server.connections[-1].commands)


async def closing_while_connecting(server: LocalServer, call: Call) -> None:
    server.faults = Faults(handshake_delay_s=0.7)
    await server.drop_all(1001)
    call.push(0.1)
    await until(lambda: call.named("disconnected"))


async def closing_without_a_greeting(server: LocalServer, call: Call) -> None:
    server.faults = Faults(no_connected=True)
    await server.drop_all(1001)
    call.push(0.1)
    await until(lambda: len(server.connections) == 2)


async def closing_while_backing_off(server: LocalServer, call: Call) -> None:
    server.faults = Faults(status=503)
    await server.drop_all(1011)
    call.push(0.1)
    await until(lambda: len(call.named("connection_error")) == 2)


async def closing_over(server: LocalServer, call: Call) -> None:
    call.stream.end_input()
    await call.over()


async def closing_failed(server: LocalServer, call: Call) -> None:
    server.faults = Faults(status=401)
    await server.drop_all(1001)
    call.push(0.1)
    await call.over()


@pytest.mark.parametrize(
    "state",
    [
        closing_fresh,
        closing_connected,
        closing_in_a_turn,
        closing_with_a_backlog,
        closing_while_draining,
        closing_while_connecting,
        closing_without_a_greeting,
        closing_while_backing_off,
        closing_over,
        closing_failed,
    ],
)
@pytest.mark.parametrize("own_session", [True, False])
async def test_closing_takes_less_than_a_second_and_leaves_no_task_and_no_socket(
    state: Callable[[LocalServer, Call], Any], own_session: bool
) -> None:
    async with LocalServer(script=playing(START, update("a")), record=True) as server:
        async with counted_session() as (session, sockets):
            before = asyncio.all_tasks()
            async with calling(server, http_session=session if own_session else None) as call:
                if state is not closing_fresh:
                    await until(lambda: call.named("connected"))
                await state(server, call)
                started = time.monotonic()
                await call.stream.aclose()
                assert time.monotonic() - started < 1
            await until(lambda: not plugin_tasks(before))
            await until(lambda: server.open_streams == 0 and sockets.open == 0)
            assert not session.closed
        assert all(record.closed_s for record in server.connections)


def plugin_tasks(before: set[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
    """Tasks that are new and are not the server's."""
    return [task for task in asyncio.all_tasks() - before if "aiohttp" not in repr(task) and "server" not in repr(task)]


async def test_closing_at_any_moment_is_quick() -> None:
    async with LocalServer(script=playing(START, update("a"), end("the end"))) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        for moment in range(60):
            async with talking(owner) as call:
                call.push(0.2)
                for _ in range(moment):
                    await asyncio.sleep(0)
                started = time.monotonic()
                await call.stream.aclose()
                assert time.monotonic() - started < 1
        await until(lambda: server.open_streams == 0)


async def test_a_session_that_was_passed_in_serves_on() -> None:
    async with LocalServer(script=playing(START, end("the end"))) as server, aiohttp.ClientSession() as session:
        for _ in range(2):
            async with calling(server, http_session=session) as call:
                call.push(0.2)
                await until(lambda: "END" in call.log)
        assert not session.closed


async def test_a_peer_that_reads_nothing_can_be_left() -> None:
    tested = asyncio.Event()

    async def ignore(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_str('{"type": "connected"}')
        await tested.wait()
        return ws

    async with web_peer(ignore) as url, counted_session() as (session, sockets):
        owner = cartesia_turns.STT(base_url=url, api_key="k", http_session=session, sample_rate=48000)
        async with talking(owner) as call:
            await until(lambda: call.named("connected"))
            flood(call)
            started = time.monotonic()
            await call.stream.aclose()
            assert time.monotonic() - started < 1
            await until(lambda: sockets.open == 0, within_s=1)
        tested.set()


def flood(call: Call) -> None:
    for _ in range(30):
        call.stream.push_frame(silent_frame(10, rate=48000))
