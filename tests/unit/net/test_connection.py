from __future__ import annotations

import asyncio
import json
import struct
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from email.utils import formatdate

import aiohttp
import pytest
from aiohttp import web
from livekit.agents import APIConnectionError, APIError, APITimeoutError
from livekit.plugins.cartesia_turns import DroppedError, ServerError
from livekit.plugins.cartesia_turns.core.chunk import Chunk
from livekit.plugins.cartesia_turns.core.link import Outgoing, Ping
from livekit.plugins.cartesia_turns.net.connection import Connection, Pong
from livekit.plugins.cartesia_turns.wire.messages import Close, Config, ErrorMessage, TurnSettings, TurnStart
from livekit.plugins.cartesia_turns.wire.protocol import ProtocolError
from support.peers import counted_session, tcp_peer, web_peer
from support.waiting import until

KEY = "sk-the-very-secret-key"
TOKEN = "the-very-secret-token"
HEADERS = {"X-API-Key": KEY, "Authorization": f"Bearer {TOKEN}", "X-Mine": "my-own-secret", "Cartesia-Version": "2026"}
ERROR = {"message": "No.", "title": "Refused", "error_code": "nope", "request_id": "r-1", "doc_url": "https://docs/x"}

SocketHandler = Callable[[web.WebSocketResponse], Awaitable[object]]


