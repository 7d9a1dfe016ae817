from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.recording.audio_file import flac
from livekit.plugins.cartesia_turns.recording.files import Recording, calls_of, load, replace_text
from livekit.plugins.cartesia_turns.recording.player import replay
from livekit.plugins.cartesia_turns.recording.schema import SCHEMA, SchemaError, limits_to, options_to
from livekit.plugins.cartesia_turns.recording.story import story_of
from livekit.plugins.cartesia_turns.wire.options import Options
from support.disk import no_room
from support.recordings import written

HEADER = {"at": 5.0, "schema": SCHEMA, "options": options_to(Options()), "limits": limits_to(Limits())}


def folder(path: Path, *lines: object, torn: str = "") -> Path:
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (path / "call.jsonl").write_text(text + torn)
    return path


def test_a_call_is_read_by_its_folder_or_its_file(tmp_path: Path) -> None:
    folder(tmp_path, HEADER, {"at": 6.0, "end": True, "stats": {}})
    for path in (tmp_path, str(tmp_path), tmp_path / "call.jsonl"):
        recording = load(path)
        assert recording.options == Options()
        assert recording.limits == Limits()
        assert recording.started_at == 5.0
        assert recording.is_complete
        assert recording.audio is None


def stored(path: Path, name: str, frames: int) -> Recording:
    """A call that an earlier version recorded, with so many frames of audio."""
    (path / "call.jsonl").write_bytes((Path(__file__).parent / name).read_bytes())
    (path / "audio.flac").write_bytes(flac(b"\x00\x40\x00\xc0" * 160 * frames, 16000))
    recording = load(path)
    recording.check_audio()
    assert recording.is_complete
    return recording


def test_a_call_of_schema_1_is_read(tmp_path: Path) -> None:
    recording = stored(tmp_path, "schema_1.jsonl", 150)
    assert {step.letter for step in recording.steps} == set("lbpoaisgt")
    assert [step.pong for step in recording.steps if step.pong is not None][:2] == [b"0", b"1"]
    assert [line["payload"] for line in recording.lines if line.get("call") == "pong"] == ["who asked?"]
    assert [line["text"] for line in recording.lines if "told" in line] == ["so", "so"]
    silences = [step for step in recording.steps if step.sent and step.sent[2]]
    assert silences
    story = story_of(recording)
    assert [turn.text for turn in story.turns] == ["so viel mehr"]
    assert story.replays
    outcome = replay(recording)
    assert (outcome.events, outcome.audio_s) == (7, 3.0)


def test_a_call_of_schema_2_is_read(tmp_path: Path) -> None:
    recording = stored(tmp_path, "schema_2.jsonl", 130)
    assert {step.letter for step in recording.steps} == set("lbpoaisgt")
    assert [step.pong for step in recording.steps if step.pong is not None][:2] == [b"0", b"1"]
    assert [line["text"] for line in recording.lines if "told" in line] == ["so", "so", "so many", "so many words"]
    assert {line["told"] for line in recording.lines if "told" in line} == {"interim_transcript"}
    assert any(step.sent and step.sent[2] for step in recording.steps)
    story = story_of(recording)
    assert [turn.text for turn in story.turns] == ["so many words more"]
    assert story.replays
    outcome = replay(recording)
    assert (outcome.events, outcome.audio_s) == (12, 2.6)
    assert outcome.is_same, outcome


def test_audio_beside_it_is_read_too(tmp_path: Path) -> None:
    folder(tmp_path, HEADER)
    (tmp_path / "audio.flac").write_bytes(flac(b"\1\2" * 100, 16000))
    assert load(tmp_path).audio == b"\1\2" * 100


def test_a_torn_line_is_left_out_and_the_call_is_not_complete(tmp_path: Path) -> None:
    recording = load(folder(tmp_path, HEADER, {"at": 6.0, "call": "flush"}, torn='{"at": 7.0, "ca'))
    assert [line["at"] for line in recording.lines] == [6.0]
    assert not recording.is_complete


@pytest.mark.parametrize("lines", [[], [{"at": 1.0}], ["text"], [[1]], [{"schema": 1}]])
def test_what_is_no_recording_is_refused(tmp_path: Path, lines: list[object]) -> None:
    with pytest.raises(SchemaError, match="not the record of a call"):
        load(folder(tmp_path, *lines))


def test_a_newer_schema_is_refused_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=f"has schema {SCHEMA + 1}: this version reads 1 to {SCHEMA}"):
        load(folder(tmp_path, {**HEADER, "schema": SCHEMA + 1}))


@pytest.mark.parametrize(
    "damage",
    [
        b"{",
        b"",
        b'{"at": 6.0, "told": "fl\xffush"}',
        b'{"call": "flush"}',
        b'{"at": 1e999, "call": "flush"}',
        b"[" * 99_999,
    ],
)
def test_a_line_in_the_middle_that_can_not_be_read_is_named(tmp_path: Path, damage: bytes) -> None:
    lines = [json.dumps(HEADER).encode(), damage, b'{"at": 7.0, "end": true, "stats": {}}', b""]
    (tmp_path / "call.jsonl").write_bytes(b"\n".join(lines))
    with pytest.raises(SchemaError, match="line 2 is damaged"):
        load(tmp_path)


def test_audio_that_was_cut_off_is_told_with_what_is_missing(tmp_path: Path) -> None:
    recording = load(written(tmp_path / "call", bytes(64_000), []))
    recording.check_audio()
    with pytest.raises(SchemaError, match=r"call: the audio is cut off: 0\.5 s of it are missing"):
        replace(recording, audio=bytes(48_000)).check_audio()


def test_a_call_is_found_once_however_often_it_is_named(tmp_path: Path) -> None:
    one = written(tmp_path / "calls" / "one", b"", [])
    assert len(calls_of([tmp_path / "calls", one, one / ".." / "one", one / "call.jsonl"])) == 1


def test_a_text_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    replace_text(path, "old")
    with no_room(), pytest.raises(OSError, match=r"File too large: .*labels\.json'$"):
        replace_text(path, "new" * 1000)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_to_a_text_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "text")
    replace_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "text").read_text() == "new"


def test_what_can_not_be_written_as_utf_8_is_a_question_mark(tmp_path: Path) -> None:
    for target in (tmp_path / "text", Path("/dev/null")):
        replace_text(target, "\udcff of a folder's name")
    assert (tmp_path / "text").read_text() == "? of a folder's name"
