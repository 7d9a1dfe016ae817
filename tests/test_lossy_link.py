"""The core promise: whatever the link does, each word that was spoken is in exactly one final, and each turn ends."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.client import Limits
from livekit.plugins.cartesia_turns.turns import Kind
from support.lossy_link import Break, Call, Fault, Network, Outcome
from support.simulated_server import Speech

CALLS = int(os.environ.get("LOSSY_CALLS", "60"))
"""How many calls each test plays."""

WITHIN_TURN = st.integers(2, 24)
BETWEEN_TURNS = st.integers(50, 110)
"""Pauses in frames of 20 ms. What lies between depends on the last frame: it may end a turn once and not again."""


@st.composite
def speeches(draw: st.DrawFn, most_words: int = 14) -> Speech:
    lengths = draw(st.lists(st.integers(10, 22), min_size=1, max_size=most_words))
    pauses = [draw(st.one_of(WITHIN_TURN, WITHIN_TURN, BETWEEN_TURNS)) for _ in lengths]
    return Speech(tuple(pauses), tuple(lengths))


networks = st.builds(
    Network,
    up_s=st.sampled_from([0.0, 0.01, 0.05, 0.15]),
    down_s=st.sampled_from([0.0, 0.01, 0.05, 0.15]),
    jitter_s=st.sampled_from([0.0, 0.02]),
    server_s=st.sampled_from([0.0, 0.05, 0.1]),
    connect_s=st.sampled_from([0.0, 0.05, 0.4]),
)
faults = st.lists(
    st.builds(
        Fault,
        at_s=st.floats(0, 14),
        kind=st.sampled_from([Break.RESET, Break.RESET, Break.CLOSED]),
        notice_s=st.sampled_from([0.0, 0.2, 1.0]),
        outage_s=st.sampled_from([0.0, 0.0, 0.5, 3.0]),
    ),
    max_size=4,
)


def check_alternation(outcome: Outcome) -> None:
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
    assert outcome.text == said.text
    check_alternation(outcome)
    check_growth(outcome)


@settings(max_examples=CALLS)
@given(speeches(), networks, faults, st.integers(0, 20), st.integers(0, 9))
def test_every_word_is_in_exactly_one_final_wherever_the_link_breaks(
    said: Speech, network: Network, breaks: list[Fault], delay_frames: int, seed: int
) -> None:
    outcome = Call(said, network=network, faults=breaks, delay_frames=delay_frames, seed=seed).run()
    check_nothing_lost(outcome, said)
    assert outcome.held_s <= Limits().buffer_s
