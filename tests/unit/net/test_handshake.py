"""Why a handshake fails, told apart over real sockets: DNS, TLS, proxies, and answers that are none."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st
from livekit.agents import APIError, APITimeoutError
from livekit.plugins.cartesia_turns.errors import Cause, ServerError, UnreachableError, bare, cause_of
from livekit.plugins.cartesia_turns.net.connection import Connection
from livekit.plugins.cartesia_turns.net.handshake import MAX_ERROR_BODY, seconds
from livekit.plugins.cartesia_turns.wire.messages import TurnStart
from support.exposed import exposed
from support.peers import ForwardProxy, tcp_peer, web_peer

KEY = "sk-the-very-secret-key"
HEADERS = {"X-API-Key": KEY}
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "WS_PROXY", "WSS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


async def failure(session: aiohttp.ClientSession, url: str, *, timeout_s: float = 5.0) -> APIError:
    """What an attempt to connect raises; it gives the key away to nobody."""
    with pytest.raises(APIError) as caught:
        await Connection.open(session, f"{url.replace('http', 'ws', 1)}/x", HEADERS, timeout_s=timeout_s)
    assert KEY not in exposed(bare(caught.value))
    return caught.value


async def failure_at(url: str, *, timeout_s: float = 5.0) -> APIError:
    async with aiohttp.ClientSession() as session:
        return await failure(session, url, timeout_s=timeout_s)


async def talk(request: web.Request) -> web.StreamResponse:
    """A server that says one thing and waits for the end."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    await ws.send_str('{"type": "turn.start"}')
    await ws.receive()
    return ws


class NoNames(AbstractResolver):
    """Knows no host: what a machine without name servers is like, without asking any."""

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def close(self) -> None:
        """Holds nothing."""


