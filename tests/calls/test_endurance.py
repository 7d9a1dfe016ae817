"""Long outages, refusals, slow peers and floods: what is bounded stays bounded, and what can be kept is kept."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, stt
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns import AudioLostError, ServerError
from livekit.plugins.cartesia_turns.core.limiter import RATE_LIMITED_S, SPACING_S
from livekit.plugins.cartesia_turns.server import Faults, LocalServer
from support.calls import RATE, calling, talking
from support.noise import Room
from support.numbered import FRAME_S, Ears, joined, numbered
from support.peers import counted_session
from support.proxy import Proxy
from support.script import SAYS_NOTHING
from support.waiting import holds, until


class Backlog:
    """Numbered frames pushed as fast as they can be."""

    def __init__(self, stream: cartesia_turns.SpeechStream) -> None:
        self._stream = stream
        self._number = 0

    def pause(self, seconds: float) -> None:
        self._push(seconds, voiced=False)

    def speak(self, seconds: float) -> str:
        """Returns the words."""
        return " ".join(map(str, self._push(seconds, voiced=True)))

    def _push(self, seconds: float, *, voiced: bool) -> range:
        frames = range(self._number, self._number + round(seconds / FRAME_S))
        for number in frames:
            self._stream.push_frame(numbered(number, voiced=voiced))
        self._number = frames.stop
        return frames


# Refusals.


@pytest.mark.parametrize("status", [400, 401, 402, 403])
async def test_a_refusal_that_can_not_pass_surfaces_after_one_attempt(status: int) -> None:
    async with LocalServer(script=SAYS_NOTHING, faults=Faults(status=status)) as server, calling(server) as call:
        call.push(0.2)
        await call.over(within_s=2)
        assert [handshake.status for handshake in server.handshakes] == [status]
    assert isinstance(call.raised, ServerError)
    assert (call.raised.status_code, call.raised.title) == (status, "Server fault")
    assert call.raised.request_id
    assert [error.recoverable for error in call.errors] == [False]


async def test_a_wrong_key_says_so_in_the_servers_words_and_never_the_key() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server, api_key="sk-wrong-key") as call:
        await call.over(within_s=2)
    assert isinstance(call.raised, ServerError)
    assert "Unauthorized" in str(call.raised)
    assert str(call.raised.doc_url) in str(call.raised)
    assert "sk-wrong" not in f"{call.raised!r} {call.public} {call.errors}"


async def test_a_model_that_is_not_served_surfaces_with_what_is() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server, model="ink-9") as call:
        await call.over(within_s=2)
    assert "ink-2" in str(call.raised)


async def test_retry_after_is_honoured() -> None:
    faults = [Faults(status=429, status_headers={"Retry-After": "1"})]
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server, calling(server) as call:
        await until(lambda: call.named("connected"))
        first, second = server.handshakes
    assert (first.status, second.status) == (429, 101)
    assert 1.0 <= second.at_s - first.at_s < 2.5


async def test_attempts_are_at_most_one_a_second_after_the_first_two() -> None:
    async with (
        LocalServer(script=SAYS_NOTHING, faults=Faults(status=503)) as server,
        calling(server, outage_timeout=60),
    ):
        await until(lambda: len(server.handshakes) == 4, within_s=8)
        times = [handshake.at_s for handshake in server.handshakes]
    waits = [after - before for before, after in itertools.pairwise(times)]
    assert waits[0] < 0.5
    assert waits[1] >= 1
    assert waits[2] >= 1.9


async def test_fewer_retries_than_usual_surface_an_outage_soon() -> None:
    options = APIConnectOptions(max_retry=1)
    server = LocalServer(script=SAYS_NOTHING, faults=Faults(status=503))
    async with server, calling(server, conn_options=options) as call:
        await call.over(within_s=2)
        assert len(server.handshakes) == 2
    assert isinstance(call.raised, ServerError)


async def test_fewer_retries_than_usual_surface_a_long_retry_after_soon() -> None:
    options = APIConnectOptions(max_retry=1)
    server = LocalServer(script=SAYS_NOTHING, faults=Faults(status=429, status_headers={"Retry-After": "30"}))
    async with server, calling(server, conn_options=options) as call:
        await call.over(within_s=2)
        assert len(server.handshakes) == 1
    assert isinstance(call.raised, ServerError)


@pytest.mark.parametrize("max_retry", [1, 3])
async def test_under_a_key_that_was_told_to_wait_for_an_hour_every_stream_surfaces_at_once(max_retry: int) -> None:
    faults = Faults(status=429, status_headers={"Retry-After": "3600"})
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        for _ in range(2):
            async with talking(owner, conn_options=APIConnectOptions(max_retry=max_retry)) as call:
                await call.over(within_s=2)
            assert isinstance(call.raised, ServerError)
            assert call.raised.status_code == 429
            assert [event.retry_in_s for event in call.named("connection_error")] == [None]
        assert len(server.handshakes) == 2


async def test_a_stream_whose_turn_is_far_off_says_so_and_connects_when_it_comes() -> None:
    faults = [Faults(status=429, status_headers={"Retry-After": "6"})]
    options = APIConnectOptions(timeout=2.0)
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        async with talking(owner, conn_options=options) as first:
            await until(lambda: first.named("connection_error"))
            await first.stream.aclose()
            async with talking(owner, conn_options=options) as call:
                await until(lambda: call.named("connected"), within_s=10)
                (told,) = call.named("connection_error")
                refused, served = server.handshakes
    assert (told.error.status_code, told.retry_in_s >= 5.5) == (429, True)
    assert 6.0 <= served.at_s - refused.at_s < 8.0


async def test_many_streams_under_one_key_do_not_stampede() -> None:
    async with LocalServer(script=SAYS_NOTHING, max_streams=3) as server:
        owners = [cartesia_turns.STT(base_url=server.url, api_key=server.key) for _ in range(9)]
        streams = [owner.stream() for owner in owners]
        try:
            await until(lambda: len(server.handshakes) >= 16, within_s=15)
            handshakes = sorted(server.handshakes, key=lambda handshake: handshake.at_s)
        finally:
            await asyncio.gather(*(stream.aclose() for stream in streams))
    first_place = RATE_LIMITED_S + next(handshake.at_s for handshake in handshakes if handshake.status == 429)
    # A busy machine may let an attempt come late, and the next one right behind it, but none before its place.
    late_s = [each.at_s - first_place - number * SPACING_S for number, each in enumerate(handshakes[9:])]
    assert min(late_s) >= 0, late_s


async def test_streams_that_were_refused_connect_when_there_is_room() -> None:
    async with LocalServer(script=SAYS_NOTHING, max_streams=1) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        async with talking(owner) as second_call_waits:
            await until(lambda: server.open_streams == 1)
            async with talking(owner):
                await until(lambda: any(handshake.status == 429 for handshake in server.handshakes))
                await second_call_waits.stream.aclose()
                await until(lambda: len(server.connections) == 2, within_s=8)


# Outages.


async def test_an_outage_longer_than_the_buffer_costs_silence_first_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ears = Ears()
    async with LocalServer(responder=ears) as server, Proxy(server.url) as proxy:
        await proxy.refuse()
        async with calling(server, via=proxy.url, max_buffer=3.0) as call:
            tape = Backlog(call.stream)
            words = [tape.speak(0.6)]
            tape.pause(3.0)
            words.append(tape.speak(0.6))
            tape.pause(0.6)
            await until(lambda: call.stream.stats.held_s + call.stream.stats.lost_s > 4.7, what="all audio was taken")
            lost_s = call.stream.stats.lost_s
            assert call.stream.stats.held_s <= 3.0
            await proxy.accept()
            await until(lambda: len(call.finals) == 2, within_s=10)
            assert call.finals == words
            assert call.stream.stats.lost_s == lost_s
    assert 1.7 <= lost_s <= 3.0
    assert sum("the backlog exceeds" in record.message for record in caplog.records) == 1


async def test_an_outage_full_of_speech_keeps_the_newest() -> None:
    async with LocalServer(responder=Ears()) as server, Proxy(server.url) as proxy:
        await proxy.refuse()
        async with calling(server, via=proxy.url, max_buffer=2.0) as call:
            tape = Backlog(call.stream)
            words = ""
            for _ in range(20):
                words += f" {tape.speak(1.4)}"
                tape.pause(0.1)
            tape.pause(0.5)
            await until(lambda: call.stream.stats.lost_s > 27)
            assert call.stream.stats.held_s <= 2.0
            await proxy.accept()
            await until(lambda: call.finals, within_s=10)
    assert words.endswith(call.finals[0])
    assert len(call.finals[0].split()) >= 60


async def test_memory_stays_flat_however_long_an_outage_lasts() -> None:
    server = LocalServer(responder=Ears(), faults=Faults(status=503))
    async with server, calling(server, max_buffer=2.0) as call:
        for minute in range(1, 5):
            Backlog(call.stream).speak(60)
            await until(lambda minute=minute: call.stream.stats.lost_s > 60 * minute - 3)  # type: ignore[misc]
            assert call.stream.stats.held_s <= 2.0


@pytest.mark.parametrize("outage_s", [0.0, 0.5, 1.5])
async def test_an_outage_that_outlasts_its_time_closes_the_turn_and_surfaces_then(outage_s: float) -> None:
    async with (
        LocalServer(responder=Ears()) as server,
        Proxy(server.url) as proxy,
        calling(server, via=proxy.url, outage_timeout=outage_s) as call,
    ):
        words = Backlog(call.stream).speak(0.2)
        await until(lambda: any(words in entry for entry in call.log))
        await proxy.refuse()
        began = asyncio.get_running_loop().time()
        proxy.reset()
        await call.over()
        assert outage_s - 0.1 <= asyncio.get_running_loop().time() - began <= outage_s + 0.5
    assert call.log[-2:] == [f"FINAL {words}", "END"]
    assert isinstance(call.raised, APIError)


# Floods and slow peers.


@pytest.mark.slow
async def test_a_minute_in_one_go_to_a_reader_that_has_stopped_is_all_heard_and_all_paid() -> None:
    async with LocalServer(responder=Ears()) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        stream = owner.stream()
        tape = Backlog(stream)
        words = []
        for _ in range(19):
            words.append(tape.speak(2.2))
            tape.pause(0.9)
        stream.end_input()
        await until(lambda: server.connections and server.connections[0].closed_s, within_s=20)
        events = [event async for event in stream]
        heard_s = server.connections[0].audio_bytes / 32_000
        assert stream.stats.lost_s == 0
        await stream.aclose()
    finals = [event.alternatives[0].text for event in events if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT]
    assert finals == words
    paid_s = sum(event.recognition_usage.audio_duration for event in events if event.recognition_usage)
    assert paid_s == pytest.approx(heard_s)
    assert heard_s == pytest.approx(19 * 3.1)


@pytest.mark.parametrize("frame_s", [0.02, 60.0], ids=["frame by frame", "in one frame"])
async def test_a_flood_does_not_hold_up_the_event_loop(frame_s: float) -> None:
    async with LocalServer(script=SAYS_NOTHING, faults=Faults(status=503)) as server, calling(server) as call:
        held_s = [0.0]
        for _ in range(round(60 / frame_s)):
            call.push(frame_s)
        while held_s[-1] < 50:
            await asyncio.sleep(0)
            held_s.append(call.stream.stats.held_s)
    assert max(after - before for before, after in itertools.pairwise(held_s)) < 2.5


@pytest.mark.parametrize("in_one_frame", [False, True], ids=["frame by frame", "in one frame"])
async def test_more_than_the_buffer_holds_is_all_heard_where_the_input_ends_with_it(in_one_frame: bool) -> None:
    async with LocalServer(responder=Ears()) as server, calling(server, max_buffer=2.0) as call:
        frames = [numbered(number, voiced=number % 50 < 20) for number in range(500)]
        if in_one_frame:
            pcm = b"".join(bytes(frame.data) for frame in frames)
            frames = [rtc.AudioFrame(pcm, RATE, 1, len(pcm) // 2)]
        for frame in frames:
            call.stream.push_frame(frame)
        call.stream.end_input()
        await call.over(within_s=10)
        assert (call.raised, call.stream.stats.lost_s) == (None, 0)
    words = " ".join(call.finals).split()
    assert words == [str(number) for number in range(500) if number % 50 < 20]


async def test_new_keyterms_cost_no_word_where_one_long_frame_has_the_end_of_a_turn_and_the_next_words() -> None:
    voiced = [*[False] * 20, *[True] * 10, *[False] * 30, *[True] * 25, *[False] * 15]
    pcm = joined([*enumerate(voiced)], Room("noise", white_dbfs=-45)).tobytes()
    size = RATE  # half a second in bytes
    async with LocalServer(responder=Ears()) as server, calling(server) as call:
        await until(lambda: call.named("connected"))
        for start in range(0, len(pcm), size):
            call.stream.push_frame(rtc.AudioFrame(pcm[start : start + size], RATE, 1, size // 2))
            await asyncio.sleep(0.5)
            if not start:
                call.stt.update_options(keyterm=["Ada"])
        call.stream.end_input()
        await call.over()
        assert len(server.connections) > 1
    words = " ".join(call.finals).split()
    assert words == [str(number) for number, is_voiced in enumerate(voiced) if is_voiced]


async def test_a_stream_that_lost_audio_ends_with_an_error_that_says_how_much() -> None:
    server = LocalServer(responder=Ears(), faults=Faults(status=503))
    async with server, calling(server, max_buffer=2.0) as call:
        tape = Backlog(call.stream)
        words = tape.speak(10.0)
        await until(lambda: call.stream.stats.lost_s > 7)
        server.faults = Faults()
        call.stream.end_input()
        await call.over(within_s=10)
        lost_s = call.stream.stats.lost_s
    assert call.finals[-1].split()[-1] == words.split()[-1], "what could be heard was told"
    assert isinstance(call.raised, AudioLostError)
    assert call.raised.lost_s == lost_s > 7
    assert f"{lost_s:.1f} s of audio were dropped" in str(call.raised)
    assert [error.recoverable for error in call.errors] == [False]


async def test_more_than_the_buffer_holds_pushed_at_once_keeps_the_newest() -> None:
    server = LocalServer(responder=Ears(), faults=Faults(status=503))
    async with server, calling(server, max_buffer=1.0) as call:
        tape = Backlog(call.stream)
        words = tape.speak(10.0)
        tape.pause(0.6)
        await until(lambda: call.stream.stats.lost_s > 5)
        server.faults = Faults()
        await until(lambda: call.finals, within_s=10)
    assert call.finals[-1].split()[-1] == words.split()[-1]


async def test_a_peer_that_reads_slowly_gets_everything_and_can_be_left_at_any_time() -> None:
    async with LocalServer(responder=Ears()) as server, narrow(Proxy(server.url)) as proxy:
        proxy.bytes_per_s = 48_000
        async with counted_session() as (session, count), calling(server, via=proxy.url, http_session=session) as call:
            tape = Backlog(call.stream)
            words = tape.speak(4.0)
            tape.pause(0.6)
            await until(lambda: call.finals, within_s=15)
            assert call.finals == [words]
            proxy.bytes_per_s = 1
            tape.speak(30.0)
            await holds(lambda: call.raised is None, for_s=0.5)
            started = time.monotonic()
            await call.stream.aclose()
            assert time.monotonic() - started < 1
            await until(lambda: count.open == 0, within_s=1)


def narrow(proxy: Proxy) -> Proxy:
    proxy.receive_buffer = 4096
    return proxy
