from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.__main__ import COMMANDS, main


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
    assert "COMMAND" in capsys.readouterr().err
