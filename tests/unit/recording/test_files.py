from __future__ import annotations

import json
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.core.limits import Limits
from livekit.plugins.cartesia_turns.recording.audio_file import flac
from livekit.plugins.cartesia_turns.recording.files import load
from livekit.plugins.cartesia_turns.recording.schema import SCHEMA, SchemaError, limits_to, options_to
from livekit.plugins.cartesia_turns.wire.options import Options

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
    with pytest.raises(SchemaError, match=f"has schema {SCHEMA + 1}: this version reads {SCHEMA}"):
        load(folder(tmp_path, {**HEADER, "schema": SCHEMA + 1}))
