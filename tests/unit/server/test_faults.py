import asyncio
import contextlib

import aiohttp
import pytest
from livekit.plugins.cartesia_turns.server import Faults, Vendor
from livekit.plugins.cartesia_turns.server.faults import PaceLimit, faults_of, reached
from livekit.plugins.cartesia_turns.wire.messages import Connected, ErrorMessage, TurnStart
from livekit.plugins.cartesia_turns.wire.protocol import PATH
from support import speech, synthetic
from support.localserver import SENTENCE, finals, kinds, server
from support.rawclient import RawClient, connected
from support.waiting import eventually

QUIET_S = 0.3


async def says_nothing_more(client: RawClient) -> bool:
    """Whether no frame comes within QUIET_S."""
    receiving = asyncio.ensure_future(client.next())
    done, _ = await asyncio.wait([receiving], timeout=QUIET_S)
    receiving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await receiving
    return not done


def first_excess(limit: PaceLimit, pace: float, *, seconds: float = 60.0, frame_s: float = 0.02) -> float | None:
    """Seconds until audio at this pace is too much, None where it never is."""
    for count in range(round(seconds * pace / frame_s)):
        now_s = count * frame_s / pace
        if limit.exceeded_by(frame_s, now_s):
            return now_s
    return None


def test_a_plan_is_one_for_all_or_a_list_or_a_choice_by_index() -> None:
    bad = Faults(refuse=True)
    assert [faults_of(bad, index) for index in range(2)] == [bad, bad]
    assert [faults_of([bad], index) for index in range(2)] == [bad, Faults()]
    assert [faults_of(lambda index: Faults(refuse=index == 1), index) for index in range(2)] == [Faults(), bad]


def test_a_fault_that_is_not_set_is_never_reached() -> None:
    assert not reached(None, 1e9)
    assert reached(0.0, 0.0)
    assert not reached(1.0, 0.9)


def test_audio_at_the_pace_or_slower_is_never_too_much() -> None:
    assert first_excess(PaceLimit(1.0, 0.1), 1.0) is None
    assert first_excess(PaceLimit(1.5, 0.1), 1.49) is None
    assert first_excess(PaceLimit(1.0, 0.1), 0.5) is None


def test_faster_audio_is_too_much_once_the_burst_is_used_up() -> None:
    after_s = first_excess(PaceLimit(1.5, 1.0), 2.0)
    assert after_s is not None
    assert 1.9 <= after_s <= 2.1


def test_a_burst_is_taken_at_once_up_to_its_length_and_again_when_time_has_passed() -> None:
    limit = PaceLimit(1.0, 1.0)
    assert not limit.exceeded_by(1.0, 0.0)
    assert not limit.exceeded_by(1.0, 1.0)
    assert limit.exceeded_by(0.1, 1.0)


def test_frames_that_add_up_to_the_burst_are_taken() -> None:
    limit = PaceLimit(1.0, 1.0)
    assert not any(limit.exceeded_by(0.02, 0.0) for _ in range(50))
    assert limit.exceeded_by(0.02, 0.0)


def test_silence_on_the_line_saves_nothing_up() -> None:
    limit = PaceLimit(1.0, 1.0)
    assert not limit.exceeded_by(0.5, 0.0)
    assert limit.exceeded_by(1.1, 100.0)


async def test_a_refused_connection_is_reset_in_place_of_an_answer() -> None:
    async with server(faults=Faults(refuse=True)) as local:
        host, _, port = local.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {PATH} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        assert [handshake.status for handshake in local.handshakes] == [0]


async def test_one_refusal_is_noticed_by_a_client_whose_library_asks_once_more() -> None:
    async with server(faults=[Faults(refuse=True), Faults(status=503)]) as local:
        with pytest.raises(aiohttp.ClientOSError):
            async with connected(local):
                pass
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with connected(local):
                pass
        async with connected(local) as client:
            await client.until(Connected)
        assert [handshake.status for handshake in local.handshakes] == [0, 503, 101]


async def test_a_status_is_answered_with_its_headers() -> None:
    async with server(faults=[Faults(status=503, status_headers={"Retry-After": "7"})]) as local:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with connected(local):
                pass
        assert caught.value.status == 503
        assert caught.value.headers is not None
        assert caught.value.headers["Retry-After"] == "7"
        async with connected(local) as client:
            await client.until(Connected)
        assert [handshake.status for handshake in local.handshakes] == [503, 101]


async def test_the_handshake_can_be_delayed_beyond_a_timeout() -> None:
    async with server(faults=Faults(handshake_delay_s=30)) as local, aiohttp.ClientSession() as session:
        connecting = asyncio.ensure_future(session.get(local.url + PATH))
        done, _ = await asyncio.wait([connecting], timeout=QUIET_S)
        connecting.cancel()
        assert not done