def nameless(**arguments: Any) -> aiohttp.ClientSession:
    """A session on a machine that knows no names."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=NoNames()), **arguments)


def answering(answer: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return peer


# Told apart.


async def test_a_name_that_is_none_is_a_matter_of_dns() -> None:
    async with nameless() as session:
        error = await failure(session, "http://cartesia.test")
    assert (cause_of(error), error.retryable) == (Cause.DNS, True)
    assert "base_url" in str(error)


async def test_a_port_where_nobody_listens_is_refused() -> None:
    async with tcp_peer(answering(b"")) as url:
        pass
    error = await failure_at(url)
    assert (cause_of(error), error.retryable) == (Cause.REFUSED, True)


async def test_a_peer_that_says_nothing_and_leaves_is_a_reset() -> None:
    async with tcp_peer(answering(b"")) as url:
        error = await failure_at(url)
    assert (cause_of(error), error.retryable) == (Cause.RESET, True)


async def test_a_peer_that_does_not_answer_is_a_timeout_that_says_what_took_the_time() -> None:
    async def wait(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with tcp_peer(wait) as url:
        error = await failure_at(url, timeout_s=0.1)
    assert isinstance(error, APITimeoutError)
    assert cause_of(error) is Cause.TIMEOUT
    assert "waiting for the answer" in str(error)


async def test_a_certificate_that_nobody_vouches_for_is_a_matter_of_tls_that_does_not_pass(
    authority: trustme.CA,
) -> None:
    async with web_peer(talk, encryption=encryption(authority)) as url:
        error = await failure_at(url)
    assert (cause_of(error), error.retryable) == (Cause.TLS, False)
    assert "certificate" in str(error)
    assert "SSL_CERT_FILE" in str(error)


async def test_a_peer_that_speaks_no_tls_is_a_matter_of_tls() -> None:
    async with tcp_peer(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as url:
        error = await failure_at(url.replace("http", "https"), timeout_s=2.0)
    assert cause_of(error) in (Cause.TLS, Cause.TIMEOUT)


async def test_a_peer_that_leaves_in_the_middle_of_tls_is_a_reset() -> None:
    async def leave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with tcp_peer(leave) as url:
        error = await failure_at(url.replace("http", "https"))
    assert (cause_of(error), error.retryable) == (Cause.RESET, True)


async def test_a_host_that_is_no_name_says_to_look_at_the_address() -> None:
    error = await failure_at("https://cartesia..test")
    assert (cause_of(error), error.retryable) == (Cause.ARGUMENT, False)
    assert "base_url" in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        b"Sec-WebSocket-Accept: bm90IGEgcmlnaHQgb25l\r\n\r\n",
    ],
)
async def test_an_answer_that_no_such_endpoint_gives_says_to_look_at_the_address(answer: bytes) -> None:
    async with tcp_peer(answering(answer)) as url:
        error = await failure_at(url)
    assert (cause_of(error), error.retryable) == (Cause.ANSWER, False)
    assert "base_url" in str(error)


async def test_a_session_that_is_closed_is_said_to_be() -> None:
    session = aiohttp.ClientSession()
    await session.close()
    error = await failure(session, "http://127.0.0.1:1")
    assert not error.retryable
    assert "http_session" in str(error)


def test_a_session_of_another_loop_is_said_to_be_one() -> None:
    async def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    async def use() -> str:
        async with web_peer(talk) as url:
            return str(await failure(session, url))

    first = asyncio.new_event_loop()
    session = first.run_until_complete(make())
    first.close()
    assert "http_session" in asyncio.run(use())
    # Closed as far as that can be without its loop.
    session.detach()


# Refusals.


@pytest.mark.parametrize("header", ["X-Request-Id", "cartesia-request-id"])
async def test_the_request_id_is_read_in_either_header(header: str) -> None:
    async with tcp_peer(answering(f"HTTP/1.1 503 X\r\n{header}: r-9\r\nContent-Length: 0\r\n\r\n".encode())) as url:
        error = await failure_at(url)
    assert isinstance(error, ServerError)
    assert error.request_id == "r-9"


async def test_a_key_that_comes_back_as_the_request_id_is_not_shown() -> None:
    async with tcp_peer(
        answering(f"HTTP/1.1 503 X\r\nX-Request-Id: {KEY}\r\nContent-Length: 0\r\n\r\n".encode())
    ) as url:
        error = await failure_at(url)
    assert isinstance(error, ServerError)
    assert error.request_id == "***"


@pytest.mark.parametrize("bytes_in_all", [100_000, 100_000_000])
async def test_no_more_is_read_of_a_refusal_than_a_reason_needs(bytes_in_all: int) -> None:
    body = gzip.compress(bytes(bytes_in_all), 9)
    head = b"HTTP/1.1 403 X\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with tcp_peer(answering(head + body)) as url:
        before = peak_rss_bytes()
        error = await failure_at(url)
        assert peak_rss_bytes() - before < 20_000_000
    assert isinstance(error, ServerError)
    assert error.status_code == 403
    assert len(str(error)) < MAX_ERROR_BODY


def peak_rss_bytes() -> int:
    """The most memory that this process has had so far."""
    resource = pytest.importorskip("resource", reason="Windows has no such count")
    peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB


async def test_a_refusal_is_asked_for_without_compression() -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        response = web.Response(status=403, text='{"message": "No.", "title": "Refused"}' + " " * 1000)
        response.enable_compression()
        return response

    async with web_peer(refuse) as url:
        assert "Refused: No." in str(await failure_at(url))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        ("9" * 400, float("inf")),
        ("-1", None),
        ("soon", None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        (formatdate(100.0, usegmt=True), 40.0),
        (formatdate(10.0, usegmt=True), 0.0),
    ],
)
def test_a_retry_after_is_seconds_or_a_date_or_nothing(header: str | None, expected: float | None) -> None:
    assert seconds(header, 60.0) == expected


@given(
    st.text() | st.dates().map(str) | st.from_regex(r"\w{3}, \d+ Jan \d{1,9} \d+:\d+:\d+ [-+]?\d{1,6}", fullmatch=True)
)
def test_no_retry_after_is_ever_an_exception(header: str) -> None:
    read = seconds(header, time.time())
    assert read is None or read >= 0


# Proxies.


def encryption(authority: trustme.CA) -> ssl.SSLContext:
    """For a server on this machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "cartesia.test").configure_cert(context)
    return context


