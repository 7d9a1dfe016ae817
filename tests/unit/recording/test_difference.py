from __future__ import annotations

from typing import Any

from livekit.plugins.cartesia_turns.recording.difference import Difference, compared, first_of

START, END = {"event": "start"}, {"event": "end"}
Trace = list[tuple[float, dict[str, Any]]]


def test_equal_runs_have_no_difference() -> None:
    run: Trace = [(1.0, START), (2.0, END)]
    assert list(compared(run, list(run))) == []
    assert list(first_of(run, list(run))) == []
    assert list(compared([], [])) == []


def test_what_is_missing_and_what_is_new_is_told_and_the_rest_is_not() -> None:
    then: Trace = [(1.0, START), (2.0, {"event": "update"}), (3.0, END)]
    now: Trace = [(1.0, START), (3.0, END), (4.0, START)]
    assert list(compared(then, now)) == [
        Difference(2.0, {"event": "update"}, None),
        Difference(4.0, None, START),
    ]


def test_the_same_at_another_time_is_one_difference_with_both_times() -> None:
    (difference,) = compared([(1.0, START)], [(1.5, START)])
    assert difference == Difference(1.0, {"event": "start", "at_s": 1.0}, {"event": "start", "at_s": 1.5})
    assert list(compared([(1.0, START)], [(1.0 + 1e-9, START)])) == []


def test_of_what_was_sent_only_the_first_difference_is_told() -> None:
    then: Trace = [(1.0, {"type": "audio", "samples": 320}), (2.0, {"type": "ping"}), (3.0, {"type": "close"})]
    assert list(first_of(then, then[:1])) == [Difference(2.0, {"type": "ping"}, None)]
    assert list(first_of(then[:1], then)) == [Difference(2.0, None, {"type": "ping"})]


def test_a_difference_is_one_line_to_read() -> None:
    assert str(Difference(1.25, START, None)) == '    1.250 s  recorded {"event": "start"}, today nothing'
