"""The core promise: whatever the link does, each word that was spoken is in exactly one final, and each turn ends.

Real audio is given by words whose samples name them, the real server by its dialogue and a perfect recognizer. What is
left out, since the wire can't tell it: a server that goes deaf between turns, a clean close that crosses the client's
own, and a recognizer that hears the same audio differently the second time.
"""

from __future__ import annotations

import itertools
import math
import os
import random
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core.events import Kind, Notice
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings
from livekit.plugins.cartesia_turns.wire.options import Options
from support.lossy_link import Break, Fault, HoldUp, Jam, Network, Outcome, SimulatedCall
from support.simulated_server import FRAME_S, RATE, Noise, Speech

CALLS = int(os.environ.get("LOSSY_CALLS", "40"))
"""How many calls each test plays."""

WITHIN_TURN = st.integers(2, 24)
BETWEEN_TURNS = st.integers(50, 110)
"""Pauses in frames of 20 ms. What lies between depends on the last frame: it may end a turn once and not again."""
MEASURED_TO_S = 0.15
"""How exactly the end of speech is known where it is known."""
LONG_TAIL = 1100
"""Frames of silence that outlast every deadline."""


@st.composite
def speeches(draw: st.DrawFn, most_words: int = 12) -> Speech:
    """Several turns of some words."""
    lengths = draw(st.lists(st.integers(10, 22), min_size=1, max_size=most_words))
    pauses = [draw(st.one_of(WITHIN_TURN, WITHIN_TURN, BETWEEN_TURNS)) for _ in lengths]
    return Speech(tuple(pauses), tuple(lengths), noise=draw(noises))


noises = st.one_of(
    st.just(Noise()),
    st.builds(
        Noise,
        dbfs=st.sampled_from([-50.0, -42.0, -35.0]),
        behind_s=st.sampled_from([0.3, 0.6, 1.0, 2.0, math.inf]),
        seed=st.integers(0, 9),
    ),
    st.builds(
        Noise,
        dbfs=st.sampled_from([-50.0, -42.0]),
        dc=st.sampled_from([0.03, 0.12]),
        hum_dbfs=st.sampled_from([-math.inf, -30.0]),
    ),
)
"""What is heard beside the words: in one call of three nothing but digital silence."""


def faults(kinds: list[Break], outages: list[float], most: int = 4) -> st.SearchStrategy[list[Fault]]:
    """Faults at any time of a call."""
    notice, outage = st.sampled_from([0.0, 0.2, 1.0]), st.sampled_from(outages)
    return st.lists(st.builds(Fault, st.floats(0, 14), st.sampled_from(kinds), notice, outage), max_size=most)


networks = st.builds(
    Network,
    up_s=st.sampled_from([0.0, 0.01, 0.05, 0.15, 0.4]),
    down_s=st.sampled_from([0.0, 0.01, 0.05, 0.15, 0.4]),
    jitter_s=st.sampled_from([0.0, 0.02]),
    server_s=st.sampled_from([0.0, 0.05, 0.1]),
    connect_s=st.sampled_from([0.0, 0.05, 0.4]),
    uplink_speed=st.sampled_from([math.inf, math.inf, 4.0, 2.0, 1.5]),
)
drops = faults([Break.RESET, Break.RESET, Break.CLOSED], [0.0, 0.0, 0.5, 3.0])
all_faults = faults([*Break], [0.0, 0.5, 3.0, 12.0, 18.0], most=3)
delays = st.integers(0, 20)
seeds = st.integers(0, 9)
hold_ups = st.lists(st.builds(HoldUp, st.floats(0, 14), st.floats(0.2, 0.8)), max_size=6)
pieces = st.sampled_from([1, 1, 2, 5, 8])
"""How many frames of 20 ms are pushed together."""