def serving(handler: SocketHandler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A peer that accepts websockets and lets `handler` talk."""

    async def serve(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(autoping=False, autoclose=False, timeout=0.2)
        await ws.prepare(request)
        await handler(ws)
        return ws

    return serve


def refusing(**answer: object) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(**answer)  # type: ignore[arg-type]  # whatever a test wants

    return refuse


async def open_at(
    session: aiohttp.ClientSession, url: str, *, timeout_s: float = 2.0, query: str = "?model=ink-2"
) -> Connection:
    return await Connection.open(session, f"{url.replace('http', 'ws', 1)}/x{query}", HEADERS, timeout_s=timeout_s)


async def failure_at(url: str, *, timeout_s: float = 2.0, query: str = "?model=ink-2") -> APIError:
    """What a failing attempt raises; it leaves no socket."""
    async with counted_session() as (session, sockets):
        with pytest.raises(APIError) as caught:
            await open_at(session, url, timeout_s=timeout_s, query=query)
        await until(lambda: sockets.open == 0)
        return caught.value


def chain(error: BaseException | None) -> Iterator[str]:
    """All that a reporter may show of an exception, and of those it came from."""
    while error is not None:
        yield from (str(error), repr(error), *traceback.format_exception(error))
        error = error.__cause__ or error.__context__


# The handshake.


async def test_headers_and_query_go_out_as_given() -> None:
    seen: list[web.Request] = []

    async def note(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return web.Response(status=503)

    async with web_peer(note) as url, aiohttp.ClientSession() as session:
        with pytest.raises(ServerError):
            await open_at(session, url, query="?keyterm=two%20words&keyterm=1%2B1")
    assert seen[0].rel_url.raw_query_string == "keyterm=two%20words&keyterm=1%2B1"
    assert {name: seen[0].headers[name] for name in HEADERS} == HEADERS


async def test_a_refusal_carries_all_that_the_server_said() -> None:
    async with web_peer(refusing(status=403, text=json.dumps(ERROR), headers={"Retry-After": "7"})) as url:
        error = await failure_at(url)
    assert isinstance(error, ServerError)
    assert (error.status_code, error.title, error.error_code) == (403, "Refused", "nope")
    assert (error.request_id, error.doc_url, error.retry_after_s) == ("r-1", "https://docs/x", 7.0)
    assert error.message == "Refused: No. (see https://docs/x)"


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        *[(status, False) for status in (400, 401, 402, 403, 404)],
        *[(status, True) for status in (408, 429, 500, 502, 503, 529)],
    ],
)
async def test_only_408_429_and_5xx_are_retryable(status: int, retryable: bool) -> None:
    async with web_peer(refusing(status=status)) as url:
        error = await failure_at(url)
    assert isinstance(error, ServerError)
    assert (error.status_code, error.retryable) == (status, retryable)


@pytest.mark.parametrize("body", ["", "plain text", "[1]", '{"title": 3}', '{"message": null}', "\ud7ff" * 20_000])
async def test_a_refusal_with_any_body_keeps_its_status_and_the_request_id_of_its_header(body: str) -> None:
    async with web_peer(refusing(status=401, text=body, headers={"X-Request-Id": "r-9"})) as url:
        error = await failure_at(url)
    assert isinstance(error, ServerError)
    assert (error.status_code, error.request_id) == (401, "r-9")
    assert "plain" not in str(error)


async def test_a_body_that_comes_in_pieces_is_read_to_its_end() -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=402)
        await response.prepare(request)
        for character in json.dumps(ERROR):
            await response.write(character.encode())
            await asyncio.sleep(0)
        return response

    async with web_peer(refuse) as url:
        error = await failure_at(url)
    assert isinstance(error, ServerError)
    assert error.title == "Refused"


async def test_a_body_that_breaks_off_leaves_the_status() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()

    async with tcp_peer(refuse) as url:
        error = await failure_at(url)
    assert isinstance(error, ServerError)
    assert error.status_code == 403


async def test_a_body_that_never_comes_leaves_the_status_too() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        await asyncio.Event().wait()

    async with tcp_peer(refuse) as url:
        error = await failure_at(url, timeout_s=20.0)
    assert isinstance(error, ServerError)
    assert error.status_code == 401


async def test_a_session_that_raises_for_a_status_itself_changes_nothing() -> None:
    refuse = refusing(status=429, headers={"Retry-After": "7", "X-Request-Id": "r-9"})
    async with web_peer(refuse) as url, aiohttp.ClientSession(raise_for_status=True) as session:
        with pytest.raises(ServerError) as caught:
            await open_at(session, url)
    assert (caught.value.status_code, caught.value.retry_after_s, caught.value.request_id) == (429, 7.0, "r-9")


async def test_a_retry_after_may_be_a_date() -> None:
    at = formatdate(time.time() + 30, usegmt=True)
    async with web_peer(refusing(status=429, headers={"Retry-After": at})) as url:
        error = await failure_at(url)
    assert isinstance(error, ServerError)
    assert error.retry_after_s == pytest.approx(29, abs=5)


@pytest.mark.parametrize("header", ["soon", "Wed, 99 Oct 2026 07:28:00 GMT", "-1", ""])
async def test_a_retry_after_that_is_no_number_of_seconds_is_ignored(header: str) -> None:
    async with web_peer(refusing(status=429, headers={"Retry-After": header})) as url:
        error = await failure_at(url)
    assert isinstance(error, ServerError)
    assert error.retry_after_s is None


async def test_no_secret_that_the_server_quotes_is_in_any_part_of_the_error() -> None:
    query = "?model=ink-2&keyterm=Queen%20Mab"
    quoted = f"{KEY} {TOKEN} my-own-secret {query} Queen Mab"
    names = ("message", "title", "error_code", "doc_url", "request_id")
    body = json.dumps(dict.fromkeys(names, quoted))
    async with web_peer(refusing(status=401, text=body)) as url:
        error = await failure_at(url, query=query)
    said = "\n".join([*chain(error), *map(str, vars(error).values())])
    assert not [secret for secret in (KEY, TOKEN, "my-own-secret", "model=ink-2", "Mab") if secret in said]


async def test_the_api_version_may_be_named_in_an_error() -> None:
    async with web_peer(refusing(status=400, text='{"message": "Version 2026 is gone"}')) as url:
        assert "Version 2026 is gone" in str(await failure_at(url))


async def test_a_server_that_does_not_answer_is_given_up_in_time() -> None:
    async def wait(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_peer(wait) as url:
        started = time.monotonic()
        error = await failure_at(url, timeout_s=0.1)
    assert isinstance(error, APITimeoutError)
    assert error.retryable
    assert time.monotonic() - started < 1


async def test_a_port_where_nobody_listens_is_a_retryable_failure() -> None:
    async def nothing(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        return

    async with tcp_peer(nothing) as url:
        pass
    error = await failure_at(url)
    assert isinstance(error, APIConnectionError)
    assert error.retryable


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [(b"", True), (b"what?\r\n\r\n", True), (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", False)],
)
async def test_an_answer_that_is_no_handshake_is_an_api_error(answer: bytes, retryable: bool) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with tcp_peer(talk) as url:
        error = await failure_at(url)
    assert error.retryable == retryable
    assert not [text for text in chain(error) if KEY in text]


async def test_the_key_does_not_follow_a_redirect() -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(status=500)

    async with (
        web_peer(elsewhere) as other,
        web_peer(refusing(status=307, headers={"Location": f"{other}/stolen"})) as url,
    ):
        error = await failure_at(url)
    assert isinstance(error, APIConnectionError)
    assert not error.retryable
    assert "base_url" in str(error)
    assert not asked


async def test_a_closed_session_is_an_api_error() -> None:
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(APIError):
        await open_at(session, "http://127.0.0.1:1")


@pytest.mark.parametrize("url", ["http://", "http://127.0.0.1:99999"])
async def test_an_address_that_is_none_is_not_tried_again(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(APIError) as caught:
            await open_at(session, url)
    assert not caught.value.retryable


async def test_a_header_that_can_not_be_sent_is_an_error_without_its_value() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(APIError) as caught:
            await Connection.open(session, "ws://127.0.0.1:1/", {"X-API-Key": f"{KEY}\r\nX: y"}, timeout_s=1)
    assert not [text for text in chain(caught.value) if KEY in text]


async def test_being_cancelled_at_any_moment_of_the_handshake_leaves_no_socket() -> None:
    async with web_peer(serving(lambda ws: ws.receive())) as url, counted_session() as (session, sockets):
        for moment in range(30):
            attempt = asyncio.create_task(open_at(session, url))
            for _ in range(moment):
                await asyncio.sleep(0)
            attempt.cancel()
            await asyncio.wait([attempt])
            if not attempt.cancelled():
                await attempt.result().close()
            await until(lambda: sockets.open == 0)


async def test_the_session_is_still_of_use_after_it_all() -> None:
    async with counted_session() as (session, _), web_peer(refusing(status=500, text="mine")) as url:
        for _ in range(2):
            with pytest.raises(ServerError):
                await open_at(session, url)
        async with session.get(url) as response:
            assert await response.text() == "mine"
        assert len(session.trace_configs) == 1


# An open socket.


async def send(connection: Connection, item: Outgoing) -> None:
    """Sends one item, and waits while the socket's own buffer is full."""
    if (rest := connection.send_now(item)) is not None:
        await rest


async def test_messages_pings_and_audio_go_both_ways() -> None:
    got: list[tuple[aiohttp.WSMsgType, object]] = []

    async def talk(ws: web.WebSocketResponse) -> None:
        await ws.send_str('{"type": "turn.start", "request_id": "r"}')
        await ws.ping(b"are you there")
        for _ in range(5):
            message = await ws.receive()
            got.append((message.type, message.data))
            if message.type is aiohttp.WSMsgType.PING:
                await ws.pong(message.data)

    async with web_peer(serving(talk)) as url, aiohttp.ClientSession() as session:
        connection = await open_at(session, url)
        assert await connection.receive() == TurnStart("r")
        await send(connection, Chunk(b"\1\2", 0.1))
        await send(connection, Ping(b"4"))
        assert await connection.receive() == Pong(b"4")
        await send(connection, Config(TurnSettings(end_threshold=0.3)))
        await send(connection, Close())
        await until(lambda: len(got) == 5)
        await connection.close()
    assert sorted(got, key=str) == sorted(
        [
            (aiohttp.WSMsgType.PONG, b"are you there"),
            (aiohttp.WSMsgType.BINARY, b"\1\2"),
            (aiohttp.WSMsgType.PING, b"4"),
            (aiohttp.WSMsgType.TEXT, '{"type": "config", "turn": {"end_threshold": 0.3}}'),
            (aiohttp.WSMsgType.TEXT, '{"type": "close"}'),
        ],
        key=str,
    )


@pytest.mark.parametrize("frame", ["[]", "3", "{", '{"type": 1}', '{"kind": "turn.end"}', b"\0\1"])
async def test_an_odd_frame_is_a_protocol_error_and_the_socket_lives_on(frame: str | bytes) -> None:
    async def talk(ws: web.WebSocketResponse) -> None:
        await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))
        await ws.send_str('{"type": "turn.start"}')
        await ws.receive()

    async with web_peer(serving(talk)) as url, aiohttp.ClientSession() as session:
        connection = await open_at(session, url)
        with pytest.raises(ProtocolError):
            await connection.receive()
        assert await connection.receive() == TurnStart("")
        await connection.close()


