from __future__ import annotations

from pathlib import Path

import numpy as np
from transcription.call import State, Turn
from transcription.timeline import draw, row_spans


def turn(start_s: float, end_s: float) -> Turn:
    return Turn(1, start_s, State.DONE, "so be it", speech_start_s=start_s, speech_end_s=end_s - 0.5, ended_s=end_s)


def test_a_short_call_is_one_row() -> None:
    assert row_spans(12.0, []) == [(0.0, 12.0)]


def test_rows_follow_each_other_and_hold_the_whole_call() -> None:
    turns = [turn(start_s, start_s + 3.0) for start_s in range(0, 100, 4)]
    rows = row_spans(100.0, turns)
    assert rows[0][0] == 0.0
    assert rows[-1][1] == 100.0
    assert [end for _, end in rows[:-1]] == [start for start, _ in rows[1:]]


def test_rows_break_between_turns() -> None:
    turns = [turn(1.0, 8.0), turn(9.0, 15.0), turn(16.0, 26.0), turn(26.8, 38.0)]
    cuts = [end for _, end in row_spans(40.0, turns)[:-1]]
    assert cuts
    assert not [cut for cut in cuts for each in turns if (each.began_s or 0) <= cut < (each.ended_s or 0)]


def test_a_turn_longer_than_a_row_is_cut() -> None:
    assert len(row_spans(90.0, [turn(0.5, 89.0)])) >= 4


def test_an_hour_fits_a_bounded_number_of_rows() -> None:
    assert len(row_spans(3600.0, [turn(start_s, start_s + 9.0) for start_s in range(0, 3600, 10)])) <= 61


def test_the_picture_is_written_whatever_is_unknown_about_a_turn(tmp_path: Path) -> None:
    samples = (np.sin(np.arange(16000 * 3) / 20) * 9000).astype(np.int16)
    full = turn(0.5, 2.0)
    full.updates_s, full.eager_ends_s, full.resumes_s = [0.9, None], [1.2], [1.4]
    untimed = Turn(2, None, State.DONE, "who knows when")
    path = tmp_path / "call.png"
    draw(path, "a call", samples, [full, untimed, Turn(3, 2.5)])
    assert path.read_bytes().startswith(b"\x89PNG")
    draw(tmp_path / "nothing.svg", "silence", samples[:0], [])
    assert (tmp_path / "nothing.svg").stat().st_size > 0
