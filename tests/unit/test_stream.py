from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, stt, utils
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns import Cause, UnreachableError
from livekit.plugins.cartesia_turns.core import feed as feed_module
from livekit.plugins.cartesia_turns.net import connection as connection_module
from livekit.plugins.cartesia_turns.net.connection import Connection
from livekit.plugins.cartesia_turns.server import Faults, Line, LocalServer, Script, say
from livekit.plugins.cartesia_turns.wire.messages import (
    ServerMessage,
    TurnEagerEnd,
    TurnEnd,
    TurnResume,
    TurnStart,
    TurnUpdate,
)
from support.calls import RATE, Call, calling, silent_frame, talking
from support.exposed import exposed
from support.peers import ForwardProxy, counted_session, tcp_peer, web_peer
from support.waiting import holds, until

QUIET = Script([])
START, END = TurnStart(""), TurnEnd("", "the end")
ONCE = APIConnectOptions(max_retry=0, timeout=0.3)


def update(text: str) -> TurnUpdate:
    return TurnUpdate("", text)


def eager(text: str) -> TurnEagerEnd:
    return TurnEagerEnd("", text)


def end(text: str) -> TurnEnd:
    return TurnEnd("", text)


def playing(*messages: ServerMessage) -> Script:
    """All of it at 0.1 s of audio."""
    return Script([say(0.1, message) for message in messages])


# The mapping.


@pytest.mark.parametrize(
    ("messages", "log"),
    [
        ([START, update("hi"), end("hi.")], ["START", "INTERIM hi", "FINAL hi.", "END"]),
        ([START, end("hi")], ["START", "FINAL hi", "END"]),
        ([START, update(" a  b "), end(" a  b c ")], ["START", "INTERIM  a  b ", "FINAL  a  b c ", "END"]),
        ([START, update(""), update("a"), update("a"), end("a")], ["START", "INTERIM a", "FINAL a", "END"]),
        (
            [START, eager("a"), eager("a"), eager("a b"), end("a b")],
            ["START", "PREFLIGHT a", "PREFLIGHT a b", "FINAL a b", "END"],
        ),
        (
            [START, update("a"), eager("a"), TurnResume(""), update("a"), update("a b"), end("a b")],
            ["START", "INTERIM a", "PREFLIGHT a", "INTERIM a", "INTERIM a b", "FINAL a b", "END"],
        ),
        (
            [START, eager("a"), TurnResume(""), eager("a"), end("a")],
            ["START", "PREFLIGHT a", "INTERIM a", "FINAL a", "END"],
        ),
        ([START, end("")], ["START", "INTERIM ", "END"]),
        ([START, update("a"), end("")], ["START", "INTERIM a", "FINAL a", "END"]),
        ([end("all of it")], ["START", "FINAL all of it", "END"]),
        ([update("a"), end("a b")], ["START", "INTERIM a", "FINAL a b", "END"]),
        ([eager("a"), end("a")], ["START", "PREFLIGHT a", "FINAL a", "END"]),
        ([end(""), TurnResume(""), update("")], []),
        ([START, START, update("a"), end("a")], ["START", "INTERIM a", "FINAL a", "END"]),
        (
            [START, update("a"), START, update("b"), end("b")],
            ["START", "INTERIM a", "FINAL a", "END", "START", "INTERIM b", "FINAL b", "END"],
        ),
        (
            [START, update("a"), START, update("a"), update("a b"), end("a b")],
            ["START", "INTERIM a", "INTERIM a b", "FINAL a b", "END"],
        ),
        ([START, update("a"), START, end("")], ["START", "INTERIM a", "FINAL a", "END"]),
        ([START, update(" "), eager("\n"), TurnResume(""), end(" ")], ["START", "INTERIM ", "END"]),
        ([START, update("."), eager("?!"), TurnResume(""), end(".")], ["START", "FINAL .", "END"]),
        ([START, end("a"), START, end("b")], ["START", "FINAL a", "END", "START", "FINAL b", "END"]),
        ([START, end("a"), end("b")], ["START", "FINAL a", "END", "START", "FINAL b", "END"]),
    ],
)
async def test_messages_become_these_events(messages: list[ServerMessage], log: list[str]) -> None:
    async with LocalServer(script=playing(*messages)) as server, calling(server) as call:
        call.push(0.2)
        call.stream.end_input()
        await call.over()
    assert call.log == log
    assert call.raised is None


