"""Which audio the end of a turn settles: by position, and by a pause only where the server is late."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core.runs import Run
from livekit.plugins.cartesia_turns.core.settling import (
    JITTER_S,
    LONGEST_LAG_S,
    PAUSE_S,
    SERVER_LAG_S,
    TAIL_S,
    USUAL_END_S,
    Receipts,
    Settled,
    Settling,
)

RATE = 1000
TAIL, LATE = round(TAIL_S * RATE), round(LONGEST_LAG_S * RATE)


def runs(*seconds: float, first_voiced: bool = False) -> list[Run]:
    """Stretches of these lengths, one without voice and one with voice in turn."""
    made: list[Run] = []
    at, voiced = 0, first_voiced
    for length in seconds:
        made.append(Run(at, at + round(length * RATE), voiced))
        at, voiced = made[-1].end, not voiced
    return made


def at_real_time(now: float) -> int:
    """Up to where audio had been sent that goes out in real time."""
    return round(now * RATE)


def ended(audio: list[Run], heard_s: float, started_s: float) -> Settled:
    settling = Settling(RATE)
    settling.turn_started(round(started_s * RATE), audio)
    return settling.turn_ended(round(heard_s * RATE), audio)


# What the server had received.


def test_audio_before_an_answered_ping_was_received_and_behind_an_unanswered_one_not() -> None:
    receipts = Receipts()
    receipts.asked(1000, 1.0)
    receipts.asked(1200, 1.2)
    receipts.answered(1.0, 1.5)
    assert receipts.received == 1000
    assert receipts.heard_until(1.5) == pytest.approx(1.0)
    assert receipts.heard_until(1.6) == pytest.approx(1.1)
    assert receipts.heard(1.5, at_real_time) == 1000
    assert receipts.heard(1.6, at_real_time) == 1100
    assert receipts.heard(9.9, at_real_time) == 1200
    receipts.answered(1.2, 1.7)
    assert receipts.heard(1.7, at_real_time) == 1200


@pytest.mark.parametrize("round_trip_s", [0.0, 0.1, 1.0, 6.0])
def test_a_long_round_trip_does_not_make_it_less_certain(round_trip_s: float) -> None:
    receipts = Receipts()
    for number in range(20):
        receipts.asked(200 * number, 0.2 * number)
    receipts.answered(2.0, 2.0 + round_trip_s)
    assert receipts.heard(2.1 + round_trip_s, at_real_time) == 2100


def test_one_answer_stands_for_all_pings_before_it() -> None:
    receipts = Receipts()
    receipts.asked(100, 0.1)
    receipts.asked(200, 0.2)
    receipts.answered(0.2, 0.3)
    assert receipts.heard(0.3, at_real_time) == 200


def test_where_no_ping_was_answered_yet_audio_of_some_age_counts_as_received() -> None:
    receipts = Receipts()
    assert receipts.received is None
    receipts.asked(0, 0.0)
    assert receipts.heard(5.0, at_real_time) == round((5.0 - SERVER_LAG_S) * RATE)


def pinged(*answered_at: float) -> Receipts:
    """Receipts of pings that went out every 0.2 s and were answered at these moments."""
    receipts = Receipts()
    for number, now in enumerate(answered_at):
        receipts.asked(200 * number, 0.2 * number)
        receipts.answered(0.2 * number, now)
    return receipts


def test_a_server_has_worked_on_all_but_a_moment_of_audio_that_reaches_it_in_real_time() -> None:
    receipts = pinged(*(0.2 * number + 0.05 for number in range(20)))
    receipts.greeted(0.0)
    assert receipts.unworked(3.9, 3850) <= 1000 * (SERVER_LAG_S + 0.2)


def test_a_server_may_not_have_worked_yet_on_audio_that_it_just_received_all_at_once() -> None:
    receipts = pinged(0.05, 0.25, *[3.0] * 10)
    receipts.greeted(0.0)
    assert receipts.unworked(3.1, 2200) == 2000
    assert receipts.unworked(3.01 + SERVER_LAG_S, 2400) == 200


def test_a_long_frame_is_audio_that_was_sent_at_one_moment_and_live_audio_is_not() -> None:
    receipts = Receipts()
    receipts.asked(1500, 1.5)
    receipts.answered(1.5, 1.51)
    assert receipts.at_once(1.51, 1500, lambda when: 500 * int(when / 0.5 + 0.001)) == 500
    assert receipts.at_once(1.51, 1500, at_real_time) == 1000 * JITTER_S


def test_a_server_may_begin_with_its_work_when_it_says_connected() -> None:
    receipts = pinged(*(0.2 * number + 0.05 for number in range(10)))
    assert receipts.unworked(2.0, 1900) == 1900
    receipts.greeted(2.0)
    assert receipts.unworked(2.0 + SERVER_LAG_S / 2, 1900) == 1900
    assert receipts.unworked(2.01 + SERVER_LAG_S, 1900) == 100


# What is settled.


@pytest.mark.parametrize(
    "audio",
    [
        runs(1.0, 2.0, 0.5),
        pytest.param(runs(1.0, 2.5), id="noise behind the words"),
        pytest.param(runs(3.5, first_voiced=True), id="noise everywhere"),
        pytest.param(runs(3.5), id="nothing was heard by us"),
        pytest.param(runs(1.0, 0.5, 0.5, 1.5), id="a pause between the words"),
        pytest.param(runs(1.0, 2.0, 0.3, 0.2), id="noise behind a short pause"),
        pytest.param(runs(1.0, 2.0, 0.45, 0.05), id="the next word begins as the turn ends"),
    ],
)
def test_what_was_received_is_settled_but_for_the_tail_whatever_it_sounds_like(audio: list[Run]) -> None:
    assert ended(audio, heard_s=3.5, started_s=1.4) == Settled(round((3.5 - TAIL_S) * RATE))


def test_a_server_that_is_late_leaves_the_speech_behind_the_pause_in_doubt() -> None:
    audio = runs(1.0, 1.0, 0.8, 0.7)
    assert ended(audio, heard_s=3.5, started_s=2.3) == Settled(round((2.8 - TAIL_S) * RATE), in_doubt=True)


def test_a_server_that_was_quick_to_notice_the_turn_is_not_taken_to_be_far_behind() -> None:
    audio = runs(1.0, 1.0, 0.8, 0.7)
    assert not ended(audio, heard_s=3.5, started_s=1.2).in_doubt


def test_the_next_turn_may_begin_in_the_long_frame_in_which_a_turn_ended() -> None:
    noise, settling = runs(1.5, first_voiced=True), Settling(RATE)
    settling.turn_started(500, noise)
    assert settling.turn_ended(1500, noise, at_once=100) == Settled(1500 - TAIL)
    assert settling.turn_ended(1500, noise, at_once=250) == Settled(1250)
    assert settling.turn_ended(1500, noise, at_once=1500) == Settled(1500 - round(USUAL_END_S * RATE) + TAIL)


@pytest.mark.parametrize(("voice_s", "settled"), [(0.65, 1200), (0.75, 1250), (0.85, 1200)])
def test_a_word_that_was_over_in_time_is_settled_whole_however_much_came_at_once(voice_s: float, settled: int) -> None:
    audio, settling = runs(0.5, voice_s, 1.0 - voice_s), Settling(RATE)
    settling.turn_started(700, audio)
    assert settling.turn_ended(1500, audio, at_once=450) == Settled(settled)


def test_a_server_that_received_much_at_once_may_be_behind_by_all_of_it() -> None:
    audio, settling = runs(1.0, 1.0, 0.8, 3.0), Settling(RATE)
    settling.turn_started(1200, audio)
    assert settling.turn_ended(5500, audio, unworked=3500) == Settled(round((2.8 - TAIL_S) * RATE), in_doubt=True)


def test_what_is_kept_in_doubt_may_be_all_of_a_turn_that_a_pause_has_ended() -> None:
    speech_goes_on, settling = runs(1.0, 1.0, 0.8, 0.7), Settling(RATE)
    settling.turn_started(2300, speech_goes_on)
    begins = settling.turn_ended(3500, speech_goes_on).position
    assert not settling.may_be_whole(begins)
    a_pause = runs(1.0, 1.0, 0.8, 0.3, 0.4)
    settling = Settling(RATE)
    settling.turn_started(2300, a_pause)
    assert settling.turn_ended(3500, a_pause).position == begins
    assert settling.may_be_whole(begins)


def test_an_end_that_comes_as_late_as_usual_leaves_no_doubt() -> None:
    audio = runs(1.0, 1.0, 0.4, 0.2)
    assert not ended(audio, heard_s=2.6, started_s=2.0).in_doubt
    settling = Settling(RATE)
    settling.turn_started(500, runs(0.2, 0.5, 0.3))
    settling.turn_ended(1000, runs(0.2, 0.5, 0.3))
    settling.turn_started(2000, audio)
    assert settling.turn_ended(2620, audio).in_doubt


def test_the_pause_before_a_short_turn_is_not_taken_for_its_end() -> None:
    audio = runs(0.5, 0.3, 1.0, 1.2)
    settling = Settling(RATE)
    settling.turn_started(600, audio[:2])
    settling.turn_ended(1200, audio[:3])
    settling.turn_started(2200, audio)
    assert settling.turn_ended(3000, audio) == Settled(3000 - TAIL)


lengths = st.lists(st.floats(0.02, 3.0), min_size=1, max_size=12)


@given(lengths, st.booleans(), st.floats(0, 1), st.floats(0, 1))
def test_never_more_is_kept_of_what_was_received_than_the_tail_and_a_second(
    seconds: list[float], voiced: bool, started: float, ended_at: float
) -> None:
    audio = runs(*seconds, first_voiced=voiced)
    heard = round(audio[-1].end * max(started, ended_at))
    settling = Settling(RATE)
    settling.turn_started(round(heard * min(started, ended_at)), audio)
    settled = settling.turn_ended(heard, audio)
    assert heard - TAIL - LATE <= settled.position <= heard - TAIL
    assert settled.in_doubt or settled.position == heard - TAIL


@given(st.floats(0.0, 0.9), st.floats(PAUSE_S + 0.02, 2.0))
def test_the_next_turn_is_kept_whole_at_a_server_that_is_behind_by_less_than_a_second(
    behind_s: float, pause_s: float
) -> None:
    audio = runs(1.0, 1.0, pause_s, 3.0)
    onset_s = 2.0 + pause_s
    heard_s = 2.0 + USUAL_END_S + behind_s
    settling = Settling(RATE)
    settling.turn_started(round((1.3 + behind_s) * RATE), audio)
    settled = settling.turn_ended(round(heard_s * RATE), audio)
    assert settled.position <= round(onset_s * RATE)


def test_hours_of_answers_without_a_turn_take_no_more_memory_than_seconds() -> None:
    receipts = Receipts()
    receipts.greeted(0.0)
    sizes: list[int] = []
    for count in (50, 20_000):
        for number in range(count):
            now = (len(sizes) * 50 + number) * 0.2
            receipts.asked(round(now * RATE), now)
            receipts.answered(now, now + 0.05)
        sizes.append(len(pickle.dumps(receipts)))
    assert sizes[1] < sizes[0] + 100
