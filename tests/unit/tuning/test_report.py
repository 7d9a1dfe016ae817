from __future__ import annotations

from dataclasses import replace

import pytest
from livekit.plugins.cartesia_turns.tuning.grid import to_paste
from livekit.plugins.cartesia_turns.tuning.report import cost, lasting, lasting_s, outcome, refused
from livekit.plugins.cartesia_turns.tuning.score import Point, Score
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings

TURN = TurnSettings(0.8, 0.6, 0.1, 1600)


def test_the_cost_is_audio_times_settings_less_what_was_done() -> None:
    said = cost(calls=2, turns=5, settings=3, done=1, seconds=[60.0] * 5, base_url="https://api.cartesia.ai", at_once=4)
    assert "2 calls with 5 turns, 3 settings: 6 runs, of which 1 were made before." in said
    assert "5.0 min of audio will be sent to https://api.cartesia.ai, 4 runs at once, which takes 75 s" in said
    assert "bills each second" in said


def test_runs_never_take_less_time_than_the_longest_of_them() -> None:
    assert lasting_s([10.0, 20.0, 30.0], 10) == 30.0
    assert lasting_s([10.0, 20.0, 30.0], 2) == 30.0
    assert lasting_s([30.0] * 4, 2) == 60.0
    assert lasting_s([], 2) == 0.0


@pytest.mark.parametrize(("seconds", "said"), [(5, "5 s"), (89, "89 s"), (600, "10.0 min"), (7200, "2.0 h")])
def test_a_time_is_told_in_the_unit_that_fits(seconds: float, said: str) -> None:
    assert lasting(seconds) == said


def test_each_setting_on_the_frontier_is_told_with_its_arguments() -> None:
    point = Point(TURN, Score(turns=40, cut_offs=1, missed=2, extra=1, delays=(0.5, 0.7)))
    said = outcome([point], [point])
    assert said.startswith("1 of 1 setting is worth a choice")
    assert "1 false cut-off in 40 turns; turns end 0.60 s after speech, nine of ten within 0.70 s" in said
    assert "2 ends missed, 1 turn without speech:" in said
    assert "    STT(turn_start_threshold=0.8, turn_eager_end_threshold=0.6, turn_end_threshold=0.1," in said
    assert "chance" not in said


def test_few_turns_are_told_to_be_few() -> None:
    point = Point(TURN, Score(turns=4, delays=(0.5,)))
    assert "Fewer than 30 turns tell little" in outcome([point], [point])


def test_refused_settings_are_named_under_their_reason() -> None:
    late, odd = replace(TURN, end_timeout_ms=9000), replace(TURN, end_timeout_ms=9001)
    assert refused({TURN: "too low", late: "too high", odd: "too high"}).splitlines() == [
        "left out, since the endpoint refused it: too low",
        f"    {to_paste(TURN)}",
        "left out, since the endpoint refused them: too high",
        f"    {to_paste(late)}",
        f"    {to_paste(odd)}",
    ]