async def test_every_event_has_the_request_id_and_a_transcript_has_one_english_alternative() -> None:
    script = playing(START, update("a"), eager("a b"), TurnResume(""), end("a b"), START, end(""))
    async with LocalServer(script=script) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: call.log.count("END") == 2)
        request_id = server.connections[0].request_id
    assert {event.request_id for event in call.events} == {request_id}
    for event in call.events:
        is_transcript = event.type.name.endswith("TRANSCRIPT")
        assert [data.language for data in event.alternatives] == ["en"] * is_transcript


async def test_usage_comes_before_the_end_of_speech() -> None:
    async with LocalServer(script=playing(START, end("a"))) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
    assert [event.type for event in call.events][-3:] == [
        stt.SpeechEventType.FINAL_TRANSCRIPT,
        stt.SpeechEventType.RECOGNITION_USAGE,
        stt.SpeechEventType.END_OF_SPEECH,
    ]


ODD: dict[str, list[str | bytes]] = {
    "not JSON": ["", "{", "turn.end", '{"type": "turn.end"', "NaN,"],
    "not a JSON object": ["[]", "3", '"text"', "null", "true"],
    "`type` is missing": ["{}", '{"transcript": "x"}'],
    "`type` is not a string": ['{"type": 3}', '{"type": {}}'],
    "a binary frame": [b"", b"\0\1\2", b'{"type": "turn.end", "transcript": "x"}'],
    "a message of an unknown type": ['{"type": "turn.dance"}', '{"type": ""}'],
}


async def test_odd_frames_are_logged_once_a_kind_and_the_stream_lives(caplog: pytest.LogCaptureFixture) -> None:
    lines = [Line(0.1, frame) for frames in ODD.values() for frame in frames] * 3
    async with LocalServer(script=Script([*lines, say(0.1, START), say(0.1, END)])) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
        assert call.log == ["START", "FINAL the end", "END"]
        assert len(server.connections) == 1
    logged = [vars(record)["frame"] for record in caplog.records if "odd frame" in record.message]
    assert logged == list(ODD)


async def test_unknown_fields_are_ignored() -> None:
    message = {"type": "turn.end", "transcript": "hi", "confidence": 0.5, "words": [{"a": None}], "request_id": None}
    async with LocalServer(script=Script([Line(0.1, message)])) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
    assert call.finals == ["hi"]


@pytest.mark.parametrize("rest", [{}, {"transcript": None}, {"transcript": ["the end"]}, {"transcript": ""}])
async def test_an_end_without_a_usable_transcript_ends_the_turn_with_the_text_shown(rest: dict[str, object]) -> None:
    lines = [say(0.1, START), say(0.1, update("so far")), Line(0.1, {"type": "turn.end", **rest})]
    async with LocalServer(script=Script(lines)) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
        assert call.log == ["START", "INTERIM so far", "FINAL so far", "END"]


async def test_the_name_and_the_languages_of_a_turn_reach_its_events() -> None:
    languages = [{"language": "hi", "confidence": 1.0}, {"language": "en", "confidence": 0.25}]
    lines: list[dict[str, object]] = [
        {"type": "turn.start", "turn_id": "t1", "transcript": "odd"},
        {"type": "turn.update", "turn_id": "t1", "transcript": "a"},
        {"type": "turn.end", "turn_id": "t1", "transcript": "a b", "languages": languages},
    ]
    script = Script([Line(0.1, line) for line in lines])
    async with LocalServer(script=script) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
    assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]
    labels = [data.language for event in call.events for data in event.alternatives]
    assert labels == ["en", "hi"]
    assert [event.turn_id for name, event in call.public if name.startswith("turn_")] == ["t1"] * 3
    (ended,) = call.named("turn_end")
    assert ended.languages == (
        cartesia_turns.DetectedLanguage("hi", 1.0),
        cartesia_turns.DetectedLanguage("en", 0.25),
    )


