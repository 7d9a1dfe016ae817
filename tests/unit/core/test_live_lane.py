from __future__ import annotations

from livekit.plugins.cartesia_turns.core.live_lane import LiveLane

PIECE = bytes(640)


def opened(pieces: float) -> LiveLane:
    lane = LiveLane()
    lane.open(round(pieces * len(PIECE)))
    return lane


def test_a_new_lane_lets_nothing_out() -> None:
    assert not LiveLane().take(PIECE, 0.0)


def test_a_lane_lets_out_what_it_was_opened_for_and_no_more() -> None:
    lane = opened(2.5)
    assert [lane.take(PIECE, now) for now in (0.0, 0.02, 0.04)] == [True, True, False]
    assert lane.samples == 640


def test_a_lane_is_full_once_no_other_piece_of_that_length_may_follow() -> None:
    lane = opened(2.5)
    assert not lane.is_full
    lane.take(PIECE, 0.0)
    assert not lane.is_full
    lane.take(PIECE, 0.02)
    assert lane.is_full


def test_pieces_of_another_length_wait_until_those_before_are_booked() -> None:
    lane = opened(3)
    lane.take(PIECE, 0.0)
    assert not lane.take(PIECE[:320], 0.02)
    assert lane.clear() == [(PIECE, 0.0)]
    assert lane.take(PIECE[:320], 0.02)


def test_what_is_cleared_is_gone() -> None:
    lane = opened(3)
    lane.take(PIECE, 0.0)
    lane.clear()
    assert (lane.clear(), lane.samples, lane.is_full) == ([], 0, False)
