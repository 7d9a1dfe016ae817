"""A call that was recorded comes out the same when it is run again, whatever went wrong in it.

Here are calls in simulated time; `test_faults` does the same with each cell of the fault matrix, over real sockets.
"""

from __future__ import annotations

import random

import pytest
from livekit.plugins.cartesia_turns.core import pacing
from livekit.plugins.cartesia_turns.recording import replay
from livekit.plugins.cartesia_turns.recording.schema import SchemaError
from support.lossy_link import Break, Fault, Network, SimulatedCall
from support.recordings import Tape
from support.simulated_server import Speech


def some_call(seed: int, tape: Tape | None = None) -> SimulatedCall:
    chance = random.Random(seed)  # noqa: S311  # the call is the same each time
    words = chance.randint(1, 8)
    speech = Speech(
        tuple(chance.choice([4, 10, 15, 45, 120]) for _ in range(words)),
        tuple(chance.randint(5, 30) for _ in range(words)),
        tail=300,
    )
    faults = [
        Fault(chance.uniform(0, speech.seconds), chance.choice([*Break]), outage_s=chance.choice([0.0, 0.5, 5.0]))
        for _ in range(chance.randint(0, 3))
    ]
    network = Network(
        up_s=chance.choice([0.0, 0.03, 0.3]), jitter_s=chance.choice([0.0, 0.05]), server_s=chance.choice([0.0, 0.5])
    )
    return SimulatedCall(
        speech,
        network=network,
        faults=faults,
        mutes={30: 3.0} if chance.random() < 0.3 else {},
        burst=chance.random() < 0.1,
        at_once=chance.choice([1, 1, 5]),
        seed=seed,
        make_client=tape.client if tape else None,
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_simulated_call_with_losses_replays_the_same(seed: int) -> None:
    tape = Tape()
    some_call(seed, tape).run()
    outcome = replay(tape.recording())
    assert outcome.is_same, str(outcome)
    assert outcome.events > 0


@pytest.mark.slow
def test_a_hundred_more_of_them_do() -> None:
    for seed in range(20, 120):
        tape = Tape()
        some_call(seed, tape).run()
        outcome = replay(tape.recording())
        assert outcome.is_same, f"seed {seed}: {outcome}"


@pytest.mark.parametrize("seed", range(5))
def test_a_call_whose_client_booked_live_audio_at_other_times_replays_the_same(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = Tape()
    with monkeypatch.context() as patched:
        patched.setattr(pacing, "BOOKED_S", 0.1)
        some_call(seed, tape).run()
    outcome = replay(tape.recording())
    assert outcome.is_same, str(outcome)


@pytest.mark.parametrize("seed", range(5))
def test_a_recording_changes_nothing_of_the_call(seed: int) -> None:
    assert some_call(seed, Tape()).run() == some_call(seed).run()


def test_a_call_without_its_words_is_not_told_to_differ_where_they_matter() -> None:
    tape = Tape(transcripts=False)
    some_call(35, tape).run()
    with pytest.raises(SchemaError, match="recorded without its words"):
        replay(tape.recording())
