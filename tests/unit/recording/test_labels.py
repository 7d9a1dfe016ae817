from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.recording.files import load
from livekit.plugins.cartesia_turns.recording.labels import (
    PERSON,
    Labels,
    LabelsError,
    Stretch,
    labels_of,
    labels_to,
    load_labels,
    propose,
    save_labels,
)
from livekit.plugins.cartesia_turns.recording.schema import SchemaError
from support.disk import no_room
from support.pausing import caller
from support.recordings import written

GOOD: dict[str, Any] = {
    "schema": 1,
    "call": "X",
    "seconds": 9.0,
    "stretches": [{"start": 1.0, "end": 2.0, "ends_turn": False}, {"start": 2.5, "end": 4, "ends_turn": True}],
    "by": "person",
}


def test_who_went_on_within_one_and_a_half_seconds_was_not_done(tmp_path: Path) -> None:
    spoken = caller(("sense-0880.wav", 0.7), ("sense-0890.wav", 1.9))
    (first, _), (second, last) = spoken.turns
    # The server cut the first turn off at its pause, and waited through the longer pause of the second.
    turns = [(first, spoken.pauses[0][0]), (spoken.pauses[0][1], spoken.turns[0][1]), (second, last)]
    labels = propose(load(written(tmp_path / "call", spoken.pcm, turns)))
    assert [stretch.ends_turn for stretch in labels.stretches] == [False, True, True, True]
    assert (labels.turns, labels.pauses) == (3, 1)
    assert labels.call == "call"
    assert labels.by == "proposal"
    ends = [spoken.pauses[0][0], spoken.turns[0][1], spoken.pauses[1][0], last]
    assert [stretch.end for stretch in labels.stretches] == pytest.approx(ends, abs=0.25)


def test_a_turn_that_the_end_of_the_call_cut_short_did_not_end(tmp_path: Path) -> None:
    spoken = caller(("sense-0880.wav", 0.0))
    cut = spoken.pcm[: round(2.5 * 16000) * 2]
    folder = written(tmp_path / "call", cut, [(spoken.turns[0][0], 2.4)])
    lines = (folder / "call.jsonl").read_text().splitlines()
    told = json.dumps({"at": 101.5, "events": [{"event": "update", "transcript": "he was", "turn_id": ""}]})
    (folder / "call.jsonl").write_text("\n".join([*lines[:3], told, lines[-1]]))
    labels = propose(load(folder))
    assert labels.stretches
    assert labels.turns == 0


def test_a_turn_without_words_is_nobodys_speech(tmp_path: Path) -> None:
    folder = written(tmp_path / "call", caller(("sense-0880.wav", 0.0)).pcm, [])
    assert propose(load(folder)).stretches == ()


def test_a_call_without_audio_is_refused_and_told_why(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="no audio"):
        propose(load(written(tmp_path / "call", b"", [(0.5, 1.0)])))


def test_labels_are_read_as_they_were_saved(tmp_path: Path) -> None:
    labels = Labels("other", 9.0, (Stretch(1.0, 2.0, False), Stretch(2.5, 4.0, True)), PERSON)
    assert load_labels(tmp_path) is None
    saved = save_labels(tmp_path, labels)
    assert load_labels(tmp_path) == load_labels(saved) == Labels(tmp_path.name, 9.0, labels.stretches, PERSON)
    assert labels_of(json.loads(json.dumps(labels_to(labels))), "here") == labels


def test_what_a_page_saves_is_read() -> None:
    labels = labels_of(GOOD, "file")
    assert labels.stretches == (Stretch(1.0, 2.0, False), Stretch(2.5, 4, True))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "file has schema 2: this version reads 1"),
        ({"stretches": None}, "file has no labels"),
        ({"stretches": [1]}, "file, stretch 1: `start` and `end` in seconds"),
        ({"stretches": [{"start": "1", "end": 2, "ends_turn": True}]}, "stretch 1"),
        ({"stretches": [{"start": 1, "end": 2, "ends_turn": 1}]}, "`ends_turn`, true or false"),
        ({"stretches": [{"start": -1, "end": 2, "ends_turn": True}]}, "stretch 1"),
        ({"stretches": [{"start": True, "end": 2, "ends_turn": True}]}, "stretch 1"),
        ({"stretches": [{"start": 1, "end": float("inf"), "ends_turn": True}]}, "stretch 1"),
        ({"stretches": [{"start": 1, "end": 10**400, "ends_turn": True}]}, "stretch 1"),
        ({"stretches": [{"start": 3, "end": 2, "ends_turn": True}]}, "it ends at 2.0 s and begins at 3.0 s"),
        ({"stretches": [*GOOD["stretches"][::-1]]}, "stretch 2: it begins at 1.0 s, before stretch 1 ends at 4.0 s"),
        ({"call": None}, "`call`, the name of its folder"),
        ({"seconds": "long"}, "`seconds`, its length"),
        ({"seconds": 3.0}, "stretch 2: it ends at 4.0 s, after the end of the call at 3.0 s"),
    ],
)
def test_what_is_wrong_with_labels_is_said(change: dict[str, Any], said: str) -> None:
    with pytest.raises(LabelsError) as caught:
        labels_of({**GOOD, **change}, "file")
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "[" * 100_000])
def test_a_file_that_holds_something_else_is_no_labels(text: str, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(LabelsError, match=r"labels\.json has no labels"):
        load_labels(tmp_path)


@pytest.mark.parametrize("content", ["{}".encode("utf-16"), b"\xe9"])
def test_a_file_that_is_no_utf_8_is_no_labels(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_bytes(content)
    with pytest.raises(LabelsError, match=r"labels\.json has no labels"):
        load_labels(tmp_path)


def test_labels_that_an_editor_saved_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(GOOD), encoding="utf-8-sig")
    assert load_labels(tmp_path) == labels_of(GOOD, "file")


def test_labels_that_a_person_corrected_outlive_a_disk_without_room(tmp_path: Path) -> None:
    corrected = Labels(tmp_path.name, 9.0, (Stretch(1.0, 2.0, True),), PERSON)
    save_labels(tmp_path, corrected)
    with no_room(), pytest.raises(OSError, match="File too large"):
        save_labels(tmp_path, Labels(tmp_path.name, 9.0, (Stretch(3.0, 4.0, True),)))
    assert load_labels(tmp_path) == corrected