@asynccontextmanager
async def trusting(authority: trustme.CA, **arguments: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """A session that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector, **arguments) as session:
        yield session


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "WSS_PROXY"])
async def test_a_session_that_trusts_the_environment_goes_through_its_proxy(
    authority: trustme.CA, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with web_peer(talk, encryption=encryption(authority)) as server:
        proxy = ForwardProxy(server)
        async with tcp_peer(proxy) as proxy_url, trusting(authority, trust_env=True) as session:
            monkeypatch.setenv(variable, proxy_url)
            connection = await Connection.open(session, "wss://cartesia.test/x", HEADERS, timeout_s=5.0)
            assert await connection.receive() == TurnStart("")
            await connection.close()
            # A frame may come before its owner knows of the end.
            assert not connection.is_clear
    assert [head.split("\r\n")[0] for head in proxy.heard] == ["CONNECT cartesia.test:443 HTTP/1.1"]
    assert KEY not in "".join(proxy.heard)


async def test_a_host_that_the_environment_exempts_is_connected_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = ForwardProxy()
    async with tcp_peer(proxy) as proxy_url, nameless(trust_env=True) as session:
        monkeypatch.setenv("HTTPS_PROXY", proxy_url)
        monkeypatch.setenv("NO_PROXY", "cartesia.test")
        error = await failure(session, "https://cartesia.test")
    assert cause_of(error) is Cause.DNS
    assert not proxy.heard


@pytest.mark.parametrize(
    ("status", "retryable"), [("407 Proxy Authentication Required", False), ("403 Forbidden", False), ("502 Bad", True)]
)
async def test_a_refusal_of_the_proxy_is_named_as_the_proxys(status: str, retryable: bool) -> None:
    refusal = f"HTTP/1.1 {status}\r\nX-Request-Id: {KEY}\r\nContent-Length: 0\r\n\r\n".encode()
    async with tcp_peer(ForwardProxy(refusal=refusal)) as proxy_url, aiohttp.ClientSession(proxy=proxy_url) as session:
        error = await failure(session, "https://cartesia.test")
    assert isinstance(error, UnreachableError)
    assert (error.cause, error.status_code, error.retryable) == (
        Cause.PROXY,
        int(status.split(maxsplit=1)[0]),
        retryable,
    )
    assert "HTTPS_PROXY" in str(error)


async def test_a_plain_handshake_that_meets_a_407_is_the_proxys_too() -> None:
    async with tcp_peer(answering(b"HTTP/1.1 407 X\r\nContent-Length: 0\r\n\r\n")) as url:
        error = await failure_at(url)
    assert cause_of(error) is Cause.PROXY


async def test_a_proxy_that_is_not_there_is_a_matter_of_the_proxy() -> None:
    async with tcp_peer(answering(b"")) as proxy_url:
        pass
    async with aiohttp.ClientSession(proxy=proxy_url) as session:
        assert cause_of(await failure(session, "https://cartesia.test")) is Cause.PROXY


async def test_a_proxy_whose_name_is_none_is_a_matter_of_the_proxy() -> None:
    async with nameless(proxy="http://proxy.test:3128") as session:
        assert cause_of(await failure(session, "https://cartesia.test")) is Cause.PROXY


@pytest.mark.parametrize("address", ["proxy.test:3128", "proxy", "http:/proxy.test", ":::"])
async def test_a_proxys_address_that_is_none_is_a_matter_of_the_proxy(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    async with aiohttp.ClientSession(trust_env=True) as session:
        error = await failure(session, "https://cartesia.test")
    assert (cause_of(error), error.retryable) == (Cause.PROXY, False)
    assert "HTTPS_PROXY" in str(error)


@pytest.mark.parametrize("address", ["http://[::1", "http://proxy.test:99999"])
async def test_a_proxys_address_that_can_not_even_be_split_says_to_look_at_it(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    async with aiohttp.ClientSession(trust_env=True) as session:
        error = await failure(session, "https://cartesia.test")
    assert (cause_of(error), error.retryable) == (Cause.ARGUMENT, False)
    assert "HTTPS_PROXY" in str(error)


async def test_a_proxy_that_lets_the_handshake_through_and_leaves_is_a_reset() -> None:
    async with tcp_peer(answering(b"HTTP/1.1 200 OK\r\n\r\n")) as url, aiohttp.ClientSession(proxy=url) as session:
        error = await failure(session, "https://cartesia.test")
    assert (cause_of(error), error.retryable) == (Cause.RESET, True)


@pytest.mark.parametrize("how", ["HTTP_PROXY", "HTTPS_PROXY", "WS_PROXY", "the session's own"])
async def test_this_machine_is_never_spoken_to_through_a_proxy(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = ForwardProxy(refusal=b"HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n")
    async with web_peer(talk) as server, tcp_peer(proxy) as proxy_url:
        if how.isupper():
            monkeypatch.setenv(how, proxy_url)
        arguments = {"trust_env": True} if how.isupper() else {"proxy": proxy_url}
        async with aiohttp.ClientSession(**arguments) as session:
            connection = await Connection.open(session, f"{server.replace('http', 'ws')}/x", HEADERS, timeout_s=5.0)
            assert await connection.receive() == TurnStart("")
            await connection.close()
            assert not session.closed
            if how in ("HTTP_PROXY", "the session's own"):
                async with session.get("http://cartesia.test") as response:
                    assert response.status == 403
    assert KEY not in "".join(proxy.heard)
