from __future__ import annotations

import json
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.doctor.calls import Server
from livekit.plugins.cartesia_turns.recording.labels import PERSON, Labels, Stretch, save_labels
from livekit.plugins.cartesia_turns.recording.schema import SchemaError
from livekit.plugins.cartesia_turns.tuning.plan import Tuning, UsageError, read
from livekit.plugins.cartesia_turns.tuning.results import Result, Results
from livekit.plugins.cartesia_turns.tuning.runs import Job, key_of
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings
from support.recordings import written

SERVER = Server("http://127.0.0.1:8765")
FAST, SLOW = TurnSettings(0.8, 0.6, 0.5, 5600), TurnSettings(0.8, 0.6, 0.1, 5600)
PCM = bytes(range(1, 201)) * 160
"""A second."""
ONE_TURN = (Stretch(0.1, 0.4, True),)


def call(
    folder: Path, *, audio: bytes = PCM, stretches: tuple[Stretch, ...] | None = ONE_TURN, by: str = PERSON
) -> Path:
    written(folder, audio, [(0.1, 0.4)])
    if stretches is not None:
        save_labels(folder, Labels("", 1.0, stretches, by))
    return folder


def test_calls_without_labels_or_audio_are_left_out_and_unconfirmed_ones_are_named(tmp_path: Path) -> None:
    call(tmp_path / "a")
    call(tmp_path / "b", by="proposal")
    call(tmp_path / "c", stretches=None)
    call(tmp_path / "d", audio=b"")
    (call(tmp_path / "e") / "call.jsonl").write_text("{}")
    (call(tmp_path / "f") / "labels.json").write_text("{}")
    calls = read([tmp_path])
    assert [sample.name for sample in calls.samples] == ["a", "b"]
    remarks = "\n".join(calls.remarks())
    assert remarks.startswith("4 calls left out:")
    for why in ("c has no labels", "d has no audio", "e is not the record of a call", "labels.json has no labels"):
        assert why in remarks
    assert "1 call with proposed labels that nobody has confirmed" in remarks


def test_of_many_calls_that_are_left_out_only_some_are_named(tmp_path: Path) -> None:
    call(tmp_path / "a")
    for name in "bcdefghi":
        call(tmp_path / name, stretches=None)
    assert [*read([tmp_path]).remarks()][-1] == "    and 3 more"


def test_where_no_call_can_be_used_it_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="has no recorded call"):
        read([tmp_path])
    call(tmp_path / "a", stretches=None)
    with pytest.raises(UsageError, match=r"run `python -m .* label` first"):
        read([tmp_path])
    call(tmp_path / "a", stretches=(Stretch(0.1, 0.4, False),))
    with pytest.raises(UsageError, match="no turn ends in the labels"):
        read([tmp_path / "a"])


def test_only_runs_that_were_not_made_are_left_to_do_and_a_setting_counts_once_it_has_all_calls(tmp_path: Path) -> None:
    call(tmp_path / "a")
    call(tmp_path / "b", audio=PCM[:-640])
    results = Results(tmp_path / "tuning.jsonl")
    tuning = Tuning(SERVER, read([tmp_path]).samples, [FAST, SLOW], results)
    assert len(tuning.jobs) == 4
    assert tuning.points() == []
    first, second = tuning.samples
    for sample in (first, second):
        results.add(Result(key_of(SERVER, Job(sample, SLOW)), sample.name, 1.0, 1.0, 0.0, (("end", 0.9),)))
    results.add(Result(key_of(SERVER, Job(first, FAST)), first.name, 1.0, 1.0, 0.0, (("end", 0.5),)))
    assert [(job.sample.name, job.turn) for job in tuning.jobs] == [("b", FAST)]
    (point,) = tuning.points()
    assert point.turn == SLOW
    assert point.score.delays == pytest.approx((0.5, 0.5))


def test_settings_of_earlier_commands_count_too_and_corrected_labels_need_no_new_runs(tmp_path: Path) -> None:
    call(tmp_path / "a")
    results = Results(tmp_path / "tuning.jsonl")
    sample = read([tmp_path]).samples[0]
    results.add(Result(key_of(SERVER, Job(sample, FAST)), "a", 1.0, 1.0, 0.0, (("end", 0.5), ("end", 0.95))))
    before = Tuning(SERVER, [sample], [SLOW], results).points()
    assert [(point.turn, point.score.cut_offs) for point in before] == [(FAST, 0)]
    labels = json.loads((tmp_path / "a" / "labels.json").read_text())
    labels["stretches"] = [{"start": 0.1, "end": 0.8, "ends_turn": True}]
    (tmp_path / "a" / "labels.json").write_text(json.dumps(labels))
    after = Tuning(SERVER, read([tmp_path]).samples, [FAST], Results(tmp_path / "tuning.jsonl"))
    assert after.jobs == []
    assert [point.score.cut_offs for point in after.points()] == [1]


def test_runs_that_fell_behind_real_time_are_told_and_made_anew(tmp_path: Path) -> None:
    call(tmp_path / "a")
    results = Results(tmp_path / "tuning.jsonl")
    (sample,) = read([tmp_path]).samples
    results.add(Result(key_of(SERVER, Job(sample, FAST)), "a", 1.0, 1.0, 0.05, ()))
    results.add(Result(key_of(SERVER, Job(sample, SLOW)), "a", 1.0, 1.0, 1.4, ()))
    tuning = Tuning(SERVER, [sample], [FAST, SLOW], results)
    assert tuning.late() == [1.4]
    assert tuning.jobs == [Job(sample, SLOW)]
    assert {point.turn for point in tuning.points()} == {FAST, SLOW}


def test_a_call_with_damaged_audio_is_left_out_and_one_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    call(tmp_path / "a")
    (call(tmp_path / "b") / "audio.flac").write_bytes(b"fLaC")
    calls = read([tmp_path, tmp_path / "a"])
    assert [sample.name for sample in calls.samples] == ["a"]
    assert [why.endswith("audio.flac is damaged") for why in calls.left_out] == [True]
