import asyncio
import json
from base64 import b64encode
from urllib.parse import urlencode

import aiohttp
import pytest
from livekit.plugins.cartesia_turns.wire.messages import Connected, ErrorMessage
from livekit.plugins.cartesia_turns.wire.protocol import PATH, parse_error_body
from support.localserver import SENTENCE, server
from support.rawclient import BOUND_S, QUERY, connected
from support.waiting import eventually

UPGRADE = [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"]


@pytest.mark.parametrize(
    ("headers", "status"), [({}, 401), ({"X-API-Key": "wrong"}, 401), ({"X-API-Key": "secret"}, 400)]
)
async def test_a_failed_handshake_is_answered_with_a_status_and_a_json_error(
    headers: dict[str, str], status: int
) -> None:
    async with server(key="secret") as local, aiohttp.ClientSession() as session:
        async with session.get(local.url + PATH, params=QUERY, headers=headers) as answer:
            error = parse_error_body(await answer.read(), answer.status)
            assert (answer.status, error.status_code) == (status, status)
            assert answer.headers["X-Request-Id"] == answer.headers["cartesia-request-id"] == error.request_id
            assert error.title
            assert error.message
        assert [handshake.status for handshake in local.handshakes] == [status]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"model": "ink-3"}, "model='ink-3'"),
        ({"encoding": "opus"}, "encoding='opus'"),
        ({"sample_rate": "fast"}, "sample_rate='fast'"),
        ({"turn_start_threshold": "0.3"}, "turn_start_threshold=0.3"),
        ({"turn_eager_end_threshold": "0.2"}, "turn_eager_end_threshold=0.2"),
        ({"language_hint": "en"}, "language_hint"),
        ({"keyterm": "x" * 1201}, "keyterm"),
    ],
)
async def test_wrong_settings_are_an_error_in_place_of_connected_and_a_close_with_1008(
    query: dict[str, str], said: str
) -> None:
    async with server() as local, connected(local, query) as client:
        (error,) = await client.rest()
        assert isinstance(error, ErrorMessage)
        assert said in error.message
        assert (error.status_code, error.error_code) == (400, "invalid_request")
        assert client.socket.close_code == 1008
        await eventually(lambda: local.connections[0].closed_s is not None)
        record = local.connections[0]
        assert (record.request_id, record.close_code, record.stream) == (error.request_id, 1008, None)
        assert local.open_streams == 0


async def test_the_answer_to_the_handshake_carries_the_request_id() -> None:
    async with server() as local, aiohttp.ClientSession() as session:
        headers = {"X-API-Key": local.key}
        async with session.ws_connect(local.url + PATH, params=QUERY, headers=headers) as socket:
            answer = socket._response.headers
            request_id = json.loads(await socket.receive_str())["request_id"]
        assert answer["X-Request-Id"] == answer["cartesia-request-id"] == request_id


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"X-API-Key: \xff\xfe", 401),
        (b"Authorization: Bearer \xff", 401),
        (b"X-API-Key: secret\r\nSec-WebSocket-Key: \xff", 400),
        (b"X-API-Key: secret\r\nOrigin: https://evil.example", 403),
    ],
)
async def test_headers_that_no_good_client_sends_are_refused_and_no_server_error(header: bytes, status: int) -> None:
    async with server(key="secret") as local:
        host, _, port = local.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        lines = [f"GET {PATH}?{urlencode(QUERY)} HTTP/1.1".encode(), b"Host: 127.0.0.1", *UPGRADE, header]
        writer.write(b"\r\n".join([*lines, b"", b""]))
        answer = await asyncio.wait_for(reader.readline(), BOUND_S)
        writer.close()
        assert answer.split()[1] == str(status).encode()
        assert [handshake.status for handshake in local.handshakes] == [status]


