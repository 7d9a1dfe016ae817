from __future__ import annotations

import json
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.recording import view_command
from livekit.plugins.cartesia_turns.recording.schema import SCHEMA, limits_to, options_to
from livekit.plugins.cartesia_turns.wire.options import Options
from support.recordings import written

HEADER = {
    "at": 5.0,
    "schema": SCHEMA,
    "started": 0.0,
    "versions": {},
    "options": options_to(Options()),
    "limits": limits_to(Limits()),
}


@pytest.fixture
def call(tmp_path: Path) -> Path:
    (tmp_path / "call.jsonl").write_text(json.dumps(HEADER) + "\n")
    return tmp_path


def test_the_page_is_put_beside_the_call_and_its_name_is_told(call: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert view_command.main([str(call)]) == 0
    assert (call / "view.html").read_text().startswith("<!doctype html>")
    assert capsys.readouterr().out == f"{call / 'view.html'}\n"


def test_the_page_goes_where_it_is_wanted_and_opens(
    call: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert view_command.main([str(call), "-o", str(tmp_path / "page.html"), "--open"]) == 0
    assert opened == [(tmp_path / "page.html").as_uri()]


def test_what_is_no_call_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert view_command.main([str(tmp_path)]) == 2
    (tmp_path / "call.jsonl").write_text("{}")
    assert view_command.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("error: ") == 2


def test_of_several_calls_one_is_to_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = written(tmp_path / "first", b"", [])
    assert view_command.main([str(tmp_path)]) == 0
    written(tmp_path / "second", b"", [])
    assert view_command.main([str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == f"{first / 'view.html'}\n"
    assert said.err == f"error: {tmp_path} has 2 recorded calls: name one of them, such as {first}\n"


def test_nothing_but_the_page_goes_to_a_device_and_a_reader_may_leave(
    call: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert view_command.main([str(call), "-o", "/dev/null"]) == 0
    assert capsys.readouterr().out == ""

    def left(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(view_command, "replace_text", left)
    with pytest.raises(BrokenPipeError):
        view_command.main([str(call), "-o", "/dev/stdout"])


def test_where_turns_ended_can_be_corrected_on_the_page_once_the_call_has_labels(
    call: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert view_command.main([str(call)]) == 0
    assert "Where turns really ended" not in (call / "view.html").read_text()
    (call / "labels.json").write_text(json.dumps({"schema": 1, "call": "X", "seconds": 1.0, "stretches": []}))
    assert view_command.main([str(call)]) == 0
    assert "Where turns really ended" in (call / "view.html").read_text()
    (call / "labels.json").write_text("{}")
    assert view_command.main([str(call)]) == 2
    assert "labels.json has no labels" in capsys.readouterr().err
