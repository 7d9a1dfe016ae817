from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.tuning.chart import ChartError, check_drawing, draw, write_table
from livekit.plugins.cartesia_turns.tuning.score import Point, Score, frontier
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings

POINTS = [
    Point(TurnSettings(0.8, 0.6, 0.1, 1600), Score(turns=8, cut_offs=1, delays=(1.0, 1.1), early=(0.3, 0.3))),
    Point(TurnSettings(0.8, 0.6, 0.3, 1600), Score(turns=8, cut_offs=4, delays=(0.5, 0.6), early=(0.3, 0.3))),
    Point(TurnSettings(0.8, 0.6, 0.3, 5600), Score(turns=8, cut_offs=4, delays=(0.7, 0.6), early_in_vain=3)),
]


def test_the_table_has_a_line_for_each_setting_and_marks_the_frontier(tmp_path: Path) -> None:
    write_table(tmp_path / "tuning.csv", POINTS, frontier(POINTS))
    with (tmp_path / "tuning.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["on_frontier"] for row in rows] == ["yes", "yes", "no"]
    assert rows[0]["turn_end_threshold"] == "0.1"
    assert rows[0]["false_cut_offs_per_100_turns"] == "12.5"
    assert rows[0]["delay_mean_s"] == "1.05"
    assert rows[2]["eager_ends_in_vain"] == "3"


@pytest.mark.parametrize("points", [POINTS, POINTS[:1], [Point(TurnSettings(), Score(turns=1))]])
def test_the_picture_is_a_png_with_something_on_it(points: list[Point], tmp_path: Path) -> None:
    draw(tmp_path / "tuning.png", points, frontier(points), "some calls")
    picture = (tmp_path / "tuning.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000


def test_without_matplotlib_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    check_drawing()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ChartError, match=r"matplotlib, which is not installed: install .* extra \[tune\]"):
        check_drawing()
