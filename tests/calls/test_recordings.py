"""A call that was recorded comes out the same when it is run again, whatever went wrong in it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.recording import Recording, load, replay
from support.faults import CELLS, Outcome, run_all
from support.lossy_link import Break, Fault, Network, SimulatedCall
from support.recordings import Tape
from support.simulated_server import Speech

CHOSEN = CELLS[::7]
"""Some of the fault matrix: each state, and most kinds of faults."""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    """The chosen cells of the fault matrix, over real sockets, as the environment has them recorded."""
    folder = tmp_path_factory.mktemp("calls")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARTESIA_TURNS_RECORD", str(folder))
        outcomes = asyncio.run(run_all(CHOSEN))
    assert all(isinstance(outcome, Outcome) for outcome in outcomes.values()), outcomes
    return [load(_written(call)) for call in sorted(folder.iterdir())]


def _written(call: Path) -> Path:
    """The folder of a call, once the thread that writes is done with it."""
    for _ in range(500):
        if (call / "audio.flac").exists():
            return call
        # Not of a pure module: the other thread needs a moment of real time.
        asyncio.run(asyncio.sleep(0.01))
    raise AssertionError(f"not written: {[path.name for path in call.iterdir()]}")


@pytest.mark.slow
def test_recordings_of_the_fault_matrix_replay_the_same(recordings: list[Recording]) -> None:
    assert len(recordings) == len(CHOSEN) >= 12
    for recording in recordings:
        outcome = replay(recording)
        assert outcome.is_same, f"{recording.folder}: {outcome}"
        assert outcome.events >= 4


@pytest.mark.slow
def test_recordings_of_the_fault_matrix_hold_no_key_no_header_and_no_address(recordings: list[Recording]) -> None:
    for recording in recordings:
        text = (recording.folder / "call.jsonl").read_text()
        assert not [
            secret for secret in ("local-", "tenant-of-the-call", "Bearer", "127.0.0.1", "ws://") if secret in text
        ]


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
def test_a_recording_changes_nothing_of_the_call(seed: int) -> None:
    assert some_call(seed, Tape()).run() == some_call(seed).run()