# Audio.


@pytest.mark.parametrize(("rate", "channels"), [(16000, 2), (48000, 1), (24000, 2), (8000, 1), (44100, 1)])
async def test_audio_of_any_format_arrives_as_mono_at_the_rate_that_was_asked_for(rate: int, channels: int) -> None:
    async with LocalServer(script=QUIET, record=True) as server, calling(server) as call:
        for frame in tone(rate, channels):
            call.stream.push_frame(frame)
        call.stream.end_input()
        await call.over()
        heard = np.frombuffer(bytes(server.connections[0].audio), np.int16)
    assert abs(len(heard) / RATE - 1.0) < 0.02
    assert abs(pitch(heard) - 440) < 3
    assert 0.5 < np.abs(heard[2000:-2000]).max() / 8000 < 1.1


async def test_the_rate_may_change_in_mid_stream() -> None:
    async with LocalServer(script=QUIET, record=True) as server, calling(server) as call:
        for rate, channels in ((48000, 1), (16000, 2), (8000, 1), (16000, 1)):
            for frame in tone(rate, channels):
                call.stream.push_frame(frame)
        call.stream.end_input()
        await call.over()
        heard = np.frombuffer(bytes(server.connections[0].audio), np.int16)
    assert abs(len(heard) / RATE - 4.0) < 0.05
    for second in range(4):
        assert abs(pitch(heard[second * RATE + 1000 : (second + 1) * RATE - 1000]) - 440) < 3


async def test_opposite_channels_cancel_out_and_equal_ones_keep_their_level() -> None:
    left = np.full(1600, 1000, np.int16)
    async with LocalServer(script=QUIET, record=True) as server, calling(server) as call:
        for right in (left, -left):
            stereo = np.column_stack([left, right]).tobytes()
            call.stream.push_frame(rtc.AudioFrame(stereo, RATE, 2, 1600))
        await until(lambda: server.connections and server.connections[0].audio_s == 0.2)
        heard = np.frombuffer(bytes(server.connections[0].audio), np.int16)
    assert heard.tolist() == [1000] * 1600 + [0] * 1600


async def test_frames_pass_through_as_they_come_by_default() -> None:
    sizes = await sizes_sent([0.02, 0.01, 0.05])
    assert sizes == [640, 320, 1600]


async def test_frames_are_cut_into_chunks_where_that_is_wanted_and_the_rest_goes_out_in_time() -> None:
    sizes = await sizes_sent([0.02] * 6 + [0.13], audio_chunk_duration_ms=100)
    assert sizes == [3200, 3200, 1600]


async def test_a_flush_sends_a_chunk_that_is_not_full() -> None:
    async with LocalServer(script=QUIET) as server, calling(server, audio_chunk_duration_ms=200) as call:
        call.push(0.1)
        call.stream.flush()
        await until(lambda: server.connections and server.connections[0].audio_s == 0.1)


