from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any, NoReturn
from urllib.parse import urlencode

import pytest
from aiohttp import WSMsgType
from livekit.plugins.cartesia_turns.server import Line, LocalServer, Recognizer, Script, StreamRequest
from livekit.plugins.cartesia_turns.server.connection import Frame
from livekit.plugins.cartesia_turns.server.inbox import MAX_FRAME_BYTES
from livekit.plugins.cartesia_turns.server.recognition.pcm import Samples
from livekit.plugins.cartesia_turns.wire.messages import (
    Connected,
    DetectedLanguage,
    ErrorMessage,
    TurnEnd,
    TurnSettings,
    TurnStart,
)
from livekit.plugins.cartesia_turns.wire.protocol import PATH
from support import speech, synthetic
from support.localserver import SENTENCE, finals, kinds, server
from support.rawclient import BOUND_S, QUERY, connected
from support.waiting import eventually


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("hello", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"type": "flush"}', "must be config or close"),
        ('{"turn": {"end_threshold": 0.1}}', "`type` is missing"),
    ],
)
async def test_a_text_frame_that_is_no_command_gets_an_error_and_the_socket_is_closed(frame: str, said: str) -> None:
    async with server() as local, connected(local) as client:
        await client.socket.send_str(frame)
        error = (await client.rest())[-1]
        assert isinstance(error, ErrorMessage)
        assert said in error.message
        assert (error.status_code, error.request_id) == (400, local.connections[0].request_id)
        assert client.socket.close_code == 1008


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"turn": {"end_threshold": 0.9}}, "turn_end_threshold=0.9"),
        ({"turn": {"eager_end_threshold": 0.3, "end_threshold": 0.3}}, "must hold"),
        ({"turn": {"end_threshold": "low"}}, "not a number"),
        ({"turn": 7}, "must be an object"),
        ({"turn": {"end_threshold": 0.1}, "keyterms": ["Dashwood"]}, "only be set when a socket is opened"),
        ({"turn": {"end_threshold": 0.1}, "language_hints": ["en"]}, "language_hint"),
        ({"turn": {"end_threshold": 0.1}, "keyterms": "Dashwood"}, "list of strings"),
    ],
)
async def test_a_config_that_is_refused_gets_an_error_changes_nothing_and_the_socket_stays(
    fields: dict[str, object], said: str
) -> None:
    async with server() as local, connected(local) as client:
        await client.until(Connected)
        before = local.connections[0].stream
        assert before is not None
        await client.command(type="config", **fields)
        error = await client.until(ErrorMessage)
        assert isinstance(error, ErrorMessage)
        assert said in error.message
        assert (error.status_code, error.request_id) == (400, before.request_id)
        assert local.connections[0].stream == before
        await client.send(SENTENCE)
        assert finals(await client.close()) == [synthetic.text(0, 4)]
        assert client.socket.close_code == 1000


async def test_a_config_that_is_taken_has_no_answer_and_what_is_in_force_is_recorded() -> None:
    async with server() as local, connected(local, {"model": "ink-preview", "keyterm": "Norland"}) as client:
        await client.command(type="config", turn={"end_threshold": 0.1}, keyterms=["Dashwood"], language_hints=["en"])
        await client.command(type="config", language_hints=[])
        assert kinds(await client.close()) == [Connected]
        stream = local.connections[0].stream
        assert stream is not None
        assert (stream.turn.end_threshold, stream.keyterms, stream.language_hints) == (0.1, ("Dashwood",), ())


@pytest.mark.parametrize("kind", ["close", "done"])
async def test_close_and_done_end_the_stream_in_full(kind: str) -> None:
    async with server() as local, connected(local) as client:
        await client.send(SENTENCE)
        await client.command(type=kind)
        assert finals(await client.rest()) == [synthetic.text(0, 4)]
        assert client.socket.close_code == 1000


async def test_a_model_that_tells_languages_says_english_where_the_recognizer_hears() -> None:
    async with server() as local, connected(local, {"model": "ink-preview"}) as client:
        await client.send(SENTENCE)
        end = (await client.close())[-1]
    assert isinstance(end, TurnEnd)
    assert end.languages == (DetectedLanguage("en", 1.0),)
    assert end.turn_id


