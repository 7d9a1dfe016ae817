"""Turn settings are found for callers who pause: recorded, labelled and tried on a real server, by the commands."""

from __future__ import annotations

import asyncio
import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.recording import label_command
from livekit.plugins.cartesia_turns.recording.labels import Labels, load_labels
from livekit.plugins.cartesia_turns.server import LocalServer
from livekit.plugins.cartesia_turns.tuning import command
from support import pausing
from support.pausing import Caller, caller, clip, espeak, halves, speaker


async def tuned(server: LocalServer, callers: list[Caller], folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """Has the callers recorded, labels the calls, tries settings, and returns the rows of the table."""
    await asyncio.gather(*(pausing.record(server, spoken, folder / str(at)) for at, spoken in enumerate(callers)))
    calls = [str(folder / str(at)) for at in range(len(callers))]
    assert await asyncio.to_thread(label_command.main, calls) == 0
    tune = [*calls, "--base-url", server.url, "--yes", "-o", str(folder), *arguments]
    assert await asyncio.to_thread(command.main, tune) == 0
    return await asyncio.to_thread(rows, folder / "tuning.csv")


def rows(table: Path) -> list[dict[str, Any]]:
    with table.open(newline="") as file:
        return [{name: _value(text) for name, text in row.items()} for row in csv.DictReader(file)]


def _value(text: str) -> float | str:
    return text if text in ("yes", "no") else float(text)


def labels_of(folder: Path) -> list[Labels]:
    """The labels of each call, in the order of the callers."""
    found = [load_labels(path.parent) for path in sorted(folder.glob("*/*/labels.json"))]
    return [labels for labels in found if labels is not None]


def agree(labels: Labels, spoken: Caller) -> bool:
    """Whether turns were labelled to end where they did."""
    ends = [stretch.end for stretch in labels.stretches if stretch.ends_turn]
    return len(ends) == len(spoken.turns) and all(
        abs(end - true_end) < 0.3 for end, (_, true_end) in zip(ends, spoken.turns, strict=True)
    )


@pytest.mark.slow  # audio in real time
async def test_a_lower_end_threshold_cuts_fewer_callers_off_and_ends_turns_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers = [caller(("sense-0880.wav", 0.4), gap_s=2.0), caller(("sense-0930.wav", 1.0), gap_s=2.0)]
    async with LocalServer(recognizer=pausing.recognizer()) as server:
        monkeypatch.setenv("CARTESIA_API_KEY", server.key)
        arguments = ["--end", "0.5", "0.15", "0.05", "--timeout-ms", "5600", "--at-once", "6"]
        quick, middle, patient = await tuned(server, callers, tmp_path, *arguments)
    assert all(agree(*pair) for pair in zip(labels_of(tmp_path), callers, strict=True))
    # At these thresholds the server takes 0.29, 0.80 and 1.26 s of silence for the end of a turn.
    assert [row["false_cut_offs"] for row in (quick, middle, patient)] == [2, 1, 0]
    delays = [row["delay_mean_s"] for row in (quick, middle, patient)]
    assert delays == pytest.approx([0.3, 0.8, 1.3], abs=0.25)
    assert [row["on_frontier"] for row in (quick, middle, patient)] == ["yes", "yes", "yes"]
    assert all(row["missed_ends"] == row["extra_turns"] == 0 for row in (quick, middle, patient))
    assert (tmp_path / "tuning.png").stat().st_size > 10_000


def people() -> list[Caller]:
    """One who reads from a book, and one whom espeak-ng speaks, or who reads too where it is not installed."""
    reader = caller(("sense-0890.wav", 0.8), gap_s=2.2)
    if shutil.which("espeak-ng") is None:
        return [reader, speaker((*halves(clip("sense-0920.wav")), 0.9), gap_s=2.2)]
    return [reader, speaker((espeak("My order number is four seven"), espeak("nine two five."), 0.9), gap_s=2.2)]


@pytest.mark.slow  # audio in real time through the recognizer
@pytest.mark.recognizer
async def test_the_recognizer_ends_turns_in_pauses_unless_the_settings_are_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers = people()
    async with LocalServer() as server:
        monkeypatch.setenv("CARTESIA_API_KEY", server.key)
        arguments = ["--end", "0.5", "0.05", "--timeout-ms", "5600", "--at-once", "2", "--no-picture"]
        quick, patient = await tuned(server, callers, tmp_path, *arguments)
    assert all(agree(*pair) for pair in zip(labels_of(tmp_path), callers, strict=True))
    assert quick["turns"] == patient["turns"] == 2
    # How late a busy machine recognizes words is left out: that says nothing about the settings.
    assert quick["false_cut_offs"] >= 2
    assert patient["false_cut_offs"] == 0
