"""A backlog goes out faster than real time, and no faster than answers tell that it has arrived."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core.chunk import ONSET_S, Chunk, Stretch
from livekit.plugins.cartesia_turns.core.live_lane import LiveLane
from livekit.plugins.cartesia_turns.core.pacing import (
    BLAMED_FOR_S,
    BURST_S,
    CATCH_UP_SPEED,
    IN_FLIGHT_S,
    REMEMBERED_S,
    SLOWEST_CATCH_UP,
    SUSPECTED_S,
    Lead,
    Pace,
    Pacer,
)
from livekit.plugins.cartesia_turns.core.settling import PROBE_S, SERVER_LAG_S

VOICE, SILENCE = Chunk(b"", 0.1), Chunk(b"", 0.1, voiced=False)


def numbers(pacer: Pacer) -> list[float]:
    """What live audio is allowed, as plain numbers."""
    *allowed, lead = pacer.live(probes=True)
    return [*allowed, *lead]


def spend(pacer: Pacer, chunks: list[Chunk], now: float = 0.0) -> float:
    """Sends chunks of a backlog as soon as each may go, without a ping; returns when the last one went."""
    for chunk in chunks:
        now = max(now, pacer.ready_at(chunk))
        pacer.spend(chunk, now, waiting_s=9.0)
    return now


def test_a_backlog_goes_out_many_times_faster_than_real_time_after_a_burst() -> None:
    took_s = spend(Pacer(0.0), [VOICE] * 50)
    assert took_s == pytest.approx((5.0 - BURST_S) / CATCH_UP_SPEED, abs=VOICE.seconds / CATCH_UP_SPEED)


def test_so_much_is_on_its_way_at_most() -> None:
    pacer = Pacer(0.0)
    spend(pacer, [VOICE] * round(IN_FLIGHT_S / 0.1) + [SILENCE])
    assert pacer.ready_at(VOICE) == math.inf
    pacer.ping_sent(5.0)
    pacer.arrived(5.0, 6.0)
    assert pacer.ready_at(VOICE) < math.inf


@pytest.mark.parametrize(("probes", "waiting_s"), [(True, 0.0), (False, 9.0)])
def test_in_a_turn_and_in_a_backlog_a_ping_follows_every_fifth_of_a_second_of_audio(
    probes: bool, waiting_s: float
) -> None:
    pacer, pings = Pacer(0.0), 0
    for now in range(60):
        if pacer.wants_ping(VOICE, probes=probes):
            pings += 1
            pacer.ping_sent(now)
            assert not pacer.wants_ping(VOICE, probes=probes)
        pacer.spend(VOICE, now, waiting_s=waiting_s)
    assert pings == pytest.approx(6.0 / PROBE_S, abs=1)


def test_voice_behind_a_pause_waits_for_the_answer_to_a_ping_sent_behind_the_pause() -> None:
    pacer = Pacer(0.0)
    spend(pacer, [VOICE] * 10 + [SILENCE] * 4)
    pacer.ping_sent(0.0)
    sent = spend(pacer, [SILENCE])
    pacer.arrived(0.0, sent)
    assert not pacer.wants_ping(SILENCE, probes=False)
    assert pacer.wants_ping(VOICE, probes=False)
    pacer.ping_sent(sent)
    assert not pacer.wants_ping(VOICE, probes=False)
    assert pacer.ready_at(SILENCE) < sent + 0.1
    assert pacer.ready_at(VOICE) == pytest.approx(1.5 / SLOWEST_CATCH_UP)
    pacer.arrived(sent, sent + 0.2)
    assert pacer.ready_at(VOICE) == sent + 0.2 + SERVER_LAG_S


def test_live_audio_waits_for_nothing_but_the_burst() -> None:
    pacer = Pacer(0.0)
    for number in range(200):
        chunk = SILENCE if number % 9 > 3 else VOICE
        assert pacer.ready_at(chunk) <= number / 10
        pacer.spend(chunk, number / 10, waiting_s=0.0)


@given(
    st.lists(st.tuples(st.sampled_from([0.01, 0.02, 0.5]), st.booleans()), max_size=80),
    st.floats(0, 3),
    st.floats(0, 90),
)
def test_waiting_for_answers_leaves_a_backlog_faster_than_real_time(
    chunks: list[tuple[float, bool]], round_trip_s: float, live_s: float
) -> None:
    pacer = Pacer(0.0)
    pacer.spend(VOICE, live_s, waiting_s=0.0)
    pacer.spend(VOICE, live_s, waiting_s=9.0)
    now, sent_s = live_s, 0.0
    answers: list[float] = []
    for seconds, voiced in chunks:
        chunk = Chunk(b"", seconds, voiced=voiced)
        if pacer.wants_ping(chunk, probes=False):
            pacer.ping_sent(now)
            answers.append(now)
        while (ready_at := max(now, pacer.ready_at(chunk))) > now:
            # Either its time comes first, or the next answer.
            now = min([ready_at, *(at + round_trip_s for at in answers)])
            while answers and answers[0] + round_trip_s <= now:
                pacer.arrived(answers.pop(0), now)
        pacer.spend(chunk, now, waiting_s=9.0)
        assert now <= live_s + (0.1 + sent_s) / SLOWEST_CATCH_UP + 1e-9
        sent_s += seconds


@pytest.mark.parametrize("waiting_s", [0.4, 0.02])
def test_a_backlog_is_one_to_its_last_frame_and_live_audio_is_none_as_soon_as_a_frame_waits(waiting_s: float) -> None:
    pacer = Pacer(0.0)
    spend(pacer, [VOICE] * 10 + [SILENCE] * 4)
    pacer.spend(SILENCE, 1.0, waiting_s)
    assert pacer.wants_ping(VOICE, probes=False)
    pacer.spend(SILENCE, 1.0, 0.0)
    assert not pacer.wants_ping(VOICE, probes=False)
    pacer.spend(SILENCE, 1.1, waiting_s)
    assert not pacer.wants_ping(VOICE, probes=False)
    pacer.spend(SILENCE, 1.2, 0.6)
    assert pacer.wants_ping(VOICE, probes=False)


@pytest.mark.parametrize("speed", [8.0, 4.0, 2.0, 1.4, 1.0])
def test_a_backlog_goes_out_as_fast_as_was_asked_for_and_no_faster(speed: float) -> None:
    took_s = spend(Pacer(0.0, speed), [VOICE] * 50)
    assert (5.0 - BURST_S) / speed - 0.1 <= took_s <= 5.0 / speed


def sent_ahead(pacer: Pacer, seconds: float) -> float:
    """The most that a backlog of so many seconds is ahead of real time while it goes out."""
    now, most_s = 0.0, 0.0
    for number in range(round(seconds / VOICE.seconds)):
        now = max(now, pacer.ready_at(VOICE))
        pacer.spend(VOICE, now, waiting_s=9.0)
        most_s = max(most_s, (number + 1) * VOICE.seconds - now)
    return most_s


def test_at_real_time_a_backlog_has_no_burst() -> None:
    assert sent_ahead(Pacer(0.0, 1.0), 30.0) <= 0.25


def test_live_audio_at_real_time_still_makes_up_for_its_jitter() -> None:
    pacer = Pacer(0.0, 1.0)
    pacer.spend(VOICE, 0.0, waiting_s=0.0)
    for step in range(1, 100):
        now = step * 0.4
        for number in range(4):
            assert pacer.ready_at(VOICE) <= now
            pacer.spend(VOICE, now, waiting_s=0.3 - number / 10)


def test_silence_of_a_backlog_is_left_out_where_it_would_never_be_gone_otherwise() -> None:
    silence = Chunk(b"", 0.1, voiced=False, is_pause=True)
    for speed, left_out in ((4.0, False), (1.4, False), (1.0, True)):
        pacer = Pacer(0.0, speed)
        assert pacer.leaves_out(silence, waiting_s=2.0) is left_out
        assert not pacer.leaves_out(silence, waiting_s=ONSET_S - 0.1), "speech may follow that has begun in it"
        assert not pacer.leaves_out(SILENCE, waiting_s=2.0), "a turn may end in it"
        pacer.spend(VOICE, 1.0, waiting_s=0.0)
        assert not pacer.leaves_out(silence, waiting_s=0.1), "this is live"


def test_what_lies_right_before_speech_is_not_left_out() -> None:
    onset = Chunk(b"", 0.1, voiced=False, is_pause=True, is_onset=True)
    assert not Pacer(0.0, 1.0).leaves_out(onset, waiting_s=2.0)


def test_silence_that_stands_for_audio_is_not_left_out() -> None:
    injected = Chunk(b"", 0.1, voiced=False, is_pause=True, injected=True)
    assert not Pacer(0.0, 1.0).leaves_out(injected, waiting_s=2.0)


# Whose fault it was.


def test_only_a_backlog_that_went_ahead_of_real_time_is_blamed_and_not_for_long() -> None:
    live, fast = Pacer(0.0), Pacer(0.0)
    for step in range(100):
        live.spend(VOICE, step / 10, waiting_s=0.0)
    assert not live.is_blamed(10.0)
    done_at = spend(fast, [VOICE] * 50)
    assert fast.is_blamed(done_at + BLAMED_FOR_S - 0.1)
    assert not fast.is_blamed(done_at + BLAMED_FOR_S)


def test_real_time_is_never_blamed() -> None:
    pacer = Pacer(0.0, 1.0)
    assert not pacer.is_blamed(spend(pacer, [Chunk(b"", 1.0)] * 5))


# What is remembered.


def test_each_failure_makes_the_next_attempt_slower_down_to_real_time() -> None:
    pace, speeds = Pace(), []
    for now in range(5):
        speeds.append(pace.speed(8.0, now))
        pace.was_too_fast(speeds[-1], now, for_certain=True)
    assert speeds == [8.0, 4.0, 2.0, 1.4, 1.0]
    assert not pace.was_too_fast(1.0, 5.0, for_certain=True)
    assert pace.speed(8.0, 5.0) == 1.0


def test_two_streams_that_failed_at_one_speed_make_it_slower_once() -> None:
    pace = Pace()
    assert pace.was_too_fast(4.0, 0.0, for_certain=True)
    assert not pace.was_too_fast(4.0, 0.1, for_certain=True)
    assert pace.speed(4.0, 0.2) == 2.0


@pytest.mark.parametrize(("for_certain", "for_s"), [(True, REMEMBERED_S), (False, SUSPECTED_S)])
def test_the_process_remembers_it_for_longer_where_the_server_said_so(for_certain: bool, for_s: float) -> None:
    pace = Pace()
    pace.was_too_fast(4.0, 0.0, for_certain=for_certain)
    assert pace.speed(4.0, for_s - 1) == 2.0
    assert pace.speed(4.0, for_s) == 4.0
    assert pace.was_too_fast(4.0, for_s, for_certain=True)
    assert pace.speed(4.0, for_s) == 2.0


def test_who_wants_less_than_the_server_takes_gets_that() -> None:
    pace = Pace()
    pace.was_too_fast(4.0, 0.0, for_certain=True)
    assert pace.speed(1.2, 1.0) == 1.2


@given(st.lists(st.floats(0.0, 0.3), min_size=1, max_size=120), st.sampled_from([1.0, 4.0]), st.integers(0, 40))
def test_live_audio_that_is_booked_late_counts_as_if_each_piece_had_been_booked_at_its_time(
    gaps: list[float], speed: float, late: int
) -> None:
    one_by_one, at_once, lane = Pacer(0.0, speed), Pacer(0.0, speed), LiveLane(16_000)
    piece, times = Chunk(b"", 0.02, voiced=False), [0.0] * late + list(itertools.accumulate(gaps))
    for pacer in (one_by_one, at_once):
        # A short backlog comes first.
        for waiting_s in (0.6, 0.3, 0.0):
            pacer.spend(piece, 0.0, waiting_s)
    lane.open(at_once.live(probes=True))
    for now in times:
        one_by_one.spend(piece, now, waiting_s=0.0)
        is_taken = lane.take(bytes(640), now)
        if is_taken and not lane.is_full:
            continue
        if pieces := lane.clear():
            seconds = 0.02 * len(pieces.pcm)
            at_once.spend_live([Stretch(round(16_000 * seconds), seconds, voiced=False, power=0.0)], lane.lead)
        if not is_taken:
            at_once.spend(piece, now, waiting_s=0.0)
        for later in (now, now + 2.9, now + 3.1):
            assert at_once.is_blamed(later) == one_by_one.is_blamed(later)
        assert numbers(at_once) == pytest.approx(numbers(one_by_one))
        assert at_once.follows_voice == one_by_one.follows_voice
        lane.open(at_once.live(probes=True))


def test_a_ping_behind_live_audio_that_is_not_booked_yet_asks_for_that_audio_too() -> None:
    pacer = Pacer(0.0)
    pacer.spend(Chunk(b"", 0.0), 0.0, waiting_s=0.0)
    pacer.ping_sent(0.2, live_s=0.2)
    pacer.spend_live([Stretch(6400, 0.4, voiced=True, power=1.0)], Lead(0.48, 0.02, 0.4, -math.inf))
    assert pacer.live(probes=True).until_ping_s == pytest.approx(0.0, abs=1e-9)
    pacer.ping_sent(0.4)
    pacer.arrived(0.4, 0.5)
    assert pacer.live(probes=True).until_ping_s == PROBE_S
