from __future__ import annotations

import math

import pytest
from livekit.plugins.cartesia_turns.core.chunking import LONGEST_SLICE_S
from livekit.plugins.cartesia_turns.core.live_lane import LiveLane
from livekit.plugins.cartesia_turns.core.pacing import BURST_S, FAST_S, LIVE_SPEED, Allowance, Lead
from livekit.plugins.cartesia_turns.core.settling import PROBE_S

RATE = 16_000
PIECE, PIECE_S = bytes(640), 0.02


def opened(pieces: float, *, until_ping: float = math.inf, rate: float = LIVE_SPEED) -> LiveLane:
    lane = LiveLane(RATE)
    lane.open(Allowance(pieces * PIECE_S, until_ping * PIECE_S, rate, Lead(BURST_S, 0.0, 0.0, -math.inf)))
    return lane


def test_a_new_lane_lets_nothing_out_and_wants_no_ping() -> None:
    lane = LiveLane(RATE)
    assert not lane.take(PIECE, 0.0)
    assert not lane.wants_ping


def test_a_lane_lets_out_what_it_was_opened_for_and_no_more() -> None:
    lane = opened(2.5)
    assert [lane.take(PIECE, now) for now in (0.0, 0.02, 0.04)] == [True, True, False]
    assert lane.samples == 640
    assert lane.seconds == 0.04


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
    assert lane.clear() == ([PIECE], [0.0])
    assert lane.take(PIECE[:320], 0.02)


def test_a_piece_that_is_to_be_measured_in_slices_does_not_go_out_without_a_decision() -> None:
    lane = opened(20)
    longest = bytes(2 * round(LONGEST_SLICE_S * RATE))
    assert not lane.take(longest + bytes(2), 0.0)
    assert lane.take(longest, 0.0)


def test_what_is_cleared_is_gone() -> None:
    lane = opened(3)
    lane.take(PIECE, 0.0)
    lane.clear()
    assert (lane.clear(), lane.samples, lane.is_full) == (None, 0, False)


@pytest.mark.parametrize(("until_ping", "pieces"), [(0, 0), (3, 3), (2.5, 3), (3 + 1e-9, 3)])
def test_a_ping_must_follow_so_much_audio_and_more_may_go_out_before_it(until_ping: float, pieces: int) -> None:
    lane = opened(20, until_ping=until_ping)
    for number in range(pieces):
        assert not lane.wants_ping
        assert lane.take(PIECE, number * PIECE_S)
    assert lane.wants_ping
    assert lane.take(PIECE, 1.0)
    assert lane.wants_ping


def test_the_next_ping_follows_a_fifth_of_a_second_later() -> None:
    lane = opened(20, until_ping=1)
    lane.take(PIECE, 0.0)
    lane.ping_sent()
    taken = 0
    while not lane.wants_ping:
        assert lane.take(PIECE, 0.1)
        taken += 1
    assert taken * PIECE_S == PROBE_S


def test_a_lane_that_is_closed_wants_no_ping() -> None:
    lane = opened(20, until_ping=0)
    lane.close()
    assert not lane.wants_ping


def test_no_more_than_a_burst_goes_out_at_once() -> None:
    lane = opened(100)
    taken = 0
    while lane.take(PIECE, 5.0):
        taken += 1
    assert taken * PIECE_S == pytest.approx(BURST_S)
    assert not lane.take(PIECE, 5.0 + 0.9 * PIECE_S / LIVE_SPEED)
    assert lane.take(PIECE, 5.0 + 1.1 * PIECE_S / LIVE_SPEED)


def test_audio_in_real_time_is_never_too_early() -> None:
    lane = opened(1000)
    assert all(lane.take(PIECE, number * PIECE_S) for number in range(1000))
    assert lane.lead.ahead_s == PIECE_S
    assert lane.lead.fast_at == -math.inf


def test_when_audio_was_last_too_far_ahead_of_real_time_is_known() -> None:
    lane = opened(1000)
    for _ in range(round(FAST_S / PIECE_S) + 1):
        lane.take(PIECE, 5.0)
    assert lane.take(PIECE, 6.0)
    assert lane.lead.fast_at == 5.0


def test_the_lead_of_the_audio_before_counts() -> None:
    lane = LiveLane(RATE)
    lane.open(Allowance(1.0, rate=2.0, lead=Lead(0.0, 1.0, 3.0, -math.inf)))
    assert not lane.take(PIECE, 3.0)
    assert lane.take(PIECE, 3.0 + 1.1 * PIECE_S / 2)
    assert lane.lead.ahead_s == pytest.approx(1.0 - 1.1 * PIECE_S + PIECE_S)


def test_a_closed_lane_forgets_neither_what_went_out_nor_its_lead() -> None:
    lane = opened(10)
    lane.take(PIECE, 0.0)
    lane.close()
    assert not lane.take(PIECE, 0.02)
    assert (lane.samples, lane.lead.ahead_s) == (320, PIECE_S)