async def test_an_in_band_error_is_a_message_with_all_that_it_says_but_secrets() -> None:
    async def talk(ws: web.WebSocketResponse) -> None:
        await ws.send_str(json.dumps({"type": "error", "status_code": 429, **ERROR, "message": f"not with {TOKEN}"}))
        await ws.receive()

    async with web_peer(serving(talk)) as url, aiohttp.ClientSession() as session:
        connection = await open_at(session, url)
        message = await connection.receive()
        await connection.close()
    assert message == ErrorMessage("not with ***", "Refused", 429, "nope", "r-1", "https://docs/x")


@pytest.mark.parametrize(("sent", "clean"), [(1000, True), (1001, True), (1011, False), (1012, False), (1013, False)])
async def test_a_close_frame_gives_its_code(sent: int, clean: bool) -> None:
    async with web_peer(serving(lambda ws: ws.close(code=sent))) as url:
        assert await drop_at(url) == (sent, clean)


async def test_a_close_frame_without_a_code_is_a_clean_close() -> None:
    async def talk(ws: web.WebSocketResponse) -> None:
        assert ws._req is not None
        assert ws._req.transport is not None
        ws._req.transport.write(b"\x88\x00")
        await ws.receive()

    async with web_peer(serving(talk)) as url:
        assert await drop_at(url) == (1005, True)