async def sizes_sent(seconds: list[float], **arguments: Any) -> list[int]:
    """The sizes of the binary messages that these frames become."""
    sizes: list[int] = []

    async def note(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            sizes.extend([len(message.data)] if message.type is aiohttp.WSMsgType.BINARY else [])
        return ws

    async with web_peer(note) as url:
        owner = cartesia_turns.STT(base_url=url, api_key="k", **arguments)
        async with talking(owner) as call:
            for length in seconds:
                call.push(length)
            await until(lambda: sum(sizes) == round(sum(seconds) * RATE) * 2)
            return list(sizes)


def tone(rate: int, channels: int) -> list[rtc.AudioFrame]:
    """A second of a 440 Hz tone, in frames of 10 ms."""
    samples = (8000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.int16)
    size = rate // 100
    parts = [np.repeat(samples[at : at + size], channels).tobytes() for at in range(0, rate, size)]
    return [rtc.AudioFrame(part, rate, channels, size) for part in parts]


def pitch(samples: np.ndarray[Any, np.dtype[np.int16]]) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * RATE / len(samples)


# The watchdog.


async def test_silence_is_sent_in_mid_turn_until_the_turn_ends_and_not_before_nor_after(
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = Script([say(0.2, START), say(1.2, end("a"))])
    async with LocalServer(script=script) as server, calling(server, watchdog_min_timeout=0.5) as call:
        call.push(0.1)
        await holds(lambda: call.stream.stats.silent_s == 0, for_s=1.0)
        call.push(0.1)
        await until(lambda: "START" in call.log)
        await holds(lambda: call.stream.stats.silent_s == 0, for_s=0.25)
        await until(lambda: "END" in call.log)
        sent_s = call.stream.stats.sent_s
        assert call.stream.stats.silent_s == pytest.approx(sent_s - 0.2)
        await holds(lambda: call.stream.stats.sent_s == sent_s, for_s=0.4)
        assert server.connections[0].audio_s == pytest.approx(sent_s, abs=0.01)
        await until(lambda: call.usage_s == pytest.approx(sent_s, abs=0.01))
    assert call.log == ["START", "FINAL a", "END"]
    assert sum("sending silence" in record.message for record in caplog.records) == 1


async def test_no_silence_is_sent_while_audio_flows_in_mid_turn() -> None:
    async with LocalServer(script=playing(START)) as server, calling(server, watchdog_min_timeout=0.5) as call:
        call.push(0.2)
        await until(lambda: "START" in call.log)
        for _ in range(100):
            call.push(0.05)
            await asyncio.sleep(0.03)  # audio that flows
        assert call.stream.stats.silent_s == 0


async def test_a_turn_that_silence_does_not_end_is_closed_from_what_is_known() -> None:
    script = Script([say(0.1, START), say(0.1, update("half a")), say(99, END)])
    arguments: dict[str, Any] = {"watchdog_min_timeout": 0.1, "turn_end_timeout_ms": 640}
    async with LocalServer(script=[script, QUIET]) as server, calling(server, **arguments) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
        assert call.log == ["START", "INTERIM half a", "FINAL half a", "END"]
        assert call.stream.stats.turns_closed_by_us == 1
        assert 1.6 <= call.stream.stats.silent_s < 2.5
        call.push(0.2)
        await until(lambda: len(server.connections) == 2)
        assert call.log[-1] == "END"


# The end.


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
    async with LocalServer(script=QUIET) as server, calling(server) as call:
        call.stream.end_input()
        with pytest.raises(RuntimeError, match="input ended"):
            call.push(0.1)


# Closing. Each state is a way to get there; what is left afterwards is nothing.


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
    async with LocalServer(script=playing(START, update("a"), END)) as server:
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
    async with LocalServer(script=playing(START, END)) as server, aiohttp.ClientSession() as session:
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


# Whatever happens, only an APIError leaves.


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
    async with tcp_peer(proxy) as proxy_url, LocalServer(script=QUIET) as server, utils.http_context.open() as session:
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
    async with LocalServer(script=QUIET) as server, calling(server, http_session=session) as call:
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
    async with LocalServer(script=QUIET) as server, calling(server) as call:
        raised = await failure(call)
    said = [vars(record) for record in caplog.records]
    assert "secret" not in f"{exposed(raised)} {call.exposed} {said}"
    (report,) = [record for record in said if "where" in record]
    assert report["error"] == type(error).__name__
    assert report["where"].startswith("fail:")


@pytest.mark.parametrize("method", ["send", "receive", "close"])
@pytest.mark.parametrize("error", [RuntimeError(), TimeoutError(), asyncio.TimeoutError(), AssertionError()])
async def test_a_bug_in_the_connection_is_an_api_error(
    method: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Connection, method, fail)
    async with LocalServer(script=QUIET) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: server.connections)
        await server.drop_all(1001)
        await failure(call)


@pytest.mark.parametrize(
    "name", ["push_audio", "tick", "receive", "outgoing", "pong", "take_events", "deadline", "may_send"]
)
async def test_a_bug_in_the_client_is_an_api_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "USAGE_EVERY_S", 0.1)
    async with LocalServer(script=playing(START)) as server, calling(server) as call:
        await until(lambda: call.named("connected"))
        is_property = isinstance(getattr(type(call.stream._client), name), property)
        bug = lambda *_, **__: 1 / 0  # noqa: E731 - either way
        monkeypatch.setattr(type(call.stream._client), name, property(bug) if is_property else bug)
        call.push(0.2)
        await server.drop_all(1001)
        call.push(0.2)
        call.stream._driver._to_tick.set()
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
    async with LocalServer(script=QUIET) as server, calling(server) as call:
        call.stream._input_ch.send_nowait(rtc.AudioFrame(b"", RATE, 0, 0))
        await failure(call)


