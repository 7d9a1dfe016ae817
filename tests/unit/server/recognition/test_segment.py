import numpy as np
from livekit.plugins.cartesia_turns.server.recognition.pcm import WINDOW
from livekit.plugins.cartesia_turns.server.recognition.segment import Segment


def push(segment: Segment, count: int, speech: float, level: float = 0.1) -> None:
    for _ in range(count):
        segment.push(np.full(WINDOW, level, np.float32), speech)


def test_the_pre_roll_is_kept_and_no_more() -> None:
    segment = Segment()
    push(segment, 100, 0.0)
    push(segment, 10, 1.0)
    segment.keep_pre_roll()
    assert len(segment.audio()) == Segment.PRE_ROLL * WINDOW


def test_a_stretch_without_speech_is_not_transcribed() -> None:
    segment = Segment()
    push(segment, 50, 0.3)
    assert not segment.is_spoken()
    assert segment.take() is None
    push(segment, 50, 0.9)
    assert segment.is_spoken()
    audio = segment.take()
    assert audio is not None
    assert len(audio) == 50 * WINDOW


def test_it_is_paused_when_nobody_has_spoken_for_a_while() -> None:
    segment = Segment()
    assert not segment.is_paused()
    push(segment, 10, 0.9)
    push(segment, Segment.PAUSE - 1, 0.0)
    assert not segment.is_paused()
    push(segment, 1, 0.0)
    assert segment.is_paused()


def test_speech_behind_a_cut_is_told_from_speech_before_it() -> None:
    segment = Segment()
    push(segment, 10, 0.9)
    push(segment, 10, 0.1)
    assert segment.speaks_after(9)
    assert not segment.speaks_after(10)


def test_the_longest_segment_is_cut_where_its_later_half_is_quietest() -> None:
    segment = Segment()
    push(segment, 200, 0.9)
    assert segment.quietest_cut() is None
    push(segment, 3, 0.9, level=0.01)
    push(segment, Segment.LONGEST - 203, 0.9)
    assert segment.quietest_cut() == 201


def test_what_follows_the_cut_begins_the_next_segment() -> None:
    segment = Segment()
    push(segment, 100, 0.9, level=0.1)
    push(segment, 20, 0.9, level=0.5)
    segment.take(100)
    assert segment.audio().tolist() == [0.5] * 20 * WINDOW
