"""Audio of any format, and the pieces in which it is sent."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from livekit import rtc
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.audio import PcmConverter
from livekit.plugins.cartesia_turns.server import LocalServer
from support.calls import RATE, Call, calling, talking
from support.peers import web_peer
from support.script import SAYS_NOTHING
from support.waiting import until


@pytest.mark.parametrize(("rate", "channels"), [(16000, 2), (48000, 1), (24000, 2), (8000, 1), (44100, 1)])
async def test_audio_of_any_format_arrives_as_mono_at_the_rate_that_was_asked_for(rate: int, channels: int) -> None:
    async with LocalServer(script=SAYS_NOTHING, record=True) as server, calling(server) as call:
        for frame in tone(rate, channels):
            call.stream.push_frame(frame)
        call.stream.end_input()
        await call.over()
        heard = np.frombuffer(bytes(server.connections[0].audio), np.int16)
    assert abs(len(heard) / RATE - 1.0) < 0.02
    assert abs(pitch(heard) - 440) < 3
    assert 0.5 < np.abs(heard[2000:-2000]).max() / 8000 < 1.1


async def test_the_rate_may_change_in_mid_stream() -> None:
    async with LocalServer(script=SAYS_NOTHING, record=True) as server, calling(server) as call:
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
    async with LocalServer(script=SAYS_NOTHING, record=True) as server, calling(server) as call:
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


async def test_an_empty_frame_is_not_sent_whether_or_not_audio_is_live() -> None:
    sizes: list[int] = []
    async with web_peer(noting(sizes)) as url, talking(cartesia_turns.STT(base_url=url, api_key="k")) as call:
        call.push(0.0)
        await live(call)
        for _ in range(3):
            call.stream.push_frame(rtc.AudioFrame(b"", RATE, 1, 0))
            call.push(0.02)
        await until(lambda: sizes.count(640) == 4)
    assert sizes == [640] * 4


async def test_a_recording_in_one_frame_is_converted_in_pieces_and_others_get_a_turn_between_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    converted: list[float] = []
    push = PcmConverter.push

    def note(converter: PcmConverter, frame: rtc.AudioFrame) -> list[bytes]:
        converted.append(frame.duration)
        return push(converter, frame)

    monkeypatch.setattr(PcmConverter, "push", note)
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        await until(lambda: call.named("connected"))
        call.stream.push_frame(rtc.AudioFrame(bytes(48000 * 4 * 20), 48000, 2, 48000 * 20))
        by_turn = [0.0]
        while by_turn[-1] < 20:
            await asyncio.sleep(0)
            by_turn.append(sum(converted))
    assert max(converted) == 0.5
    assert max(later - before for before, later in itertools.pairwise(by_turn)) < 1.6


async def test_a_flush_sends_a_chunk_that_is_not_full() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server, audio_chunk_duration_ms=200) as call:
        call.push(0.1)
        call.stream.flush()
        await until(lambda: server.connections and server.connections[0].audio_s == 0.1)


async def test_live_audio_goes_out_before_push_frame_returns() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        await live(call)
        before_s = call.stream.stats.sent_s
        for count in (1, 2, 3):
            call.push(0.02)
            assert call.stream.stats.sent_s == pytest.approx(before_s + 0.02 * count)


@pytest.mark.parametrize("given", [{"rate": 48000}, {"channels": 2}, {"chunk": 40}])
async def test_audio_that_needs_a_conversion_stays_in_order_with_live_audio(given: dict[str, int]) -> None:
    rate, channels = given.get("rate", RATE), given.get("channels", 1)
    async with (
        LocalServer(script=SAYS_NOTHING, record=True) as server,
        calling(server, audio_chunk_duration_ms=given.get("chunk")) as call,
    ):
        await live(call)
        await until(lambda: server.connections[0].audio_s == 0.02, what="the server heard what came before")
        begins = len(server.connections[0].audio)
        for level in range(1, 41):
            count = rate // 50
            plain = rtc.AudioFrame(np.full(RATE // 50, 100 * level, np.int16).tobytes(), RATE, 1, RATE // 50)
            odd = rtc.AudioFrame(np.full(count * channels, 100 * level, np.int16).tobytes(), rate, channels, count)
            call.stream.push_frame(odd if level % 4 == 0 else plain)
            await asyncio.sleep(0)
        call.stream.end_input()
        await call.over()
        heard = np.frombuffer(bytes(server.connections[0].audio[begins:]), np.int16)
    assert len(heard) == pytest.approx(0.8 * RATE, abs=32)
    middles = heard[160::320][:40]
    assert np.abs(middles - 100 * np.arange(1, 41)).max() <= 150


async def live(call: Call) -> None:
    """Audio flows: nothing waits, so that a frame may go out without a decision."""
    await until(lambda: call.named("connected"))
    call.push(0.02)
    await until(lambda: call.stream.stats.sent_s == 0.02)


async def sizes_sent(seconds: list[float], **arguments: Any) -> list[int]:
    """The sizes of the binary messages that these frames become."""
    sizes: list[int] = []
    async with web_peer(noting(sizes)) as url:
        owner = cartesia_turns.STT(base_url=url, api_key="k", **arguments)
        async with talking(owner) as call:
            for length in seconds:
                call.push(length)
            await until(lambda: sum(sizes) == round(sum(seconds) * RATE) * 2)
            return list(sizes)


def noting(sizes: list[int]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A peer that notes the size of each binary message."""

    async def note(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_str('{"type": "connected", "request_id": "r"}')
        async for message in ws:
            sizes.extend([len(message.data)] if message.type is aiohttp.WSMsgType.BINARY else [])
        return ws

    return note


def tone(rate: int, channels: int) -> list[rtc.AudioFrame]:
    """A second of a 440 Hz tone, in frames of 10 ms."""
    samples = (8000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.int16)
    size = rate // 100
    parts = [np.repeat(samples[at : at + size], channels).tobytes() for at in range(0, rate, size)]
    return [rtc.AudioFrame(part, rate, channels, size) for part in parts]


def pitch(samples: np.ndarray[Any, np.dtype[np.int16]]) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * RATE / len(samples)