async def test_a_send_that_is_cancelled_is_an_api_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancelled(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(Connection, "send", cancelled)
    async with LocalServer(script=QUIET) as server, calling(server) as call:
        call.push(0.2)
        await failure(call)


async def test_an_address_where_nobody_listens_is_an_api_error() -> None:
    async def nobody(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        return

    async with tcp_peer(nobody) as url:
        pass
    async with talking(cartesia_turns.STT(base_url=url, api_key="k"), conn_options=ONCE) as call:
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


# Usage.


async def test_usage_is_the_audio_sent_silence_and_replay_included() -> None:
    scripts = [playing(START, update("a")), Script([say(0.2, START), say(0.9, end("a b"))])]
    async with LocalServer(script=scripts) as server, calling(server, watchdog_min_timeout=0.1) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await server.drop_all(1011)
        await until(lambda: "END" in call.log)
        await until(lambda: call.usage_s == pytest.approx(call.stream.stats.sent_s))
        stats = call.stream.stats
        heard_s = sum(record.audio_s for record in server.connections)
    assert call.usage_s == pytest.approx(heard_s, abs=0.25)
    assert stats.replayed_s == pytest.approx(0.2, abs=0.15)
    assert stats.silent_s == pytest.approx(stats.sent_s - 0.4, abs=0.2)


async def test_usage_is_reported_while_a_turn_goes_on_and_when_the_stream_ends() -> None:
    async with LocalServer(script=QUIET) as server, calling(server) as call:
        call.push(0.5)
        await until(lambda: call.usage_s == 0.5, within_s=7)
        call.push(0.25)
        call.stream.end_input()
        await call.over()
    assert call.usage_s == 0.75


async def test_a_stream_that_was_refused_reports_no_usage() -> None:
    async with LocalServer(script=QUIET, faults=Faults(status=401)) as server, calling(server) as call:
        call.push(1)
        await call.over()
    assert call.usage_s == 0


async def test_a_stream_that_is_closed_reports_what_it_sent() -> None:
    heard: list[float] = []
    async with LocalServer(script=QUIET) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        owner.on("metrics_collected", lambda metrics: heard.append(metrics.audio_duration))
        async with talking(owner) as call:
            call.push(0.5)
            await until(lambda: server.connections and server.connections[0].audio_s == 0.5)
    assert sum(heard) == 0.5


@pytest.mark.newest
async def test_a_call_that_is_cut_off_in_mid_turn_tells_another_call_on_the_same_stt_nothing() -> None:
    async with LocalServer(script=[playing(START, update("well")), QUIET]) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: call.log == ["START", "INTERIM well"])
        async with talking(call.stt) as other:
            await until(lambda: len(other.named("connected")) == 1)
            await call.stream.aclose()
            other.push(0.2)
            other.stream.end_input()
            await other.over()
            assert other.log == []