async def test_a_client_that_leaves_in_any_step_of_the_handshake_is_no_server_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with server(key="secret") as local:
        lines = [f"GET {PATH}?{urlencode(QUERY)} HTTP/1.1".encode(), b"Host: 127.0.0.1", b"X-API-Key: secret", *UPGRADE]
        for steps in range(30):
            _, writer = await asyncio.open_connection("127.0.0.1", int(local.url.rpartition(":")[2]))
            key = b"Sec-WebSocket-Key: " + b64encode(bytes([steps] * 16))
            writer.write(b"\r\n".join([*lines, key, b"", b""]))
            for _ in range(steps):
                await asyncio.sleep(0)
            writer.transport.abort()
            await asyncio.sleep(0.005)
        await eventually(lambda: not local.open_streams)
    assert not caplog.records


async def test_a_request_that_is_no_http_is_answered_with_400_and_what_it_holds_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with server() as local:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(local.url.rpartition(":")[2]))
        writer.write(f"GET {PATH}?access_token=secret".encode() + b"\xff HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = await asyncio.wait_for(reader.readline(), BOUND_S)
        writer.close()
    assert answer.split()[1] == b"400"
    assert not caplog.records


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1"])
async def test_a_page_of_this_machine_is_let_in(origin: str) -> None:
    headers = {"X-API-Key": "secret", "Origin": origin}
    async with server(key="secret") as local, connected(local, headers=headers) as client:
        await client.until(Connected)


async def test_a_request_without_an_upgrade_is_told_that_this_is_a_websocket() -> None:
    async with server(key="secret") as local, aiohttp.ClientSession() as session:
        answer = await session.get(local.url + PATH, params=QUERY, headers={"X-API-Key": "secret"})
        assert "websocket" in parse_error_body(await answer.read(), answer.status).message


async def test_one_stream_too_many_is_refused_though_the_others_are_idle_until_another_ends() -> None:
    async with server(max_streams=1) as local:
        async with connected(local) as first:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                async with connected(local):
                    pass
            assert caught.value.status == 429
            assert caught.value.headers is not None
            assert caught.value.headers["Retry-After"] == "1"
            await first.close()
        await eventually(lambda: local.open_streams == 0)
        async with connected(local) as second:
            assert isinstance(await second.next(), Connected)


@pytest.mark.parametrize("credential", [{"Authorization": "Bearer secret"}, {"access_token": "secret"}])
async def test_a_bearer_key_or_an_access_token_is_let_in_and_never_recorded(credential: dict[str, str]) -> None:
    query = credential if "access_token" in credential else {}
    headers = {} if query else credential
    async with server(key="secret") as local, connected(local, query, headers) as client:
        await client.until(Connected)
        assert "secret" not in repr(local.connections)
        assert ("model", "ink-2") in local.connections[0].query


async def test_messages_carry_the_request_id_of_the_socket() -> None:
    async with server() as local, connected(local) as client:
        await client.send(SENTENCE)
        ids = {getattr(message, "request_id", None) for message in await client.close()}
        assert ids == {local.connections[0].request_id}


async def test_without_record_only_counters_are_kept() -> None:
    async with server(record=False) as local, connected(local) as client:
        await client.send(SENTENCE)
        await client.close()
        record = local.connections[0]
    assert record.audio_bytes == len(SENTENCE)
    assert not record.audio
    assert not record.messages


async def test_every_byte_and_command_is_recorded() -> None:
    audio = bytes(range(256)) * 100
    async with server() as local, connected(local, {"keyterm": "x"}) as client:
        await client.send(audio, frame_bytes=333)
        await client.command(type="config")
        await client.close()
        await eventually(lambda: local.open_streams == 0)
        record = local.connections[0]
    assert bytes(record.audio) == audio
    assert (record.audio_bytes, record.audio_s) == (len(audio), len(audio) / 32000)
    assert [json.loads(command)["type"] for command in record.commands] == ["config", "close"]
    assert ("keyterm", "x") in record.query
    assert record.close_code == 1000
    assert record.closed_s is not None
    assert json.loads(record.messages[0][1])["type"] == "connected"
