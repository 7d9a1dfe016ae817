from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from livekit.plugins.cartesia_turns.doctor.calls import Server
from livekit.plugins.cartesia_turns.recording.labels import Labels, Stretch
from livekit.plugins.cartesia_turns.server import Faults, Line, LocalServer, Script
from livekit.plugins.cartesia_turns.tuning import runs
from livekit.plugins.cartesia_turns.tuning.results import Result
from livekit.plugins.cartesia_turns.tuning.runs import Job, RunError, Sample, key_of, room_tone, run, run_all
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings
from livekit.plugins.cartesia_turns.wire.options import Options
from support.noise import Room, clipped
from support.waiting import until

RATE = 16000
TURN = TurnSettings(0.8, 0.6, 0.3, 1000)
TALK = Script(
    [
        Line(0.1, {"type": "turn.start"}),
        Line(0.2, {"type": "turn.eager_end", "transcript": "one"}),
        Line(0.3, {"type": "turn.resume"}),
        Line(0.5, {"type": "turn.end", "transcript": "one"}),
    ]
)


def sample(seconds: float = 0.4, *, seed: int = 0, options: Options | None = None) -> Sample:
    """A call of noise: what a script answers depends on its length alone."""
    pcm = clipped(Room("fan", white_dbfs=-45).noise(round(seconds * RATE), RATE, seed)).tobytes()
    return Sample(f"call {seed}", pcm, options or Options(), Labels("call", seconds, ()))


@pytest_asyncio.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalServer]:
    async with LocalServer(script=TALK, record=True) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        monkeypatch.setattr(runs, "AGAIN_AFTER_S", 0.01)
        yield local


async def test_events_are_told_by_the_audio_that_had_been_sent(server: LocalServer) -> None:
    result = await run(Server(server.url), Job(sample(0.6), TURN))
    assert [kind for kind, _ in result.events] == ["start", "eager_end", "resume", "end"]
    assert [at for _, at in result.events] == pytest.approx([0.1, 0.2, 0.3, 0.5], abs=0.08)
    assert result.heard_s == pytest.approx(0.6, abs=0.021)
    assert result.sent_s == pytest.approx(0.6, abs=0.1)
    assert result.call == "call 0"
    assert 0 <= result.late_s < 0.6


async def test_the_room_goes_on_until_an_open_turn_is_over_and_no_longer(server: LocalServer) -> None:
    result = await run(Server(server.url), Job(sample(0.3), TURN))
    kind, at = result.events[-1]
    assert kind == "end"
    assert at == pytest.approx(0.5, abs=0.08)
    assert result.heard_s == pytest.approx(0.52, abs=0.08)


async def test_a_turn_that_never_ends_is_given_up_soon_after_its_timeout(
    monkeypatch: pytest.MonkeyPatch, server: LocalServer
) -> None:
    monkeypatch.setattr(runs, "MORE_S", -0.44)
    result = await run(Server(server.url), Job(sample(0.2), TurnSettings(0.8, 0.6, 0.3, 640)))
    assert [kind for kind, _ in result.events] == ["start", "eager_end", "resume"]
    assert result.heard_s == pytest.approx(0.4, abs=0.02)


