from __future__ import annotations

from livekit.plugins.cartesia_turns.recording.labels import Labels, Stretch
from livekit.plugins.cartesia_turns.tuning.score import EAGER_END, END, RESUME, START, Point, Score, frontier, score
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings

LABELS = Labels("call", 12.0, (Stretch(1.0, 2.0, False), Stretch(2.6, 4.0, True), Stretch(7.0, 9.0, True)))
"""A turn from 1 to 4 s with a pause at 2 s, and one from 7 to 9 s."""


def ends(*times: float) -> list[tuple[str, float]]:
    return [(END, at) for at in times]


def test_a_turn_that_ends_once_behind_its_speech_has_a_delay_and_no_fault() -> None:
    found = score(LABELS, ends(4.5, 9.75), 12.0)
    assert found == Score(turns=2, delays=(0.5, 0.75), early=(0.5, 0.75))
    assert found.delay_s == 0.625


def test_an_end_in_a_pause_is_a_cut_off_and_so_is_one_just_after_the_user_went_on() -> None:
    assert score(LABELS, ends(2.5, 4.5, 9.5), 12.0).cut_offs == 1
    assert score(LABELS, ends(2.9, 4.5, 9.5), 12.0).cut_offs == 1
    assert score(LABELS, ends(4.0, 9.0), 12.0).cut_offs == 0


def test_a_turn_that_did_not_end_before_the_next_one_waits_for_the_end_of_that() -> None:
    found = score(LABELS, ends(9.5), 12.0)
    assert found.missed == 1
    assert found.delays == (5.5, 0.5)


def test_a_last_turn_that_never_ended_waits_for_the_rest_of_the_call() -> None:
    found = score(LABELS, ends(4.5), 14.0)
    assert found.missed == 1
    assert found.delays == (0.5, 5.0)
    assert found.early == (0.5, 5.0)


def test_turns_where_nobody_spoke_are_counted() -> None:
    assert score(LABELS, ends(0.5, 4.5, 5.5, 6.5, 9.5, 11.0), 12.0).extra == 4
    assert score(Labels("call", 12.0, ()), ends(3.0), 12.0) == Score(extra=1)


def test_a_turn_that_the_end_of_the_call_cut_short_can_be_cut_off_but_has_no_delay() -> None:
    labels = Labels("call", 6.0, (Stretch(1.0, 2.0, True), Stretch(4.0, 5.0, False), Stretch(5.5, 6.0, False)))
    assert score(labels, ends(2.5, 5.3), 6.0) == Score(turns=1, cut_offs=1, delays=(0.5,), early=(0.5,))


def test_an_eager_end_gives_a_reply_its_head_start_unless_it_comes_in_a_pause() -> None:
    events = [
        *[(START, 1.2), (EAGER_END, 2.3), (RESUME, 2.7), (EAGER_END, 4.25), (END, 4.5)],
        *[(START, 7.2), (END, 9.5)],
    ]
    found = score(LABELS, events, 12.0)
    assert found.early == (0.25, 0.5)
    assert found.early_in_vain == 1
    assert found.early_s == 0.375


def test_calls_are_added_up() -> None:
    total = score(LABELS, ends(2.5, 4.5, 9.5), 12.0) + score(LABELS, ends(4.25, 9.25), 12.0)
    assert (total.turns, total.cut_offs) == (4, 1)
    assert total.cut_off_share == 0.25
    assert total.delays == (0.5, 0.5, 0.25, 0.25)


def test_nine_of_ten_is_what_it_says() -> None:
    assert Score(delays=tuple(range(1, 11))).delay_90_s == 9
    assert Score(delays=(3.0,)).delay_90_s == 3.0
    assert Score().delay_90_s == Score().delay_s == Score().cut_off_share == 0.0


def point(cut_offs: int, delay_s: float) -> Point:
    return Point(TurnSettings(end_threshold=delay_s), Score(turns=10, cut_offs=cut_offs, delays=(delay_s,)))


def test_on_the_frontier_is_what_nothing_else_beats_in_both_respects() -> None:
    best = [point(0, 1.5), point(2, 0.9), point(5, 0.4)]
    others = [point(0, 1.6), point(2, 0.95), point(4, 0.9), point(9, 0.5)]
    assert frontier([*others, *best[::-1]]) == best
    assert frontier([]) == []


def test_equals_share_a_place_and_the_first_one_has_it() -> None:
    twins = [point(1, 0.5), Point(TurnSettings(end_timeout_ms=1600), Score(turns=10, cut_offs=1, delays=(0.5,)))]
    assert frontier(twins) == [twins[0]]


def test_a_delay_is_never_negative() -> None:
    found = score(LABELS, ends(4.5), 8.0)
    assert found.delays == (0.5, 0.0)
