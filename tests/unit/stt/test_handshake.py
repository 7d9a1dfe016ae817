"""What goes into the handshake."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from livekit.agents import APIConnectionError, APIConnectOptions, APITimeoutError
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.server import LocalServer
from support.calls import calling, talking
from support.script import SAYS_NOTHING
from support.waiting import until


@pytest.mark.parametrize(
    "form",
    [
        "http://127.0.0.1:{port}",
        "http://127.0.0.1:{port}/",
        "ws://127.0.0.1:{port}",
        "http://localhost:{port}",
        "ws://127.0.0.1:{port}/stt/turns/websocket",
        "http://127.0.0.1:{port}/stt/turns/websocket/",
    ],
)
async def test_the_address_is_taken_in_any_form(form: str) -> None:
    async with LocalServer(script=SAYS_NOTHING) as server:
        url = form.format(port=server.url.rpartition(":")[2])
        async with calling(server, via=url) as call:
            await until(lambda: call.named("connected"))


async def test_the_handshake_carries_key_version_headers_and_options() -> None:
    async with (
        LocalServer(script=SAYS_NOTHING) as server,
        calling(
            server,
            extra_headers={"X-Mine": "yes"},
            api_version="2026-09-09",
            keyterm=["Ada Lovelace", "C++ & C#", "naïve"],
            turn_end_threshold=0.3,
            turn_end_timeout_ms=1000,
            sample_rate=8000,
        ) as call,
    ):
        await until(lambda: call.named("connected"))
        record = server.connections[0]
    assert (record.headers["X-Mine"], record.headers["Cartesia-Version"]) == ("yes", "2026-09-09")
    assert record.query == [
        ("model", "ink-2"),
        ("encoding", "pcm_s16le"),
        ("sample_rate", "8000"),
        ("keyterm", "Ada Lovelace"),
        ("keyterm", "C++ & C#"),
        ("keyterm", "naïve"),
        ("turn_end_threshold", "0.3"),
        ("turn_end_timeout_ms", "1000"),
    ]


async def test_the_default_version_is_the_one_whose_errors_are_json() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        await until(lambda: call.named("connected"))
        assert server.connections[0].headers["Cartesia-Version"] == "2026-03-01"


async def test_the_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with LocalServer(script=SAYS_NOTHING) as server:
        monkeypatch.setenv("CARTESIA_API_KEY", server.key)
        async with talking(cartesia_turns.STT(base_url=server.url)) as call:
            await until(lambda: call.named("connected"))


async def test_a_token_goes_out_as_bearer_and_no_key_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "the wrong one")
    async with LocalServer(script=SAYS_NOTHING) as server:
        async with talking(cartesia_turns.STT(base_url=server.url, access_token=server.key)) as call:
            await until(lambda: call.named("connected"))
        assert "X-API-Key" not in server.connections[0].headers


async def test_a_token_function_is_asked_at_each_connect() -> None:
    asked: list[int] = []
    async with LocalServer(script=SAYS_NOTHING) as server:

        async def token() -> str:
            asked.append(1)
            return server.key

        async with calling(server, api_key=None, access_token=token) as call:
            await until(lambda: len(call.named("connected")) == 1)
            await server.drop_all(1001)
            call.push(0.1)
            await until(lambda: len(call.named("connected")) == 2)
    assert len(asked) == 2


async def test_a_token_function_that_fails_is_asked_again_and_its_error_stays_unsaid(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    outcomes: list[Callable[[], str]] = []
    async with LocalServer(script=SAYS_NOTHING) as server:
        outcomes += [lambda: server.key, lambda: {"token": ""}["no token"], lambda: str(int("the secret"))]

        async def token() -> str:
            return outcomes.pop()()

        async with calling(server, api_key=None, access_token=token) as call:
            await until(lambda: call.named("connected"))
    failures = call.named("connection_error")
    assert len(failures) == 2
    assert all(isinstance(event.error, APIConnectionError) and event.error.retryable for event in failures)
    assert "ValueError" in str(failures[0].error)
    assert "secret" not in f"{failures} {caplog.text}"


async def test_a_token_function_that_never_answers_counts_as_a_timeout() -> None:
    async def token() -> str:
        await asyncio.Event().wait()
        return ""

    async with LocalServer(script=SAYS_NOTHING) as server:
        options = APIConnectOptions(timeout=0.05, max_retry=0)
        async with calling(server, conn_options=options, api_key=None, access_token=token) as call:
            await call.over()
    assert isinstance(call.raised, APITimeoutError)
