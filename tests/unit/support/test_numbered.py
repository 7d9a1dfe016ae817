"""The audio of the tests: whatever is behind and under the words, the numbers are read exactly, and a tear is found."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
from livekit import rtc
from support.noise import ROOMS, Room
from support.numbered import FRAME_S, LATE_S, SAMPLES, FrameReader, Microphone, joined
from support.waiting import until

FRAMES = [(number, number % 7 < 4) for number in (*range(120), 2**16, 2**24 - 1)]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_every_number_is_read_in_every_room_however_the_audio_is_cut(room: Room) -> None:
    pcm = joined(FRAMES, room).tobytes()
    for size in (2, 320, 640, 1602, len(pcm)):
        reader = FrameReader()
        frames = [frame for at in range(0, len(pcm), size) for frame in reader.read(pcm[at : at + size])]
        assert [(frame.number, frame.voiced) for frame in frames] == FRAMES


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_silence_between_frames_is_told_apart_and_measured(room: Room) -> None:
    first, second = joined(FRAMES[:3], room), joined(FRAMES[3:5], room)
    frames = FrameReader().read(np.concatenate([first, np.zeros(777, "<i2"), second]).tobytes())
    assert [frame.number for frame in frames] == [0, 1, 2, None, 3, 4]
    assert frames[3].seconds == pytest.approx(777 / 16000)


@pytest.mark.parametrize("missing", [slice(325, 326), slice(330, 340), slice(420, 740), slice(640, 650)])
@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_torn_frame_is_found(room: Room, missing: slice) -> None:
    samples = np.delete(joined(FRAMES, room), missing)
    with pytest.raises(AssertionError, match="torn"):
        FrameReader().read(samples.tobytes())


@pytest.mark.parametrize("size", [2, 320, 642, 10**6])
@pytest.mark.parametrize("missing", [slice(325, 326), slice(330, 340), slice(420, 740), slice(640, 650)])
def test_a_torn_frame_is_passed_over_where_that_is_wanted(missing: slice, size: int) -> None:
    pcm = np.delete(joined(FRAMES, ROOMS[-1]), missing).tobytes()
    reader = FrameReader(is_strict=False)
    frames = [frame for at in range(0, len(pcm), size) for frame in reader.read(pcm[at : at + size])]
    torn = {missing.start // 320, (missing.stop - 1) // 320}
    assert [frame.number for frame in frames] == [number for n, (number, _) in enumerate(FRAMES) if n not in torn]


@pytest.mark.parametrize("size", [2, 320, 642, 10**6])
@pytest.mark.parametrize("missing", [1, 10, 160, 319])
def test_a_stream_may_begin_within_a_frame(missing: int, size: int) -> None:
    pcm = joined(FRAMES, ROOMS[-1])[missing:].tobytes()
    reader = FrameReader()
    frames = [frame for at in range(0, len(pcm), size) for frame in reader.read(pcm[at : at + size])]
    assert [frame.number for frame in frames] == [number for number, _ in FRAMES[1:]]


@pytest.mark.parametrize("piece_s", [0.01, 0.02, 0.05, 0.16])
async def test_a_microphone_pushes_pieces_of_any_length_and_all_that_was_asked_for(piece_s: float) -> None:
    pushed: list[rtc.AudioFrame] = []
    mic = Microphone(pushed.append, piece_s=piece_s, room=ROOMS[5])
    mic.holding = True
    mic.start()
    words = await mic.play(0.1, 0.1, 0.1)
    await mic.stop()
    frames = FrameReader().read(b"".join(bytes(frame.data) for frame in pushed))
    assert [frame.number for frame in frames if frame.voiced] == words == list(range(5, 10))
    assert len(frames) == round(0.3 / FRAME_S)
    assert {frame.samples_per_channel for frame in pushed[:-1]} <= {round(piece_s / FRAME_S * SAMPLES)}


async def test_a_microphone_does_not_make_up_in_a_burst_for_what_the_machine_held_up() -> None:
    loop, pushed = asyncio.get_running_loop(), list[float]()
    mic = Microphone(lambda _: pushed.append(loop.time()))
    mic.start()
    await until(lambda: pushed)
    time.sleep(0.5)  # noqa: ASYNC251  # the machine holds the process up
    before, began = len(pushed), loop.time()
    await until(lambda: len(pushed) > before + 10)
    await mic.stop()
    assert (len(pushed) - before - 1) * FRAME_S <= pushed[-1] - began + LATE_S + FRAME_S
