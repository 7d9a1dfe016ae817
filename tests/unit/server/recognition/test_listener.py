import asyncio
import json
import threading
from collections.abc import AsyncIterator
from itertools import pairwise

import numpy as np
import pytest
from livekit.plugins.cartesia_turns.server import Recognizer
from livekit.plugins.cartesia_turns.server.connection import Frame
from livekit.plugins.cartesia_turns.server.handshake import StreamRequest
from livekit.plugins.cartesia_turns.server.recognition.listener import Listener
from livekit.plugins.cartesia_turns.server.recognition.pcm import Samples
from livekit.plugins.cartesia_turns.server.recognition.recognizer import Decoder, Transcriber
from livekit.plugins.cartesia_turns.wire.messages import (
    Connected,
    TurnEagerEnd,
    TurnEnd,
    TurnResume,
    TurnSettings,
    TurnStart,
)
from support import speech, synthetic
from support.localserver import SENTENCE, finals, kinds, server
from support.rawclient import connected
from support.waiting import eventually

pytestmark = pytest.mark.usefixtures("each_vendor")


async def test_a_sentence_becomes_a_turn_and_the_socket_closes_after_close() -> None:
    async with server() as local, connected(local) as client:
        await client.send(SENTENCE)
        messages = await client.close()
        assert kinds(messages) == [Connected, TurnStart, TurnEagerEnd, TurnEnd]
        assert finals(messages) == [synthetic.text(0, 4)]
        assert client.socket.close_code == 1000


async def test_a_short_pause_is_resumed_and_a_long_one_makes_two_turns() -> None:
    said, paused = synthetic.words, speech.silence
    audio = [said(0, 2), paused(0.45), said(2, 2), paused(1), said(4, 2)]
    async with server() as local, connected(local) as client:
        await client.send(b"".join(audio))
        messages = await client.close()
    turn = [TurnStart, TurnEagerEnd, TurnResume, TurnEagerEnd, TurnEnd]
    assert kinds(messages) == [Connected, *turn, TurnStart, TurnEnd]
    assert finals(messages) == [synthetic.text(0, 4), synthetic.text(4, 2)]


async def test_updates_come_every_six_tenths_of_a_second_and_only_grow() -> None:
    async with server() as local, connected(local) as client:
        await client.send(synthetic.words(0, 20))
        await client.close()
        await eventually(lambda: local.open_streams == 0)
        sent = [(at_s, json.loads(frame)) for at_s, frame in local.connections[0].messages]
    updates = [(at_s, message["transcript"]) for at_s, message in sent if message["type"] == "turn.update"]
    assert max(after[0] - before[0] for before, after in pairwise(updates)) <= 0.6
    assert all(after[1].startswith(before[1]) for before, after in pairwise(updates))


async def test_a_turn_of_a_minute_is_transcribed_whole_and_in_bounded_pieces() -> None:
    lengths: list[int] = []

    def transcribe(audio: Samples) -> str:
        lengths.append(len(audio))
        return synthetic.transcribe(audio)

    recognizer = Recognizer(lambda: synthetic.detect, transcribe, in_thread=False)
    async with server(recognizer=recognizer) as local, connected(local) as client:
        await client.send(synthetic.words(0, 190), frame_bytes=10**7)
        messages = await client.close()
    assert finals(messages) == [synthetic.text(0, 190)]
    assert max(lengths) <= 11 * synthetic.RATE


async def test_no_audio_is_no_progress() -> None:
    async with server() as local, connected(local) as client:
        await client.send(synthetic.words(0, 3))
        await client.until(TurnStart)
        await eventually(lambda: local.connections[0].audio_s > 0.95)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.until(TurnEnd), 0.3)


async def test_config_changes_turn_detection_in_order_with_the_audio() -> None:
    async with server() as local, connected(local) as client:
        await client.send(synthetic.words(0, 3))
        await client.command(type="config", turn={"eager_end_threshold": 0.6, "end_threshold": 0.5})
        await client.send(speech.silence(0.45) + synthetic.words(3, 3) + speech.silence(0.45))
        assert finals(await client.close()) == [synthetic.text(0, 3), synthetic.text(3, 3)]


@pytest.mark.parametrize("in_thread", [True, False])
async def test_a_decode_that_raises_comes_out_of_the_listener(in_thread: bool) -> None:
    def transcribe(audio: Samples) -> str:
        raise RuntimeError("the model is broken")

    listener = listening(transcribe, in_thread=in_thread)
    with pytest.raises(RuntimeError, match="the model is broken"):
        await all_of(listener.hear(SENTENCE))


@pytest.mark.parametrize("pause_s", [0.45, 0.0], ids=["a pause", "the end of the stream"])
async def test_the_text_of_a_pause_and_of_the_end_is_heard_at_several_shifts_and_no_other(pause_s: float) -> None:
    looks: list[tuple[str, int]] = []

    def transcribe(audio: Samples) -> str:
        text = synthetic.transcribe(audio)
        first = np.flatnonzero(audio >= synthetic.FIRST / 32768)[0]
        looks.append((text, int(first) % 512))
        return text

    recognizer = Recognizer(lambda: synthetic.detect, transcribe, in_thread=False, shifts=(0, 128))
    stream = StreamRequest("id", "pcm_s16le", synthetic.RATE, TurnSettings())
    listener = Listener(stream, recognizer, Decoder(recognizer))
    await all_of(listener.hear(synthetic.words(0, 6) + speech.silence(pause_s)))
    await all_of(listener.finish())
    whole = synthetic.text(0, 6)
    assert looks[-2:] == [(whole, 0), (whole, 128)]
    assert {shift for _, shift in looks[:-2]} == {0}
    assert len(looks) > 3


async def test_a_decode_that_raises_comes_out_where_the_stream_ends_too() -> None:
    def transcribe(audio: Samples) -> str:
        raise RuntimeError("the model is broken")

    listener = listening(transcribe)
    # Too short for a look: the first decode is the one at the end.
    assert await all_of(listener.hear(synthetic.words(0, 1)))
    with pytest.raises(RuntimeError, match="the model is broken"):
        await all_of(listener.finish())


async def test_a_stuck_decoder_makes_the_connection_wait_instead_of_keeping_audio() -> None:
    go, heard_s = threading.Event(), 0.0

    def transcribe(audio: Samples) -> str:
        assert go.wait(20)
        return synthetic.transcribe(audio)

    listener = listening(transcribe, in_thread=True)
    waits = False
    while heard_s < 60 and not waits:
        hearing = asyncio.ensure_future(all_of(listener.hear(synthetic.word(1, 0.1))))
        waits = not (await asyncio.wait([hearing], timeout=0.5))[0]
        heard_s += 0.1
    assert waits
    assert heard_s <= 11
    go.set()
    await hearing


def listening(transcribe: Transcriber, *, in_thread: bool = False) -> Listener:
    recognizer = Recognizer(lambda: synthetic.detect, transcribe, in_thread=in_thread)
    stream = StreamRequest("id", "pcm_s16le", synthetic.RATE, TurnSettings())
    return Listener(stream, recognizer, Decoder(recognizer))


async def all_of(frames: AsyncIterator[Frame]) -> list[Frame]:
    return [frame async for frame in frames]