async def test_a_quiet_socket_is_closed_as_idle_and_pings_do_not_keep_it() -> None:
    async with server(idle_timeout_s=0.2) as local, connected(local, heartbeat_s=0.05) as client:
        await client.until(Connected)
        close = await asyncio.wait_for(client.socket.receive(), BOUND_S)
        assert (close.type, close.data, close.extra) == (WSMsgType.CLOSE, 1001, "Idle timeout")


async def test_a_message_that_is_too_long_is_answered_with_1009_before_it_has_come() -> None:
    async with server(key="secret") as local:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(local.url.rpartition(":")[2]))
        writer.write(upgrade("secret"))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(masked(bytes(MAX_FRAME_BYTES))[:14])
        answer = await asyncio.wait_for(reader.read(), BOUND_S)
        writer.close()
    close = answer[answer.index(b"\x88") :]
    assert int.from_bytes(close[2:4], "big") == 1009


def test_a_quiet_socket_is_closed_after_the_vendors_time_where_none_is_given() -> None:
    assert LocalServer(script=Script([]))._endpoint._idle_timeout_s == 180.0


async def test_a_minute_in_one_burst_to_a_client_that_does_not_read_is_answered_in_full() -> None:
    audio = (synthetic.words(0, 3) + speech.silence(1.0)) * 30
    async with server() as local, connected(local) as client:
        await client.send(audio, frame_bytes=len(audio))
        await eventually(lambda: local.connections[0].audio_s >= len(audio) / 32000)
        assert finals(await client.close()) == [synthetic.text(0, 3)] * 30


async def test_a_client_that_vanishes_in_mid_turn_leaves_nothing_behind() -> None:
    async with server(recognizer=Recognizer(lambda: synthetic.detect, synthetic.transcribe)) as local:
        async with connected(local) as client:
            await client.send(synthetic.words(0, 30))
            await client.until(TurnStart)
            # A socket of our own on the same connection: not every event loop lets its own be shut down.
            with socket.fromfd(
                client.socket.get_extra_info("socket").fileno(), socket.AF_INET, socket.SOCK_STREAM
            ) as end:
                end.shutdown(socket.SHUT_RDWR)
        await eventually(lambda: local.open_streams == 0)
        assert local.connections[0].close_code == 1006


class Broken:
    """A responder that fails where it is told to."""

    def __init__(self, where: str, error: BaseException) -> None:
        self._where = where
        self._error = error

    def __call__(self, stream: StreamRequest) -> Broken:
        self._fail("made")
        return self

    async def hear(self, pcm: bytes) -> AsyncIterator[Frame]:
        if pcm:
            self._fail("heard")
        yield '{"type": "turn.start"}'

    def configure(self, turn: TurnSettings) -> None:
        self._fail("configured")

    async def finish(self) -> AsyncIterator[Frame]:
        self._fail("finished")
        yield '{"type": "turn.end", "transcript": ""}'

    def close(self) -> None:
        self._fail("closed")

    def _fail(self, where: str) -> None:
        if where == self._where:
            raise self._error