async def test_a_machine_that_is_held_up_makes_no_burst_and_changes_no_delay(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = asyncio.create_task(run(Server(server.url), Job(sample(0.8), TURN)))
    await until(lambda: server.connections and server.connections[0].audio_s >= 0.3)
    time.sleep(1.5)  # noqa: ASYNC251  # all of this process is held up
    result = await running
    assert [at for _, at in result.events] == pytest.approx([0.1, 0.2, 0.3, 0.5], abs=0.12)
    assert result.late_s == pytest.approx(1.5, abs=0.3)
    assert result.sent_s == pytest.approx(0.8, abs=0.05)


async def test_the_settings_and_the_options_of_the_call_are_what_is_asked_for(server: LocalServer) -> None:
    options = Options(keyterms=("Quetzalcoatl",), turn=TurnSettings(0.9, 0.5, 0.1, 5600))
    await run(Server(server.url), Job(sample(0.1, options=options), TURN))
    (record,) = server.connections
    assert record.stream is not None
    assert record.stream.turn == TURN
    assert record.stream.keyterms == ("Quetzalcoatl",)


def test_a_run_is_known_by_its_audio_endpoint_model_and_setting() -> None:
    local, job = Server("http://127.0.0.1:8765"), Job(sample(), TURN)
    keys = {
        key_of(local, job),
        key_of(Server("http://127.0.0.1:8766"), job),
        key_of(Server("http://127.0.0.1:8765", model="ink-preview"), job),
        key_of(local, Job(sample(seed=1), TURN)),
        key_of(local, Job(sample(), TurnSettings(0.8, 0.6, 0.3, 1600))),
        key_of(local, Job(sample(options=Options(keyterms=("one",))), TURN)),
    }
    assert len(keys) == 6
    # What the call was recorded with does not matter, since each run has settings of its own.
    assert key_of(local, Job(sample(options=Options(turn=TURN)), TURN)) in keys


async def all_of(server: LocalServer, jobs: list[Job], at_once: int) -> list[Any]:
    told: list[Any] = []
    await run_all(Server(server.url), jobs, at_once, lambda job, result: told.append((job, result)))
    return told


async def test_no_more_runs_than_asked_for_go_at_once(server: LocalServer) -> None:
    seen: list[int] = []

    async def watch() -> None:
        while True:
            seen.append(server.open_streams)
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    jobs = [Job(sample(0.1, seed=seed), TURN) for seed in range(6)]
    told = await all_of(server, jobs, 3)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert {job for job, _ in told} == {*jobs}
    assert all(isinstance(result, Result) for _, result in told)
    assert max(seen) == 3


async def test_settings_that_the_endpoint_refuses_are_told_and_the_others_go_on(server: LocalServer) -> None:
    refused = TurnSettings(0.95, 0.6, 0.3, 1000)
    told = dict(await all_of(server, [Job(sample(0.1), refused), Job(sample(0.1), TURN)], 1))
    error = told[Job(sample(0.1), refused)]
    assert isinstance(error, RunError)
    assert "turn_start_threshold" in str(error)
    assert isinstance(told[Job(sample(0.1), TURN)], Result)
    assert len(server.handshakes) == 2


async def test_a_run_that_lost_its_connection_is_made_again_from_the_start(server: LocalServer) -> None:
    server.faults = [Faults(drop_at_s=0.2)]
    ((_, result),) = await all_of(server, [Job(sample(0.6), TURN)], 1)
    assert [kind for kind, _ in result.events] == ["start", "eager_end", "resume", "end"]
    assert len(server.connections) == 2


async def test_an_endpoint_that_does_not_work_stops_all_runs_after_three_tries(server: LocalServer) -> None:
    server.faults = Faults(status=503)
    with pytest.raises(RunError, match="503"):
        await all_of(server, [Job(sample(0.1, seed=seed), TURN) for seed in range(5)], 1)
    assert len(server.handshakes) == 3


async def test_a_wrong_key_is_said(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "sk-the-very-secret-key")
    with pytest.raises(RunError, match="401") as caught:
        await all_of(server, [Job(sample(0.1), TURN)], 1)
    assert "secret" not in str(caught.value)


def test_the_tone_of_a_room_is_its_quietest_second_and_can_be_repeated() -> None:
    noise = Room("fan", white_dbfs=-50).noise(4 * RATE, RATE)
    noise[: 2 * RATE] += 5000 * np.sin(np.arange(2 * RATE))
    noise[3 * RATE :] = 0
    pcm = clipped(noise).tobytes()
    tone = room_tone(pcm, RATE)
    assert tone[: 2 * RATE] == pcm[4 * RATE : 6 * RATE]
    samples = np.frombuffer(tone * 2, np.int16).astype(int)
    assert abs(samples[2 * RATE] - samples[2 * RATE - 1]) == 0
    assert any(tone)


@pytest.mark.parametrize("pcm", [b"", bytes(6 * RATE), b"\1\0" * 100])
def test_without_a_second_of_sound_the_room_is_silent(pcm: bytes) -> None:
    assert room_tone(pcm, RATE) == bytes(4 * RATE)


async def test_a_caller_who_was_not_heard_waits_as_long_as_for_a_turn_that_never_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "MORE_S", -0.44)
    labelled = replace(sample(0.3), labels=Labels("call", 0.3, (Stretch(0.1, 0.2, True),)))
    async with LocalServer(script=Script([Line(9.0, {"type": "turn.start"})])) as deaf:
        monkeypatch.setenv("CARTESIA_API_KEY", deaf.key)
        result = await run(Server(deaf.url), Job(labelled, TurnSettings(0.8, 0.6, 0.3, 640)))
    assert result.events == ()
    assert result.heard_s == pytest.approx(0.5, abs=0.02)