async def test_connected_can_be_left_out() -> None:
    async with server(faults=Faults(no_connected=True)) as local, connected(local) as client:
        await client.send(SENTENCE)
        messages = await client.close()
        assert Connected not in kinds(messages)
        assert finals(messages) == [synthetic.text(0, 4)]


@pytest.mark.parametrize(("code", "seen"), [(None, {None, 1006}), (1000, {1000}), (1011, {1011})])
async def test_a_drop_comes_at_its_audio_time_by_reset_or_close_frame(code: int | None, seen: set[int | None]) -> None:
    async with server(faults=Faults(drop_at_s=0.7, drop_code=code)) as local, connected(local) as client:
        with contextlib.suppress(ConnectionError):
            await client.send(SENTENCE)
        assert TurnStart in kinds(await client.rest()) or code is None
        assert client.socket.close_code in seen
        await eventually(lambda: local.open_streams == 0)
        assert local.connections[0].audio_s == pytest.approx(0.7, abs=0.021)
        assert local.connections[0].close_code == code or 1006


async def test_a_stalled_server_sends_no_events_but_reads_and_answers_pings() -> None:
    faults = Faults(stall_at_s=0.7)
    async with server(faults=faults) as local, connected(local, heartbeat_s=QUIET_S / 4) as client:
        await client.send(SENTENCE)
        await client.until(TurnStart)
        await eventually(lambda: local.connections[0].audio_s == len(SENTENCE) / 32000)
        assert await says_nothing_more(client)
        assert not client.socket.closed


async def test_a_half_open_server_answers_nothing_not_even_pings() -> None:
    faults = Faults(half_open_at_s=0.7)
    async with server(faults=faults) as local, connected(local, heartbeat_s=QUIET_S / 2) as client:
        await client.send(SENTENCE)
        assert kinds(await client.rest()) == [Connected, TurnStart]
        assert client.socket.close_code in (None, 1006)
        assert local.connections[0].audio_s == pytest.approx(0.7, abs=0.021)


async def test_garbage_is_sent_once_at_its_time() -> None:
    garbage: list[str | bytes] = ["[1, 2]", b"\x80", "nope"]
    async with server(faults=Faults(garbage_at_s=0.1, garbage=garbage)) as local, connected(local) as client:
        await client.until(Connected)
        await client.send(speech.silence(0.5))
        assert [(await client.socket.receive()).data for _ in garbage] == garbage
        assert await says_nothing_more(client)


async def test_a_slow_reader_takes_no_more_than_its_bytes_per_second() -> None:
    async with server(faults=Faults(slow_read_bytes_per_s=1_000_000)) as local, connected(local) as client:
        await client.send(bytes(200_000), frame_bytes=20_000)
        await client.close()
        await eventually(lambda: local.open_streams == 0)
        record = local.connections[0]
        assert record.closed_s is not None
        assert record.closed_s - record.opened_s >= 0.2


async def test_close_can_be_answered_in_full_without_closing() -> None:
    async with server(faults=Faults(never_close=True)) as local, connected(local) as client:
        await client.send(SENTENCE)
        await client.command(type="close")
        while not finals(client.messages):
            await client.next()
        assert await says_nothing_more(client)
        assert not client.socket.closed


async def test_every_config_can_be_rejected_and_the_stream_goes_on() -> None:
    async with server(faults=Faults(reject_config=True)) as local, connected(local) as client:
        await client.command(type="config", turn={"end_threshold": 0.1})
        await client.send(SENTENCE)
        messages = await client.close()
        stream = local.connections[0].stream
    assert [kind for kind in kinds(messages) if kind is ErrorMessage] == [ErrorMessage]
    assert finals(messages) == [synthetic.text(0, 4)]
    assert stream is not None
    assert stream.turn == Vendor().turn_defaults


async def test_audio_that_comes_too_fast_is_an_error_and_a_close_with_1008() -> None:
    async with server(faults=Faults(max_pace=1.5, pace_status=429)) as local, connected(local) as client:
        await client.send(speech.silence(2.0))
        error = (await client.rest())[-1]
        assert isinstance(error, ErrorMessage)
        assert error.status_code == 429
        assert client.socket.close_code == 1008
        assert 1.0 < local.connections[0].audio_bytes / 32000 < 1.5


async def test_a_burst_within_the_allowance_is_taken() -> None:
    faults = Faults(max_pace=1.0, pace_burst_s=3.0)
    async with server(faults=faults) as local, connected(local) as client:
        await client.send(SENTENCE)
        assert finals(await client.close()) == [synthetic.text(0, 4)]
