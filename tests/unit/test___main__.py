from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.__main__ import COMMANDS, main
from livekit.plugins.cartesia_turns.recording import view_command
from support.disk import no_room
from support.recordings import written


def test_each_command_has_a_line_of_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(name in said and text in said for name, (_, text) in COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_its_own_arguments(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert f"cartesia_turns {name}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["dokter"]])
def test_what_is_no_command_ends_with_2_and_the_commands(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    said = capsys.readouterr().err
    assert all(name in said for name in COMMANDS)


def test_ctrl_c_ends_a_command_with_130_and_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(view_command, "main", interrupted)
    assert main(["view", "call"]) == 130


def test_neither_a_reader_that_has_left_nor_a_letter_that_can_not_be_shown_makes_a_traceback(tmp_path: Path) -> None:
    call = written(tmp_path / "\u540d call", b"", [])
    command = f"'{sys.executable}' -m livekit.plugins.cartesia_turns label '{call}'"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} && {command} | true"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.endswith("? call: left out, since it has no audio\n")


def test_output_that_can_not_be_written_is_one_line_and_not_the_exit_code_of_a_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = written(tmp_path / "call", bytes(640), [])
    with (tmp_path / "output").open("w") as output, no_room(10):
        monkeypatch.setattr(sys, "stdout", output)
        assert main(["replay", str(call)]) == 2
    assert capsys.readouterr().err == "error: [Errno 27] File too large\n"


def test_a_command_works_without_any_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = written(tmp_path / "call", bytes(640), [])
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["view", str(call)]) == 0
    assert main(["view", str(tmp_path / "none")]) == 2
