"""In a call, odd answers to a handshake are tried again."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns import ServerError
from livekit.plugins.cartesia_turns.core import backoff as backoff_module
from livekit.plugins.cartesia_turns.core import limiter as limiter_module
from livekit.plugins.cartesia_turns.server import Faults, LocalServer
from support.calls import calling
from support.proxy import Proxy, Welcome
from support.script import SAYS_NOTHING, START, end, playing, update
from support.waiting import until

UPDATE = update("a")
END = end("a b")


LOST_ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    b"Sec-WebSocket-Accept: bm90IGEgcmlnaHQgb25l\r\n\r\n"
)
ODD_ANSWERS = {
    "a page": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "a redirect": b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    "a wrong accept key": LOST_ACCEPT,
    "conflict": b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n",
    "too early": b"HTTP/1.1 425 Too Early\r\nContent-Length: 0\r\n\r\n",
    "a gateway's forbidden": b'HTTP/1.1 403 Forbidden\r\nContent-Length: 23\r\n\r\n{"message":"Forbidden"}',
    "the proxy's password": b"HTTP/1.1 407 X\r\nContent-Length: 0\r\n\r\n",
    "a date beyond time": b"HTTP/1.1 503 X\r\nRetry-After: Fri, 31 Dec 99999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n",
    "a wait of a year": b"HTTP/1.1 429 X\r\nRetry-After: 31536000\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("answer", ODD_ANSWERS)
async def test_an_odd_answer_to_the_next_handshake_does_not_end_a_call(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff_module, "PROBE_EVERY_S", 0.2)
    scripts = [playing(START, UPDATE), playing(START, END)]
    async with (
        LocalServer(script=scripts) as server,
        Proxy(server.url) as proxy,
        calling(server, via=proxy.url) as call,
    ):
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        proxy.welcome, proxy.answers = [Welcome.ANSWER], [ODD_ANSWERS[answer]]
        proxy.reset()
        await until(lambda: "END" in call.log)
        assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]
        assert not call.errors
        assert not proxy.answers


@pytest.mark.parametrize("answer", ["a page", "a redirect", "a wrong accept key", "conflict", "too early"])
async def test_an_odd_answer_to_the_first_handshake_surfaces_at_once(answer: str) -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, Proxy(server.url) as proxy:
        proxy.welcome, proxy.answers = [Welcome.ANSWER], [ODD_ANSWERS[answer]]
        async with calling(server, via=proxy.url) as call:
            await call.over()
    assert [event.retry_in_s for event in call.named("connection_error")] == [None]


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_the_servers_own_refusal_ends_a_call(status: int) -> None:
    faults = [Faults(drop_at_s=0.2), Faults(status=status)]
    async with LocalServer(script=playing(START, UPDATE), faults=faults) as server, calling(server) as call:
        call.push(0.2)
        await call.over()
        assert len(server.handshakes) == 2
    assert isinstance(call.raised, ServerError)
    assert call.raised.status_code == status
    assert call.log == ["START", "INTERIM a", "FINAL a", "END"]


async def test_a_healthy_call_outlives_the_429_of_another_one_with_its_key() -> None:
    scripts = [playing(START, UPDATE), playing(START, END), playing(START, END)]
    async with LocalServer(script=scripts) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        server.faults = Faults(status=429, status_headers={"Retry-After": "3600"})
        async with calling(server) as other:
            await other.over()
        assert isinstance(other.raised, ServerError)
        server.faults = Faults()
        await server.drop_all()
        await until(lambda: "END" in call.log)
        assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]
        # Between turns, too: the connection that was made has ended the pause.
        await server.drop_all()
        call.push(0.2)
        await until(lambda: call.log.count("END") == 2)
        assert not call.errors


async def test_between_turns_too_a_call_asks_the_server_whatever_it_said_to_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limiter_module, "PROBE_EVERY_S", 0.3)
    async with LocalServer(script=playing(START, END)) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
        server.faults = Faults(status=429, status_headers={"Retry-After": "3600"})
        async with calling(server) as other:
            await other.over()
        server.faults = Faults()
        await server.drop_all()
        call.push(0.2)
        await until(lambda: call.log.count("END") == 2)
        assert not call.errors