def check_alternation(outcome: Outcome) -> None:
    """Each turn starts once and ends once."""
    ends = [event.kind for _, event in outcome.events if event.kind in (Kind.START, Kind.END)]
    assert ends == [Kind.START, Kind.END] * (len(ends) // 2)


def check_growth(outcome: Outcome) -> None:
    """Within a turn the text that is shown only grows."""
    shown = 0
    for _, event in outcome.events:
        words = len(event.transcript.split())
        assert event.kind is Kind.START or words >= shown
        shown = 0 if event.kind in (Kind.START, Kind.END) else words


def check_nothing_lost(outcome: Outcome, said: Speech) -> None:
    """Every word is in exactly one final, whole and in its place."""
    assert outcome.text == said.text
    check_alternation(outcome)
    check_growth(outcome)
    assert outcome.held_s <= Limits().buffer_s
    assert outcome.billed_s == pytest.approx(outcome.stats.sent_s)


def check_measures(outcome: Outcome, said: Speech) -> None:
    """The end of each turn's speech is measured as it was, or not at all."""
    frames = accumulate(pause + length for pause, length in zip(said.pauses, said.lengths, strict=True))
    words_end = [frame * FRAME_S for frame in frames]
    for at, event in outcome.events:
        if event.kind is not Kind.END:
            continue
        assert event.measures is not None
        if event.measures.end_delay_s is not None and event.transcript:
            last = int(event.transcript.split()[-1].removeprefix("w"))
            assert at - event.measures.end_delay_s == pytest.approx(words_end[last], abs=MEASURED_TO_S)


@settings(max_examples=CALLS)
@given(speeches(), networks, drops, st.tuples(delays, seeds, pieces))
def test_every_word_is_in_exactly_one_final_wherever_the_link_breaks(
    said: Speech, network: Network, breaks: list[Fault], rest: tuple[int, int, int]
) -> None:
    delay_frames, seed, at_once = rest
    call = SimulatedCall(said, network=network, faults=breaks, delay_frames=delay_frames, seed=seed, at_once=at_once)
    check_nothing_lost(call.run(), said)


@settings(max_examples=CALLS)
@given(speeches(), networks, drops, hold_ups, st.tuples(delays, seeds, pieces))
def test_so_it_is_where_the_process_is_held_up(
    said: Speech, network: Network, breaks: list[Fault], held: list[HoldUp], rest: tuple[int, int, int]
) -> None:
    delay_frames, seed, at_once = rest
    call = SimulatedCall(
        said, network=network, faults=breaks, hold_ups=held, delay_frames=delay_frames, seed=seed, at_once=at_once
    )
    check_nothing_lost(call.run(), said)


def test_no_part_of_a_word_is_told_again_where_the_process_is_held_up_as_its_turn_ends() -> None:
    said = Speech((2, 50, *[2] * 10), (11, *[10] * 11))
    network = Network(up_s=0.0, down_s=0.15, connect_s=0.0, uplink_speed=1.5)
    breaks = [Fault(0.5, outage_s=0.5), Fault(2.0, outage_s=0.0)]
    check_nothing_lost(SimulatedCall(said, network=network, faults=breaks, hold_ups=[HoldUp(1.5, 0.5)]).run(), said)


@pytest.mark.parametrize("length_s", [0.45, 0.5, 0.55, 0.6])
@pytest.mark.parametrize("word_frames", range(4, 18, 2))
def test_no_silence_tears_a_word_where_the_process_is_held_up_in_it(length_s: float, word_frames: int) -> None:
    said = Speech((30, 10, 10), (20, 60, 20))
    call = SimulatedCall(said, hold_ups=[HoldUp((60 + word_frames) * FRAME_S, length_s)])
    outcome = call.run()
    check_nothing_lost(outcome, said)
    assert outcome.stats.silent_s == 0


@settings(max_examples=CALLS // 2)
@given(speeches(), networks, drops, st.tuples(delays, seeds, pieces))
def test_the_end_of_the_speech_of_each_turn_is_measured_as_it_was_or_not_at_all(
    said: Speech, network: Network, breaks: list[Fault], rest: tuple[int, int, int]
) -> None:
    # How much audio is on its way in a narrow link, or waits in the server to be worked on, can't be told.
    said, network = replace(said, noise=Noise()), replace(network, server_s=0.0, uplink_speed=math.inf)
    delay_frames, seed, at_once = rest
    call = SimulatedCall(said, network=network, faults=breaks, delay_frames=delay_frames, seed=seed, at_once=at_once)
    check_measures(call.run(), said)


@settings(max_examples=CALLS // 2)
@given(speeches(most_words=8), networks, all_faults, delays, seeds)
def test_every_word_is_final_once_after_stalls_dead_peers_and_long_outages_too(
    said: Speech, network: Network, breaks: list[Fault], delay_frames: int, seed: int
) -> None:
    said = replace(said, tail=LONG_TAIL)
    outcome = SimulatedCall(said, network=network, faults=breaks, delay_frames=delay_frames, seed=seed).run()
    check_nothing_lost(outcome, said)


@settings(max_examples=CALLS // 2)
@given(said=speeches(), network=networks, breaks=drops, burst=st.booleans(), data=st.data())
def test_it_makes_no_difference_whether_audio_comes_in_real_time_in_one_go_or_with_gaps(
    said: Speech, network: Network, breaks: list[Fault], burst: bool, data: st.DataObject
) -> None:
    after = data.draw(st.integers(0, len(said.lengths) - 1))
    at = sum(said.pauses[: after + 1]) + sum(said.lengths[: after + 1])
    mutes = {} if burst else {at: data.draw(st.sampled_from([1.0, 3.0, 9.0]))}
    call = SimulatedCall(said, network=network, faults=breaks, mutes=mutes, burst=burst)
    check_nothing_lost(call.run(), said)


@settings(max_examples=CALLS // 2)
@given(speeches(), networks, faults([*Break], [0.0, 3.0, 8.0, 20.0]), delays)
def test_over_the_limit_memory_is_bounded_and_what_is_lost_is_counted(
    said: Speech, network: Network, breaks: list[Fault], delay_frames: int
) -> None:
    said = replace(said, tail=LONG_TAIL)
    limits = Limits(buffer_s=4.0)
    outcome = SimulatedCall(said, network=network, faults=breaks, delay_frames=delay_frames, limits=limits).run()
    assert outcome.held_s <= limits.buffer_s
    check_alternation(outcome)
    whole = [int(word[1:]) for word in outcome.text.split() if word[0] == "w"]
    assert whole == sorted(set(whole))
    assert outcome.stats.lost_s > 0 or outcome.text == said.text


@pytest.mark.parametrize("server_s", [0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("gap", [36, 45, 60])
def test_what_is_said_before_a_late_turn_end_is_not_settled_with_the_turn_it_ends(server_s: float, gap: int) -> None:
    said = Speech((30, 10, gap, 10), (20, 20, 20, 20), tail=400)
    turn_end_s = (30 + 20 + 10 + 20) * FRAME_S + 0.5 + server_s
    for after_s in (0.0, 0.3, 0.6, 0.9):
        outcome = SimulatedCall(
            said, network=Network(0.03, 0.03, server_s=server_s), faults=[Fault(turn_end_s + after_s)]
        ).run()
        check_nothing_lost(outcome, said)


def test_an_outage_of_any_length_costs_the_same_memory_and_is_told_once() -> None:
    said = Speech((10,) * 12, (15,) * 12, tail=LONG_TAIL)
    outcome = SimulatedCall(said, faults=[Fault(0.5, outage_s=20.0)], limits=Limits(buffer_s=4.0)).run()
    assert outcome.held_s <= 4.0
    assert outcome.notices.count(Notice.AUDIO_LOST) == 1


def test_a_call_without_faults_takes_one_socket_and_sends_nothing_twice() -> None:
    said = Speech((50, 10, 60), (15, 15, 15))
    outcome = SimulatedCall(said).run()
    assert outcome.finals == ["w0 w1", "w2"]
    assert outcome.sockets == 1
    assert outcome.stats.replayed_s == 0
    assert outcome.billed_s == pytest.approx(said.seconds)


def test_a_turn_broken_by_a_drop_is_one_turn_for_its_consumer() -> None:
    said = Speech((50, 10, 10, 10), (15, 15, 15, 15))
    outcome = SimulatedCall(said, faults=[Fault(2.2)]).run()
    assert outcome.finals == ["w0 w1 w2 w3"]
    assert outcome.sockets == 2
    assert 0 < outcome.stats.replayed_s < 2.2


@pytest.mark.parametrize("drop_s", [5.2 + 0.3 * number for number in range(10)])
@pytest.mark.parametrize("uplink_speed", [1.5, 2.0, 3.0])
def test_a_drop_while_a_narrow_line_still_carries_what_had_waited_costs_no_word(
    uplink_speed: float, drop_s: float
) -> None:
    said = Speech((10, 15, 60, 15, 60, 15, 60, 15), (20,) * 8, tail=400)
    network = Network(0.03, 0.03, connect_s=5.0, uplink_speed=uplink_speed)
    assert SimulatedCall(said, network=network, faults=[Fault(drop_s, outage_s=0.0)]).run().text == said.text


@pytest.mark.parametrize("round_trip_s", [1.9, 2.5, 3.5, 6.0])
def test_a_long_round_trip_slows_a_backlog_down_and_does_not_stop_it(round_trip_s: float) -> None:
    said = Speech((100, 20, 20), (15, 15, 15), tail=LONG_TAIL)
    network = Network(round_trip_s / 2, round_trip_s / 2, connect_s=10.0)
    outcome = SimulatedCall(said, network=network).run()
    assert outcome.text == said.text
    assert outcome.stats.dead_peers == 0
    assert outcome.billed_s == pytest.approx(said.seconds)


@pytest.mark.parametrize("pause", range(36, 50))
def test_a_short_word_said_while_the_end_of_the_turn_before_is_on_its_way_is_kept(pause: int) -> None:
    # Between "yes" and the rest is a pause, still of the same turn, when the turn.end of the first one comes in.
    said = Speech((30, 10, pause, 21, 10), (20, 20, 8, 20, 20), tail=300)
    drop_s = (sum(said.pauses[:4]) + sum(said.lengths[:4])) * 0.02
    outcome = SimulatedCall(said, network=Network(0.3, 0.3, server_s=0.1), faults=[Fault(drop_s)]).run()
    assert outcome.text == said.text


def a_talk(turns: int, *, words: int = 5, pause: int = 70) -> Speech:
    """Turns of so many words, and pauses of so many frames between them."""
    return Speech((pause, *[4] * (words - 1)) * turns, (20,) * (words * turns), tail=LONG_TAIL)


@pytest.mark.parametrize(
    ("end_timeout_ms", "outage_s", "silent_s"),
    [(None, 0.0, 2.2), (None, 12.0, 12.9), (1000, 0.0, 2.2), (1000, 12.0, 12.9), (1000, 24.0, 24.9)],
)
@pytest.mark.parametrize("catch_up_speed", [4.0, 1.0])
@pytest.mark.parametrize("again_s", [math.inf, 20.0])
def test_what_is_said_to_a_server_that_fell_silent_in_a_turn_without_words_is_told_by_another(
    end_timeout_ms: int | None, outage_s: float, silent_s: float, catch_up_speed: float, again_s: float
) -> None:
    said = a_talk(turns=18)
    options = Options(sample_rate=RATE, turn=TurnSettings(end_timeout_ms=end_timeout_ms))
    faults = [Fault(0.0, outage_s=outage_s)]
    faults += [Fault(at_s, Break.STALL, outage_s=0.0) for at_s in (silent_s, silent_s + again_s) if at_s < 100.0]
    limits = Limits(catch_up_speed=catch_up_speed)
    outcome = SimulatedCall(said, options=options, faults=faults, limits=limits, delay_frames=60).run()
    assert outcome.notices[0] is Notice.NO_WORDS
    check_nothing_lost(outcome, said)


def test_what_there_is_no_room_for_while_a_server_may_be_deaf_is_counted() -> None:
    said = a_talk(turns=18)
    faults = [Fault(0.0, outage_s=24.0), Fault(24.9, Break.STALL, outage_s=0.0)]
    outcome = SimulatedCall(said, faults=faults, limits=Limits(catch_up_speed=1.0), delay_frames=60).run()
    missing = set(said.text.split()) - set(outcome.text.split())
    assert missing
    assert outcome.stats.lost_s > 0.4 * len(missing)
    assert outcome.held_s <= Limits().buffer_s


def test_a_backlog_that_is_sent_at_real_time_is_made_up_for_in_the_pauses_of_a_talk_and_every_turn_ends() -> None:
    said = a_talk(turns=30, words=3)
    limits = Limits(catch_up_speed=1.0)
    outcome = SimulatedCall(said, network=Network(connect_s=15.0), limits=limits).run()
    check_nothing_lost(outcome, said)
    assert len(outcome.finals) == 30
    late_s = outcome.events[-1][0] - (said.seconds - LONG_TAIL * FRAME_S)
    assert late_s < 6.0


@pytest.mark.parametrize("at_once", [2, 8, 10])
def test_no_word_is_cut_where_the_silence_of_a_backlog_is_left_out(at_once: int) -> None:
    for pause in range(80, 96, 2):
        said = Speech((30, pause, pause, pause), (20, 8, 8, 8), tail=LONG_TAIL, noise=Noise(-38.0), soft=2)
        outcome = SimulatedCall(
            said, network=Network(connect_s=5.0), limits=Limits(catch_up_speed=1.0), at_once=at_once
        ).run()
        assert outcome.stats.sent_s < said.seconds - 1.0
        check_nothing_lost(outcome, said)


def test_silence_dropped_in_an_outage_does_not_make_words_come_twice() -> None:
    said = Speech((50, 10, 10), (15, 15, 15), tail=LONG_TAIL)
    outcome = SimulatedCall(said, faults=[Fault(2.0, outage_s=20.0)], limits=Limits(buffer_s=4.0)).run()
    assert outcome.text == "w0 w1 w2"
    assert outcome.stats.lost_s > 10


@pytest.mark.parametrize("seed", range(4))
def test_a_drop_after_a_hundred_seconds_of_speech_costs_no_word_that_was_told(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # only the lengths depend on it
    lengths = tuple(chance.randint(10, 20) for _ in range(230))
    noise = Noise(-42.0) if seed % 2 else Noise()
    said = Speech(tuple(chance.randint(2, 10) for _ in lengths), lengths, tail=300, noise=noise)
    drop = Fault(said.seconds - 10.0, outage_s=chance.choice([0.0, 0.5, 3.0]))
    outcome = SimulatedCall(said, network=Network(server_s=0.1), faults=[drop], delay_frames=20).run()
    assert said.seconds > 100
    assert outcome.stats.lost_s > 30
    assert outcome.finals == [said.text]


@pytest.mark.parametrize("dbfs", [-50.0, -42.0, -35.0])
@pytest.mark.parametrize("behind_s", [0.3, 0.6, 1.0, 2.0, math.inf])
@pytest.mark.parametrize("words", [1, 3])
def test_a_short_turn_with_noise_behind_it_is_told_once_wherever_the_socket_drops(
    dbfs: float, behind_s: float, words: int
) -> None:
    said = Speech((40,) + (4,) * (words - 1), (20,) * words, tail=150, noise=Noise(dbfs, behind_s))
    for drop in range(20, 40):
        outcome = SimulatedCall(said, faults=[Fault(drop * 0.1)]).run()
        assert outcome.finals == [said.text]
        assert [event.kind for _, event in outcome.events].count(Kind.START) == 1


@pytest.mark.parametrize("is_upward", [True, False], ids=["up", "down"])
@pytest.mark.parametrize("server_s", [0.0, 0.1], ids=["a quick server", "a server that needs a moment"])
def test_a_drop_right_after_a_jam_of_the_network_costs_no_word(server_s: float, *, is_upward: bool) -> None:
    wrong = []
    lengths = itertools.product((0.9, 1.2, 1.6, 2.0, 2.4), (1.0, 1.8, 2.5), (0.07, 0.35), (40, 60, 75))
    for at_s, length_s, drop_after_s, pause in lengths:
        said = Speech((50, pause, 30), (15, 15, 15))
        network = Network(0.02, 0.02, server_s=server_s)
        jam = Jam(at_s, length_s, is_upward=is_upward)
        drop = Fault(at_s + length_s + drop_after_s, outage_s=0.0)
        outcome = SimulatedCall(said, network=network, faults=[drop], jams=[jam]).run()
        if outcome.text != said.text:
            wrong.append((at_s, length_s, drop_after_s, pause, outcome.text))
    assert not wrong


def test_a_short_word_after_a_noise_is_not_told_again_after_a_drop() -> None:
    # A noise, a pause and a word look like the end of one turn and the whole of another one, at a server that is late.
    said = Speech((90, 4, 56), (21, 22, 10), noise=Noise(dbfs=-50, behind_s=0.3, seed=77))
    network = Network(0.05, 0.01, server_s=0.05, connect_s=0.0, uplink_speed=2)
    mute = {sum(said.pauses[:2]) + sum(said.lengths[:2]): 9.0}
    outcome = SimulatedCall(said, network=network, faults=[Fault(8.5, notice_s=1.0, outage_s=3.0)], mutes=mute).run()
    assert outcome.text == said.text
