from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns import STT
from livekit.plugins.cartesia_turns.tuning.grid import arguments_of, grid, to_paste
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings


def test_each_combination_is_tried_once_and_those_out_of_order_are_left_out() -> None:
    settings, left_out = grid([0.8, 0.8], [0.6, 0.4], [0.4, 0.2], [1600, 5600])
    assert left_out == 2
    assert len(settings) == len(set(settings)) == 6
    assert TurnSettings(0.8, 0.4, 0.2, 1600) in settings
    assert TurnSettings(0.8, 0.4, 0.4, 1600) not in settings


def test_without_a_wish_the_end_threshold_and_the_timeout_are_varied_and_nothing_is_left_to_the_server() -> None:
    settings, left_out = grid()
    assert len(settings) == 10
    assert left_out == 0
    assert all(None not in arguments_of(turn).values() and len(arguments_of(turn)) == 4 for turn in settings)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (([1.5], [0.6], [0.3], [5600]), "turn_start_threshold=1.5 is out of range"),
        (([0.8], [0.6], [0.3, -1.0], [5600]), "turn_end_threshold=-1.0 is out of range"),
        (([0.8], [0.6], [0.3], [0]), "turn_end_timeout_ms=0"),
        (([0.5], [0.6, 0.7], [0.3], [5600]), "no combination is in order: turn_start_threshold 0.5 >"),
        (([float("nan")], [0.6], [0.3], [5600]), "turn_start_threshold"),
    ],
)
def test_a_value_that_no_server_takes_is_refused(values: tuple[list[float], ...], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace(".", r"\.")):
        grid(*values)  # type: ignore[arg-type]  # as the command line gives them


def test_what_is_to_be_pasted_are_arguments_of_an_stt() -> None:
    text = to_paste(TurnSettings(0.8, 0.6, 0.1, 1600))
    assert text == (
        "turn_start_threshold=0.8, turn_eager_end_threshold=0.6, turn_end_threshold=0.1, turn_end_timeout_ms=1600"
    )
    eval(f"STT(api_key='key', {text})", {"STT": STT})  # noqa: S307  # our own text
