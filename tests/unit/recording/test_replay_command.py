from __future__ import annotations

from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.recording import replay_command
from livekit.plugins.cartesia_turns.recording.difference import Difference, Replay
from livekit.plugins.cartesia_turns.recording.schema import SchemaError
from livekit.plugins.cartesia_turns.wire.messages import Connected
from livekit.plugins.cartesia_turns.wire.options import Options
from support.recordings import Tape, written

SAME = Replay([], 12, 3.4)
OTHER = Replay([Difference(1.0, {"event": "start"}, None)], 12, 3.4)


def recorded(folder: Path) -> Path:
    """The folder of a call in which a server was connected and said nothing else."""
    tape = Tape()
    client = tape.client(Options(), Limits(), lambda: 1.0)
    client.link_opened(Options(), 1.0)
    client.receive(Connected("r"), 1.0)
    tape.write(folder)
    return folder


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [([SAME], 0), ([SAME, OTHER], 1), ([OTHER, SchemaError("no audio"), SAME], 2), ([FileNotFoundError("none")], 2)],
)
def test_the_exit_code_is_that_of_the_worst_call(
    outcomes: list[Replay | Exception],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = [str(written(tmp_path / str(number), b"", [])) for number in range(len(outcomes))]
    left = iter(outcomes)

    def replayed(_: Path) -> Replay:
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(replay_command, "replay", replayed)
    assert replay_command.main(calls) == code
    said = capsys.readouterr()
    assert said.err.count("error: ") == sum(isinstance(outcome, Exception) for outcome in outcomes)
    assert (f"{calls[0]}: the same as recorded: 12 events, 3.4 s of audio" in said.out) == (outcomes[0] is SAME)


def test_all_calls_in_a_folder_are_replayed_and_only_one_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        recorded(tmp_path / "calls" / name)
    assert replay_command.main([str(tmp_path / "calls")]) == 0
    assert capsys.readouterr().out.count(": the same as recorded") == 2
    assert replay_command.main([str(tmp_path / "none"), str(tmp_path / "calls")]) == 2
    assert capsys.readouterr().out.count(": the same as recorded") == 2
    with pytest.raises(SystemExit, match="2"):
        replay_command.main([str(tmp_path / "calls"), "--server"])
    assert f"name one of them, such as {tmp_path / 'calls' / 'one'}" in capsys.readouterr().err


@pytest.mark.parametrize("address", [["--host", "a..b"], ["--host", ""], ["--port", "-1"]])
def test_an_address_that_can_not_be_listened_at_ends_with_2(
    address: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay_command.main([str(recorded(tmp_path / "call")), "--server", "--port", "0", *address]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