async def test_the_end_of_the_tcp_stream_without_a_close_frame_is_a_loss() -> None:
    async def talk(ws: web.WebSocketResponse) -> None:
        assert ws._req is not None
        assert ws._req.transport is not None
        ws._req.transport.close()

    async with web_peer(serving(talk)) as url:
        assert await drop_at(url) == (1006, False)


@pytest.mark.parametrize("frame", [b"\xff\xff\xff\xff", b"\x81\x02\xff\xff", b"\x81\x7f" + struct.pack("!Q", 2**40)])
async def test_a_broken_websocket_frame_is_a_loss(frame: bytes) -> None:
    async def talk(ws: web.WebSocketResponse) -> None:
        assert ws._req is not None
        assert ws._req.transport is not None
        ws._req.transport.write(frame)
        await ws.receive()

    async with web_peer(serving(talk)) as url:
        assert await drop_at(url) == (1006, False)


async def test_pings_that_can_not_be_answered_any_more_hide_neither_what_followed_nor_the_loss() -> None:
    async def talk(ws: web.WebSocketResponse) -> None:
        assert ws._req is not None
        assert ws._req.transport is not None
        await ws.ping()
        await ws.ping()
        await ws.send_str('{"type": "turn.start"}')
        ws._req.transport.abort()

    async with web_peer(serving(talk)) as url, counted_session() as (session, sockets):
        connection = await open_at(session, url)
        with pytest.raises(DroppedError):
            await send_for_ever(connection)
        assert await connection.receive() == TurnStart("")
        with pytest.raises(DroppedError):
            await connection.receive()
        await connection.close()
        await until(lambda: sockets.open == 0)


async def drop_at(url: str) -> tuple[int, bool]:
    """The close code that a connection there ends with, and whether that is a clean end; it leaves no socket."""
    async with counted_session() as (session, sockets):
        connection = await open_at(session, url)
        with pytest.raises(DroppedError) as caught:
            await connection.receive()
        await connection.close()
        await until(lambda: sockets.open == 0)
    return caught.value.code, caught.value.is_clean


async def test_sending_on_a_lost_socket_is_a_drop() -> None:
    async with web_peer(serving(lambda ws: ws.receive())) as url, counted_session() as (session, sockets):
        connection = await open_at(session, url)
        sockets.made[0].shutdown(1)
        with pytest.raises(DroppedError):
            await send_for_ever(connection)
        await connection.close()


async def send_for_ever(connection: Connection) -> None:
    while True:
        await send(connection, Chunk(bytes(1000), 0.1))


async def test_closing_tells_the_server() -> None:
    codes: list[object] = []

    async def talk(ws: web.WebSocketResponse) -> None:
        message = await ws.receive()
        codes.append((message.type, message.data))
        await ws.close()

    async with web_peer(serving(talk)) as url, counted_session() as (session, sockets):
        connection = await open_at(session, url)
        await connection.close()
        await until(lambda: codes and sockets.open == 0)
    assert codes == [(aiohttp.WSMsgType.CLOSE, 1000)]


async def test_closing_a_socket_that_nobody_reads_is_quick_and_leaves_nothing() -> None:
    tested = asyncio.Event()
    async with web_peer(serving(lambda ws: tested.wait())) as url, counted_session() as (session, sockets):
        connection = await open_at(session, url)
        await flood(connection)
        started = time.monotonic()
        await connection.close()
        await until(lambda: sockets.open == 0, within_s=1)
        assert time.monotonic() - started < 1
        tested.set()


async def pour(connection: Connection) -> None:
    while True:
        # Under the 4 MiB that a server of aiohttp takes for one message.
        await send(connection, Chunk(bytes(2**20), 1))


async def flood(connection: Connection) -> None:
    """Sends until the buffers are full, and is cancelled then, as a stream that closes would be."""
    sending = asyncio.create_task(pour(connection))
    await asyncio.wait([sending], timeout=0.3)
    assert not sending.done()
    sending.cancel()
    await asyncio.wait([sending])
