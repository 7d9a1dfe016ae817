from __future__ import annotations

import asyncio
import importlib.util
import io
import math
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from livekit.plugins.cartesia_turns.recording.labels import PERSON, Labels, Stretch, save_labels
from livekit.plugins.cartesia_turns.server import Faults, Line, LocalServer, Script
from livekit.plugins.cartesia_turns.tuning import plan, runs
from livekit.plugins.cartesia_turns.tuning.command import main
from support.noise import Room, clipped
from support.recordings import written

TALK = Script([Line(0.1, {"type": "turn.start"}), Line(0.3, {"type": "turn.end", "transcript": "one"})])
TWO_SETTINGS = ["--end", "0.3", "0.5", "--timeout-ms", "1600"]


class Terminal(io.StringIO):
    """Somebody who can be asked."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        noise = clipped(Room("fan", white_dbfs=-45).noise(6400, 16000, len(name + name[0]))).tobytes()
        noise = noise if name == "one" else noise[:-640]
        folder = written(tmp_path / "calls" / name, noise, [(0.1, 0.2)])
        save_labels(folder, Labels(name, 0.4, (Stretch(0.1, 0.2, True),), PERSON))
    return tmp_path / "calls"


@pytest_asyncio.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalServer]:
    async with LocalServer(script=TALK) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        monkeypatch.setattr(runs, "AGAIN_AFTER_S", 0.01)
        # On a busy machine a run may be late, and would be made anew.
        monkeypatch.setattr(plan, "LATE_RUN_S", math.inf)
        yield local


async def tune(server: LocalServer, calls: Path, *arguments: str) -> int:
    """The command, as in a process of its own: it makes its own event loop."""
    return await asyncio.to_thread(main, [str(calls), "--base-url", server.url, *TWO_SETTINGS, *arguments])


async def test_it_says_what_it_costs_runs_everything_and_writes_a_table_and_a_picture(
    server: LocalServer, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await tune(server, calls, "--yes", "--at-once", "4") == 0
    said = capsys.readouterr()
    assert "2 calls with 2 turns, 2 settings: 4 runs." in said.out
    assert "2 s of audio will be sent" in said.out
    assert f"[{'#' * 30}] 4 of 4 runs" in said.err
    assert "    STT(turn_start_threshold=0.8," in said.out
    assert len((calls / "tuning.csv").read_text().splitlines()) == 3
    assert (calls / "tuning.png").read_bytes().startswith(b"\x89PNG")
    assert len((calls / "tuning.jsonl").read_text().splitlines()) == 4
    assert len(server.handshakes) == 4


async def test_a_second_command_goes_on_where_the_first_was_stopped(
    server: LocalServer, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults = [Faults(), *[Faults(status=503)] * 3]
    assert await tune(server, calls, "--yes", "--at-once", "1", "--no-picture") == 1
    said = capsys.readouterr()
    assert "the runs were stopped. The server refused with status 503" in said.err
    assert "No setting has been tried with all calls yet." in said.out
    server.faults = Faults()
    assert await tune(server, calls, "--yes", "--no-picture") == 0
    assert "4 runs, of which 1 were made before." in capsys.readouterr().out
    assert len(server.handshakes) == 7
    assert await tune(server, calls, "--no-picture") == 0
    assert "All runs were made before." in capsys.readouterr().out
    assert len(server.handshakes) == 7


@pytest.mark.parametrize(("answer", "made"), [("y\n", 4), ("n\n", 0), ("", 0)])
async def test_nothing_is_sent_before_somebody_has_agreed(
    answer: str, made: int, server: LocalServer, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert await tune(server, calls, "--no-picture") == 0
    assert len(server.handshakes) == made


@pytest.mark.parametrize("stdin", [io.StringIO("y\n"), None])
async def test_where_nobody_can_be_asked_it_ends_with_2(
    stdin: io.StringIO | None,
    server: LocalServer,
    calls: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    assert await tune(server, calls) == 2
    assert "pass --yes" in capsys.readouterr().err
    assert len(server.handshakes) == 0


async def test_a_setting_that_the_endpoint_refuses_is_left_out(
    server: LocalServer, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await tune(server, calls, "--yes", "--no-picture", "--start", "0.8", "0.95") == 0
    said = capsys.readouterr().out
    assert said.count("left out, since the endpoint refused them: ") == 1
    assert said.count("\n    turn_start_threshold=0.95") == 2
    assert len((calls / "tuning.csv").read_text().splitlines()) == 3


async def test_where_the_endpoint_refuses_everything_it_says_so_and_ends_with_1(
    server: LocalServer, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await tune(server, calls, "--yes", "--no-picture", "--model", "ink-3000") == 1
    said = capsys.readouterr()
    assert said.out.count("model='ink-3000' is not served") == 1
    assert said.out.count("\n    turn_start_threshold=") == 2
    assert said.err.endswith("error: the endpoint refused all settings.\n")


async def test_the_runs_are_not_recorded_themselves(
    server: LocalServer, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARTESIA_TURNS_RECORD", str(tmp_path / "more"))
    assert await tune(server, calls, "--yes", "--no-picture") == 0
    assert not (tmp_path / "more").exists()


async def test_results_go_where_they_are_wanted(server: LocalServer, calls: Path, tmp_path: Path) -> None:
    assert await tune(server, calls, "--yes", "--no-picture", "-o", str(tmp_path)) == 0
    assert {name for name in os.listdir(tmp_path) if "tuning" in name} == {"tuning.csv", "tuning.jsonl"}
    assert not [name for name in os.listdir(calls) if "tuning" in name]
    assert await tune(server, calls / "one" / "call.jsonl", "--yes", "--no-picture") == 0
    assert {name for name in os.listdir(calls / "one") if "tuning" in name} == {"tuning.csv", "tuning.jsonl"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--end", "0.9"], "no combination is in order"),
        (["--end", "7"], "turn_end_threshold=7.0 is out of range"),
        (["--at-once", "0"], "--at-once must be from 1 to 64"),
        (["--timeout", "0"], "--timeout must be more than 0"),
        (["--model", "ink-whisper"], "has no turn detection"),
        (["--base-url", "http://example.org"], "without encryption"),
        (["--token-variable", "NO_SUCH_TOKEN"], "there is no key or token: set NO_SUCH_TOKEN"),
    ],
)
def test_arguments_that_can_not_be_used_end_with_2_and_say_what_is_wrong(
    arguments: list[str], said: str, calls: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "key")
    assert main([str(calls), "--yes", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_without_a_key_it_is_said_which_variable_to_set(
    calls: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    assert main([str(calls), "--yes"]) == 2
    assert "there is no key or token: set CARTESIA_API_KEY" in capsys.readouterr().err


def test_without_matplotlib_nothing_is_spent(
    calls: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert main([str(calls), "--yes"]) == 2
    assert "--no-picture" in capsys.readouterr().err
    assert not (calls / "tuning.jsonl").exists()
    assert "CARTESIA_TURNS_RECORD" not in os.environ


async def test_it_says_which_runs_can_not_be_trusted(
    server: LocalServer, calls: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plan, "LATE_RUN_S", -1.0)
    assert await tune(server, calls, "--yes", "--no-picture") == 0
    assert "4 runs fell behind real time" in capsys.readouterr().out


async def test_a_folder_for_the_results_that_is_not_there_is_made(
    server: LocalServer, calls: Path, tmp_path: Path
) -> None:
    assert await tune(server, calls, "--yes", "--no-picture", "-o", str(tmp_path / "my results" / "new")) == 0
    assert len((tmp_path / "my results" / "new" / "tuning.jsonl").read_text().splitlines()) == 4


async def test_where_results_can_not_be_kept_nothing_is_sent(
    server: LocalServer, calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert await tune(server, calls, "--yes", "--no-picture", "-o", str(tmp_path / "file")) == 2
    assert "file" in capsys.readouterr().err
    assert len(server.handshakes) == 0
