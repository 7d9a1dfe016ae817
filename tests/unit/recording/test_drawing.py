from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from livekit.plugins.cartesia_turns.recording.drawing import WIDEST, drawing, per_second, placed
from livekit.plugins.cartesia_turns.recording.story import Span, Story, Turn

RATE = 16000
SECOND = bytes(2 * RATE)
NOISE = np.random.default_rng(1).integers(-9000, 9000, RATE, np.int16).tobytes()


def test_audio_that_stopped_for_a_while_has_a_gap_so_that_both_run_alike() -> None:
    story = Story(pushes=[(1.0, len(NOISE)), (4.0, len(NOISE))])
    pcm = placed(story, NOISE + NOISE, RATE)
    assert pcm == NOISE + 2 * SECOND + NOISE


def test_audio_that_came_in_one_go_stands_one_behind_the_other() -> None:
    story = Story(pushes=[(1.0, len(NOISE)), (1.0, len(NOISE))])
    assert placed(story, NOISE + NOISE, RATE) == NOISE + NOISE


def test_audio_that_came_late_and_then_in_a_burst_has_no_gap() -> None:
    tenth = len(NOISE) // 10
    late = [0.1, 0.2, 0.45, 0.45, 0.5, 0.6, 0.95, 0.95, 0.95, 1.0]
    story = Story(pushes=[(at, tenth) for at in [*late, 2.0]])
    assert placed(story, NOISE + NOISE[:tenth], RATE) == NOISE + bytes(2 * round(0.9 * RATE)) + NOISE[:tenth]


def test_without_audio_there_is_none() -> None:
    assert placed(Story(pushes=[(1.0, 100)]), None, RATE) == b""


def test_the_drawing_is_well_formed_whatever_was_said() -> None:
    turn = Turn(1, 0.2, 0.1, 0.8, 1.0, words=[(0.3, '<script>"&')], maybe=[Span(0.4, 0.5), Span(0.9, 1.0)])
    open_turn = Turn(2, 1.5, 1.4, maybe=[Span(1.8)])
    story = Story(
        seconds=2.0,
        turns=[turn, open_turn],
        sockets=[Span(0.0, 0.7, "<lost>"), Span(0.8)],
        replays=[Span(0.8, 0.9)],
        silence=[Span(1.0, 1.2)],
        marks=[Span(1.1, note="a & b")],
    )
    root = ElementTree.fromstring(drawing(story, NOISE, RATE))  # noqa: S314  # our own
    kinds = {element.get("class") for element in root.iter()}
    assert {"turn", "waiting", "maybe", "resumed", "over", "word"} <= kinds
    assert {"socket", "lost", "replay", "silence", "mark", "wave"} <= kinds
    assert any("<script>" in (element.text or "") for element in root.iter())


@pytest.mark.parametrize("seconds", [0.0, 5.0, 3600.0, 86_400.0])
def test_a_call_of_any_length_is_no_wider_than_a_browser_draws(seconds: float) -> None:
    story = Story(seconds=seconds)
    assert seconds * per_second(story) <= WIDEST + 1
    width = ElementTree.fromstring(drawing(story, b"", RATE)).get("width")  # noqa: S314  # our own
    assert int(width or 0) <= WIDEST + 200
