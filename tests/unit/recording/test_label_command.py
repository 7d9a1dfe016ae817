from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.recording.label_command import main
from livekit.plugins.cartesia_turns.recording.labels import PERSON, Labels, Stretch, labels_to, load_labels
from support.pausing import caller
from support.recordings import written


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    spoken = caller(("sense-0880.wav", 1.2))
    written(tmp_path / "calls" / "first", spoken.pcm, spoken.turns)
    written(tmp_path / "calls" / "second", spoken.pcm, spoken.turns)
    return tmp_path / "calls"


def test_each_call_in_a_folder_gets_labels_and_what_is_doubtful_is_said(
    calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(calls)]) == 0
    said = capsys.readouterr().out
    assert f"{calls / 'first'}: 1 turn, 1 pause within turns; proposed" in said
    assert said.count("listen at") == 2
    assert "s without speech, taken for a pause" in said
    labels = load_labels(calls / "second")
    assert labels is not None
    assert labels.call == "second"


def test_labels_that_are_there_are_kept_unless_they_are_asked_for_anew(
    calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = calls / "first"
    corrected = Labels("first", 5.0, (Stretch(0.5, 4.0, True),), PERSON)
    (call / "labels.json").write_text(json.dumps(labels_to(corrected)))
    assert main([str(call)]) == 0
    assert load_labels(call) == corrected
    assert "corrected by a person" in capsys.readouterr().out
    assert main([str(call), "--again"]) == 0
    assert load_labels(call) != corrected


def test_a_file_from_a_page_is_taken_over_to_its_call(calls: Path, tmp_path: Path) -> None:
    corrected = Labels("second", 5.0, (Stretch(0.5, 4.0, True),), PERSON)
    (tmp_path / "labels-second.json").write_text(json.dumps(labels_to(corrected)))
    assert main([str(calls), "--take", str(tmp_path / "labels-second.json")]) == 0
    assert load_labels(calls / "second") == corrected
    assert load_labels(calls / "first") is None


def test_a_file_of_another_call_is_refused_and_nothing_is_saved(
    calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = Labels("first", 5.0, ())
    (tmp_path / "good.json").write_text(json.dumps(labels_to(good)))
    (tmp_path / "other.json").write_text(json.dumps(labels_to(replace(good, call="third"))))
    assert main([str(calls), "--take", str(tmp_path / "good.json"), str(tmp_path / "other.json")]) == 2
    assert "the labels of the call third, which is not among the calls given" in capsys.readouterr().err
    assert load_labels(calls / "first") is None
    assert main([str(calls), "--take", str(tmp_path / "missing.json")]) == 2
    assert "there is no such file" in capsys.readouterr().err


def saved(file: Path, labels: Labels) -> str:
    """A file as a page saves it."""
    file.write_text(json.dumps(labels_to(labels)))
    return str(file)


def test_calls_of_one_name_are_told_apart_by_their_length(tmp_path: Path) -> None:
    calls = {name: tmp_path / name / "call" for name in ("short", "long")}
    lengths = {"short": 1.0, "long": 2.0}
    for name, seconds in lengths.items():
        written(calls[name], bytes(round(32000 * seconds)), [])
    assert main([str(call) for call in calls.values()]) == 0
    for name, seconds in lengths.items():
        corrected = Labels("call", seconds, (Stretch(0.5, 0.9, True),), PERSON)
        assert main([*map(str, calls.values()), "--take", saved(tmp_path / "page.json", corrected)]) == 0
        assert load_labels(calls[name]) == corrected
    assert load_labels(calls["short"]) != load_labels(calls["long"])


def test_labels_that_can_not_be_of_a_call_or_may_be_of_two_are_taken_over_to_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = [str(written(tmp_path / name / "call", bytes(32000), [])) for name in ("one", "two")]
    assert main(calls) == 0
    kept = [load_labels(Path(call)) for call in calls]
    file = saved(tmp_path / "page.json", Labels("call", 1.0, (Stretch(0.5, 0.9, True),), PERSON))
    assert main([*calls, "--take", file]) == 2
    assert f"may have the labels of {calls[0]} or {calls[1]}: give only the right one" in capsys.readouterr().err
    file = saved(tmp_path / "page.json", Labels("call", 3.0, (Stretch(0.5, 0.9, True),), PERSON))
    assert main([calls[0], "--take", file]) == 2
    assert f"has labels of a call of 3.0 s: {calls[0]} is not as long" in capsys.readouterr().err
    assert [load_labels(Path(call)) for call in calls] == kept


def test_of_two_files_with_labels_of_one_call_the_user_takes_one(
    calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = Labels("first", 5.0, (Stretch(0.5, 4.0, True),), PERSON)
    later = saved(tmp_path / "labels-first (1).json", labels)
    earlier = saved(tmp_path / "labels-first.json", replace(labels, stretches=()))
    assert main([str(calls), "--take", later, earlier]) == 2
    assert "both have labels of the call first: take one" in capsys.readouterr().err
    assert load_labels(calls / "first") is None
    assert main([str(calls), "--take", later, later]) == 0
    assert load_labels(calls / "first") == labels


def test_labels_that_are_damaged_can_be_replaced_by_those_of_a_page(
    calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (calls / "first" / "labels.json").write_text("{")
    assert main([str(calls / "first")]) == 2
    assert capsys.readouterr().err.endswith("it is not JSON; --again replaces them\n")
    labels = Labels("first", 5.0, (Stretch(0.5, 4.0, True),), PERSON)
    assert main([str(calls), "--take", saved(tmp_path / "page.json", labels)]) == 0
    assert load_labels(calls / "first") == labels


def test_a_call_without_audio_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(written(tmp_path / "call", b"", [(0.5, 1.0)]))]) == 0
    assert "left out, since it has no audio" in capsys.readouterr().out


def test_a_call_that_can_not_be_read_keeps_no_other_from_its_labels(
    calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (calls / "first" / "call.jsonl").write_text("{}")
    assert main([str(calls)]) == 2
    assert f"{calls / 'first'} is not the record of a call" in capsys.readouterr().err
    assert load_labels(calls / "second") is not None


def test_a_folder_without_calls_ends_with_2_and_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert "has no recorded call: record some" in capsys.readouterr().err
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_call_whose_audio_is_damaged_keeps_no_other_from_its_labels(
    calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (calls / "first" / "audio.flac").write_bytes(b"fLaC")
    assert main([str(calls)]) == 2
    assert "audio.flac is damaged" in capsys.readouterr().err
    assert load_labels(calls / "second") is not None