@pytest.mark.parametrize("where", ["made", "heard", "configured", "finished"])
@pytest.mark.parametrize("error", [RuntimeError("no memory"), ConnectionError("no backend"), asyncio.CancelledError()])
async def test_a_responder_that_fails_is_an_error_in_band_and_a_close_with_1011(
    where: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async with server(recognizer=None, responder=Broken(where, error)) as local, connected(local) as client:
        await client.command(type="config", turn={"end_threshold": 0.1})
        await client.send(bytes(640))
        last = (await client.close())[-1]
        assert isinstance(last, ErrorMessage)
        assert (last.status_code, last.request_id) == (500, local.connections[0].request_id)
        assert str(error) not in last.message or not str(error)
        assert client.socket.close_code == 1011
        await eventually(lambda: local.open_streams == 0)
        assert local.connections[0].close_code == 1011
    assert [record.getMessage() for record in caplog.records] == ["the responder of a stream failed"]


@pytest.mark.parametrize("in_thread", [True, False])
@pytest.mark.parametrize("part", ["detector", "transcriber"])
async def test_a_recognizer_that_fails_is_an_error_in_band_too(part: str, in_thread: bool) -> None:
    def fail(_: Samples) -> NoReturn:
        raise MemoryError("the model died")

    parts: dict[str, Any] = {"detector": lambda: synthetic.detect, "transcriber": synthetic.transcribe}
    parts[part] = fail if part == "transcriber" else lambda: fail
    async with server(recognizer=Recognizer(**parts, in_thread=in_thread)) as local, connected(local) as client:
        with contextlib.suppress(ConnectionError):
            await client.send(SENTENCE)
        last = (await client.rest())[-1]
        assert isinstance(last, ErrorMessage)
        assert last.status_code == 500
        assert client.socket.close_code == 1011


async def test_a_responder_that_fails_to_close_is_logged_and_costs_the_client_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    responder = Broken("closed", RuntimeError("again"))
    async with server(recognizer=None, responder=responder) as local, connected(local) as client:
        assert kinds(await client.close()) == [Connected, TurnStart, TurnEnd]
        assert client.socket.close_code == 1000
    assert [record.getMessage() for record in caplog.records] == ["the responder of a stream failed"]


class Stuck(Broken):
    """A responder that hears nothing until it is told to go on."""

    def __init__(self) -> None:
        super().__init__("never", RuntimeError())
        self.go = asyncio.Event()
        self.heard_bytes = 0

    async def hear(self, pcm: bytes) -> AsyncIterator[Frame]:
        if pcm:
            await self.go.wait()
        self.heard_bytes += len(pcm)
        if not pcm:
            yield '{"type": "ready"}'


async def test_a_client_that_is_too_fast_for_the_responder_loses_nothing() -> None:
    responder = Stuck()
    audio = bytes(16 * 2**20)
    async with server(recognizer=None, responder=responder, record=False) as local, connected(local) as client:
        sending = asyncio.create_task(client.send(audio, 50_000))
        _, waiting = await asyncio.wait([sending], timeout=0.3)
        assert waiting
        responder.go.set()
        await sending
        await client.close()
        assert client.socket.close_code == 1000
    assert responder.heard_bytes == len(audio)


def masked(pcm: bytes) -> bytes:
    """A binary frame as a client sends it, under a mask that changes nothing."""
    length = len(pcm)
    if length < 126:
        return bytes((0x82, 0x80 | length, 0, 0, 0, 0)) + pcm
    if length < 2**16:
        return bytes((0x82, 0x80 | 126, *length.to_bytes(2, "big"), 0, 0, 0, 0)) + pcm
    return bytes((0x82, 0x80 | 127, *length.to_bytes(8, "big"), 0, 0, 0, 0)) + pcm


@pytest.mark.parametrize("frame_bytes", [0, 1, 640, 2**16 - 1, 2 * 2**20 - 1])
async def test_a_stream_takes_less_than_8_mb_whatever_its_client_sends(frame_bytes: int) -> None:
    loop = asyncio.get_running_loop()
    # Neither socket buffers nor what sends count: bytes that are sent as they are, past aiohttp.
    frames = memoryview(masked(bytes(frame_bytes)) * (16 * 2**20 // (frame_bytes + 6)))
    async with server(recognizer=None, responder=Stuck(), record=False, key="secret") as local:
        with socket.create_connection(("127.0.0.1", int(local.url.rpartition(":")[2]))) as client:
            client.setblocking(False)
            await loop.sock_sendall(client, upgrade("secret"))
            assert b" 101 " in await loop.sock_recv(client, 1000)
            tracemalloc.start()
            try:
                sending = asyncio.create_task(loop.sock_sendall(client, frames))
                _, waiting = await asyncio.wait([sending], timeout=1.0)
                _, peak_bytes = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            sending.cancel()
            await asyncio.wait([sending])
            reset(client)
    assert waiting, "all of it was taken"
    assert peak_bytes < 8_000_000


def upgrade(key: str) -> bytes:
    """The request that opens a websocket."""
    headers = f"Host: localhost\r\nX-API-Key: {key}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    websocket = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    return f"GET {PATH}?{urlencode(QUERY)} HTTP/1.1\r\n{headers}{websocket}\r\n".encode()


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def test_a_client_that_reads_nothing_does_not_keep_the_server_from_dropping_it() -> None:
    script = Script([Line(0.0, json.dumps({"type": "x" * 1_000_000}))] * 40)
    async with server(recognizer=None, script=script) as local, connected(local):
        await eventually(lambda: local.open_streams == 1)
        await asyncio.wait_for(local.drop_all(1012), BOUND_S)
        assert local.connections[0].close_code == 1012
