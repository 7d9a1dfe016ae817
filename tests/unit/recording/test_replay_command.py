from __future__ import annotations

from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.recording import replay_command
from livekit.plugins.cartesia_turns.recording.difference import Difference, Replay
from livekit.plugins.cartesia_turns.recording.schema import SchemaError

SAME = Replay([], 12, 3.4)
OTHER = Replay([Difference(1.0, {"event": "start"}, None)], 12, 3.4)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [([SAME], 0), ([SAME, OTHER], 1), ([OTHER, SchemaError("no audio"), SAME], 2), ([FileNotFoundError("none")], 2)],
)
def test_the_exit_code_is_that_of_the_worst_call(
    outcomes: list[Replay | Exception], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left = iter(outcomes)

    def replayed(_: Path) -> Replay:
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(replay_command, "replay", replayed)
    assert replay_command.main([f"calls/{number}" for number in range(len(outcomes))]) == code
    said = capsys.readouterr()
    assert said.err.count("error: ") == sum(isinstance(outcome, Exception) for outcome in outcomes)
    assert ("calls/0: the same as recorded: 12 events, 3.4 s of audio" in said.out) == (outcomes[0] is SAME)
