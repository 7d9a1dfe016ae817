from __future__ import annotations

import numpy as np
import pytest
from livekit.plugins.cartesia_turns.recording.voice import spoken_in
from support.noise import ROOMS, Room, clipped
from support.pausing import RATE, Caller, caller

TURNS = (("sense-0880.wav", 0.6), ("sense-0890.wav", 1.0))
HEARD = [room for room in ROOMS if "loud" not in room.name and "-35" not in room.name]
"""In noise nearly as loud as the words nobody could say to a tenth of a second where they end."""


def whole(spoken: Caller) -> list[tuple[float, float]]:
    return [(start - 0.2, end + 0.2) for start, end in spoken.turns]


@pytest.mark.parametrize("room", HEARD, ids=lambda room: room.name)
def test_pauses_within_turns_are_found_whatever_the_room_sounds_like(room: Room) -> None:
    spoken = caller(*TURNS, room=room)
    heard = spoken_in(spoken.pcm, RATE, whole(spoken))
    gaps = list(zip([end for _, end in heard], [start for start, _ in heard[1:]], strict=False))
    for start, end in spoken.pauses:
        assert any(abs(gap[0] - start) < 0.25 and abs(gap[1] - end) < 0.35 for gap in gaps), f"{start}: {gaps}"
    for _, end in spoken.turns:
        assert any(abs(heard_end - end) < 0.3 for _, heard_end in heard)


def test_only_what_lies_within_the_spans_is_speech() -> None:
    spoken = caller(*TURNS)
    heard = spoken_in(spoken.pcm, RATE, whole(spoken)[1:])
    assert heard
    assert all(start >= spoken.turns[1][0] - 0.2 for start, _ in heard)


def test_where_there_is_no_voice_there_is_no_stretch() -> None:
    noise = clipped(Room("fan", white_dbfs=-40).noise(3 * RATE, RATE)).tobytes()
    assert spoken_in(noise, RATE, [(0.0, 3.0)]) == []
    assert spoken_in(bytes(2 * RATE), RATE, [(0.0, 1.0)]) == []
    assert spoken_in(b"", RATE, [(0.0, 1.0)]) == []


def test_a_click_is_no_speech_and_a_gap_between_words_is_no_pause() -> None:
    room = Room("room", white_dbfs=-55).noise(4 * RATE, RATE)
    tone = 6000 * np.sin(2 * np.pi * 210 / RATE * np.arange(4 * RATE))
    loud = np.zeros(4 * RATE, bool)
    for start, end in ((0.5, 0.54), (1.0, 1.5), (1.7, 2.2)):
        loud[round(start * RATE) : round(end * RATE)] = True
    (heard,) = spoken_in(clipped(room + tone * loud).tobytes(), RATE, [(0.0, 4.0)])
    assert heard == pytest.approx((1.0, 2.2), abs=0.03)
