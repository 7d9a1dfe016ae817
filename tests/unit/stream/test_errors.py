"""Whatever happens, only an APIError leaves."""

from __future__ import annotations

import asyncio
import gc

import aiohttp
import pytest
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, utils
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns import Cause, UnreachableError
from livekit.plugins.cartesia_turns.core import feed as feed_module
from livekit.plugins.cartesia_turns.net import connection as connection_module
from livekit.plugins.cartesia_turns.net.connection import Connection
from livekit.plugins.cartesia_turns.server import Faults, LocalServer
from livekit.plugins.cartesia_turns.wire.messages import ServerMessage
from support.calls import RATE, Call, calling, talking
from support.exposed import exposed
from support.peers import ForwardProxy, tcp_peer
from support.script import SAYS_NOTHING, START, playing, update
from support.waiting import until


async def failure(call: Call) -> APIError:
    """What a stream ends with; it is an APIError, told once as one that the framework need not retry."""
    await call.over()
    assert isinstance(call.raised, APIError), repr(call.raised)
    assert not call.raised.retryable
    assert [error.recoverable for error in call.errors] == [False]
    return call.raised


async def test_outside_a_job_the_proxy_that_the_environment_names_is_used_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    proxy = ForwardProxy(refusal=refusal)
    async with tcp_peer(proxy) as proxy_url:
        monkeypatch.setenv("HTTPS_PROXY", proxy_url)
        async with talking(cartesia_turns.STT(base_url="https://cartesia.test", api_key="k-secret")) as call:
            await call.over()
    assert isinstance(call.raised, UnreachableError)
    assert (call.raised.cause, call.raised.status_code) == (Cause.PROXY, 407)
    assert [event.cause for event in call.named("connection_error")] == ["proxy"]
    assert [head.split("\r\n")[0] for head in proxy.heard] == ["CONNECT cartesia.test:443 HTTP/1.1"]


async def test_in_a_job_the_jobs_own_session_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = ForwardProxy()
    async with (
        tcp_peer(proxy) as proxy_url,
        LocalServer(script=SAYS_NOTHING) as server,
        utils.http_context.open() as session,
    ):
        monkeypatch.setenv("HTTP_PROXY", proxy_url)
        async with calling(server) as call:
            await until(lambda: server.connections)
            assert not session.closed
            assert not call.errors
        assert not session.closed
    assert not proxy.heard


async def test_a_closed_session_is_an_api_error() -> None:
    session = aiohttp.ClientSession()
    await session.close()
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server, http_session=session) as call:
        await failure(call)


async def test_a_session_that_is_closed_in_mid_turn_is_an_api_error() -> None:
    session = aiohttp.ClientSession()
    script = playing(START, update("a"))
    async with LocalServer(script=script) as server, calling(server, http_session=session) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await session.close()
        await failure(call)
    assert call.log == ["START", "INTERIM a", "FINAL a", "END"]


@pytest.mark.parametrize("error", [RuntimeError("secret"), KeyError("secret"), ValueError("secret"), OSError("secret")])
async def test_a_bug_in_the_parser_is_an_api_error_that_says_where_and_not_what(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: str) -> ServerMessage:
        raise error

    monkeypatch.setattr(connection_module, "parse", fail)
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        raised = await failure(call)
    said = [vars(record) for record in caplog.records]
    assert "secret" not in f"{exposed(raised)} {call.exposed} {said}"
    (report,) = [record for record in said if "where" in record]
    assert report["error"] == type(error).__name__
    assert report["where"].startswith("fail:")


@pytest.mark.parametrize("method", ["send_now", "receive", "close"])
@pytest.mark.parametrize("error", [RuntimeError(), TimeoutError(), asyncio.TimeoutError(), AssertionError()])
async def test_a_bug_in_the_connection_is_an_api_error(
    method: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_now(*_: object) -> None:
        raise error

    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Connection, method, fail_now if method == "send_now" else fail)
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: server.connections)
        await server.drop_all(1001)
        await failure(call)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        *((None, name) for name in ("push_audio", "tick", "receive", "outgoing", "pong", "take_events", "deadline")),
        ("live", "take"),
        ("sockets", "may_send"),
    ],
)
async def test_a_bug_in_the_client_is_an_api_error(
    part: str | None, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "USAGE_EVERY_S", 0.1)
    async with LocalServer(script=playing(START)) as server, calling(server) as call:
        await until(lambda: call.named("connected"))
        owner = type(getattr(call.stream._client, part) if part else call.stream._client)
        is_property = isinstance(getattr(owner, name), property)
        bug = lambda *_, **__: 1 / 0  # noqa: E731 - either way
        monkeypatch.setattr(owner, name, property(bug) if is_property else bug)
        call.push(0.2)
        await server.drop_all(1001)
        call.push(0.2)
        call.stream._driver._step()
        await failure(call)


@pytest.mark.parametrize("step", ["failed", "report_usage", "closed", "events"])
async def test_a_bug_at_the_end_of_a_stream_that_fails_keeps_nothing_from_ending(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with LocalServer(script=playing(START, update("a"))) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        monkeypatch.setattr(type(call.stream._client), "receive", lambda *_: 1 / 0)
        part = call.stream._client if step == "report_usage" else call.stream._reporter
        monkeypatch.setattr(type(part), step, lambda *_: 1 / 0)
        await server.drop_all(1011)
        call.push(0.2)
        await failure(call)
        assert call.stream._is_over
        await until(lambda: server.open_streams == 0)


async def test_a_frame_that_is_none_is_an_api_error() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        call.stream._input_ch.send_nowait(rtc.AudioFrame(b"", RATE, 0, 0))
        await failure(call)


async def test_a_send_that_is_cancelled_is_an_api_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancelled(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(Connection, "_sending", cancelled)
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        call.push(0.2)
        await failure(call)


async def test_an_address_where_nobody_listens_is_an_api_error() -> None:
    async def nobody(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        return

    async with tcp_peer(nobody) as url:
        pass
    async with talking(
        cartesia_turns.STT(base_url=url, api_key="k"), conn_options=APIConnectOptions(max_retry=0, timeout=0.3)
    ) as call:
        await failure(call)


async def test_no_exception_is_left_for_the_event_loop_to_log(caplog: pytest.LogCaptureFixture) -> None:
    for code in (1000, 1011, None):
        faults = [Faults(drop_at_s=0.1, drop_code=code)]
        async with LocalServer(script=playing(START), faults=faults) as server, calling(server) as call:
            for _ in range(10):
                call.push(0.05)
                await asyncio.sleep(0)
            await until(lambda: len(server.connections) == 2)
    gc.collect()
    assert not [record for record in caplog.records if record.name == "asyncio" or record.exc_info]
