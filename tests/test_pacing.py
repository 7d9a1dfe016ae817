"""A backlog goes out faster than real time, and no faster than answers tell that it has arrived."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.pacing import (
    BURST_S,
    CATCH_UP_SPEED,
    SERVER_LAG_S,
    SLOWEST_CATCH_UP,
    WINDOW_S,
    Pacer,
)
from livekit.plugins.cartesia_turns.replay import Chunk
from livekit.plugins.cartesia_turns.settling import PROBE_S

VOICE, SILENCE = Chunk(b"", 0.1), Chunk(b"", 0.1, voiced=False)


def spend(pacer: Pacer, chunks: list[Chunk], now: float = 0.0) -> float:
    """Sends chunks of a backlog as soon as each may go, without a ping; returns when the last one went."""
    for chunk in chunks:
        now = max(now, pacer.ready_at(chunk))
        pacer.spend(chunk, now, waiting_s=9.0)
    return now


def test_a_backlog_goes_out_many_times_faster_than_real_time_after_a_burst() -> None:
    assert spend(Pacer(0.0), [VOICE] * 50) == pytest.approx((5.0 - BURST_S) / CATCH_UP_SPEED, abs=0.02)


def test_so_much_is_on_its_way_at_most() -> None:
    pacer = Pacer(0.0)
    spend(pacer, [VOICE] * round(WINDOW_S / 0.1) + [SILENCE])
    assert pacer.ready_at(VOICE) == math.inf
    pacer.ping_sent(5.0)
    pacer.arrived(5.0, 6.0)
    assert pacer.ready_at(VOICE) < math.inf


@pytest.mark.parametrize(("in_turn", "waiting_s"), [(True, 0.0), (False, 9.0)])
def test_in_a_turn_and_in_a_backlog_a_ping_follows_every_fifth_of_a_second_of_audio(
    in_turn: bool, waiting_s: float
) -> None:
    pacer, pings = Pacer(0.0), 0
    for now in range(60):
        if pacer.wants_ping(VOICE, in_turn=in_turn):
            pings += 1
            pacer.ping_sent(now)
            assert not pacer.wants_ping(VOICE, in_turn=in_turn)
        pacer.spend(VOICE, now, waiting_s=waiting_s)
    assert pings == pytest.approx(6.0 / PROBE_S, abs=1)


def test_voice_behind_a_pause_waits_for_the_answer_to_a_ping_sent_behind_the_pause() -> None:
    pacer = Pacer(0.0)
    spend(pacer, [VOICE] * 10 + [SILENCE] * 4)
    pacer.ping_sent(0.0)
    sent = spend(pacer, [SILENCE])
    pacer.arrived(0.0, sent)
    assert not pacer.wants_ping(SILENCE, in_turn=False)
    assert pacer.wants_ping(VOICE, in_turn=False)
    pacer.ping_sent(sent)
    assert not pacer.wants_ping(VOICE, in_turn=False)
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
        if pacer.wants_ping(chunk, in_turn=False):
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
    assert pacer.wants_ping(VOICE, in_turn=False)
    pacer.spend(SILENCE, 1.0, 0.0)
    assert not pacer.wants_ping(VOICE, in_turn=False)
    pacer.spend(SILENCE, 1.1, waiting_s)
    assert not pacer.wants_ping(VOICE, in_turn=False)
    pacer.spend(SILENCE, 1.2, 0.6)
    assert pacer.wants_ping(VOICE, in_turn=False)
