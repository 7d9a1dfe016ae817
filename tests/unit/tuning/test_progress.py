from __future__ import annotations

import sys
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.doctor.calls import Server
from livekit.plugins.cartesia_turns.recording.labels import PERSON, Labels, Stretch, save_labels
from livekit.plugins.cartesia_turns.tuning.plan import Tuning, read
from livekit.plugins.cartesia_turns.tuning.progress import Progress, bar
from livekit.plugins.cartesia_turns.tuning.results import Result, Results
from livekit.plugins.cartesia_turns.tuning.runs import RunError, key_of
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings
from support.recordings import written


@pytest.fixture
def tuning(tmp_path: Path) -> Tuning:
    """One call and forty settings."""
    written(tmp_path / "one", bytes(range(1, 201)) * 160, [(0.1, 0.4)])
    save_labels(tmp_path / "one", Labels("", 1.0, (Stretch(0.1, 0.4, True),), PERSON))
    settings = [TurnSettings(0.8, 0.6, 0.1, 1000 + number) for number in range(40)]
    samples = read([tmp_path]).samples
    return Tuning(Server("http://127.0.0.1:8765"), samples, settings, Results(tmp_path / "tuning.jsonl"))


def test_each_result_is_kept_at_once_and_each_refusal_noted(tuning: Tuning) -> None:
    progress = Progress(tuning, 1)
    first, second = tuning.jobs[:2]
    progress(first, Result(key_of(tuning.server, first), "one", 1.0, 1.0, 0.0, ()))
    progress(second, RunError(None))
    assert len(tuning.jobs) == 39
    assert tuning.refused == {second.turn: str(RunError(None))}


def test_a_log_file_gets_a_line_for_each_tenth_and_a_terminal_one_line_at_all(
    tuning: Tuning, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = tuning.jobs
    for is_terminal, lines in ((False, 11), (True, 1)):
        monkeypatch.setattr(sys.stderr, "isatty", lambda is_terminal=is_terminal: is_terminal)
        progress = Progress(tuning, 1)
        for job in jobs:
            progress(job, RunError(None))
        said = capsys.readouterr().err
        assert said.count("\n") == lines
        assert said.rstrip().endswith(f"[{'#' * 30}] 40 of 40 runs")


def test_the_bar_fills_and_tells_what_is_left() -> None:
    assert bar(0, 4, 40.0) == f"[{'.' * 30}] 0 of 4 runs, 40 s left"
    assert bar(2, 4, 20.0) == f"[{'#' * 15}{'.' * 15}] 2 of 4 runs, 20 s left"
    assert bar(4, 4, -1.0) == f"[{'#' * 30}] 4 of 4 runs"
    assert bar(1, 1, 0.0).endswith("1 of 1 run")


@pytest.mark.parametrize(
    ("room", "said"), [(78, f"[{'#' * 15}"), (39, "[######......]"), (30, "20"), (4, "20 o"), (1, "2")]
)
def test_in_little_room_the_bar_is_shorter_or_left_out(room: int, said: str) -> None:
    text = bar(20, 40, 75.0, room)
    assert text.startswith(said)
    assert len(text) <= room


def test_no_line_is_wrapped_by_a_narrow_terminal(
    tuning: Tuning, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    progress = Progress(tuning, 1)
    for job in tuning.jobs:
        progress(job, RunError(None))
    lines = capsys.readouterr().err.rstrip("\n").split("\r")[1:]
    assert {len(line) for line in lines} == {39}
    assert lines[-1].rstrip().endswith("40 of 40 runs")
