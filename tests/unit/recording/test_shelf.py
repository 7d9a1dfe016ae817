from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.recording import shelf as module
from livekit.plugins.cartesia_turns.recording.shelf import Shelf

DAY_S = 86_400.0
MOST = 10**6


def kept(folder: Path, name: str, *, size: int = 10, age_s: float = 2 * DAY_S, file: str = "call.jsonl") -> Path:
    """A folder with a file, which was written to so long ago."""
    call = folder / name
    call.mkdir(parents=True)
    (call / file).write_bytes(bytes(size))
    at = time.time() - age_s
    os.utime(call / file, (at, at))
    return call


def day(number: int) -> str:
    return f"2026-01-{number:02}T00-00-00-0123abcd"


def test_calls_that_are_too_old_are_deleted(tmp_path: Path) -> None:
    old, new = kept(tmp_path, day(1), age_s=3 * DAY_S), kept(tmp_path, day(2), age_s=DAY_S)
    Shelf(tmp_path, MOST, 2 * DAY_S).room(set())
    assert (old.exists(), new.exists()) == (False, True)


def test_the_oldest_calls_go_where_all_take_too_much_room(tmp_path: Path) -> None:
    calls = [kept(tmp_path, day(number), size=400_000, age_s=DAY_S / number) for number in (1, 2, 3)]
    assert Shelf(tmp_path, MOST, 7 * DAY_S).room(set()) == 200_000
    assert [call.exists() for call in calls] == [False, True, True]


def test_a_call_that_may_go_on_stays_in_this_process_and_in_others(tmp_path: Path) -> None:
    just_written = kept(tmp_path, day(1), age_s=60)
    on_hold = kept(tmp_path, day(2), age_s=3 * DAY_S)
    Shelf(tmp_path, 1, 1.0).room({on_hold})
    assert just_written.exists()
    assert on_hold.exists()


def test_a_clock_that_jumps_deletes_no_call_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = kept(tmp_path, day(1), age_s=0)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    Shelf(tmp_path, MOST, DAY_S).room({call})
    assert call.exists()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    Shelf(tmp_path, 1, DAY_S).room(set())
    assert call.exists()


@pytest.mark.parametrize("name", ["my-site", "2026-01-02-holidays", "2026-01-02T00-00-00", f"{day(2)}-copy"])
@pytest.mark.parametrize("file", ["call.jsonl", "audio.wav", "view.html"])
def test_a_folder_of_another_name_stays_whatever_is_in_it(tmp_path: Path, name: str, file: str) -> None:
    other = kept(tmp_path, name, file=file)
    Shelf(tmp_path, 1, 1.0).room(set())
    assert (other / file).exists()


def test_other_files_in_the_folder_of_a_call_stay(tmp_path: Path) -> None:
    call = kept(tmp_path, day(1))
    (call / "notes.txt").write_text("mine")
    Shelf(tmp_path, MOST, 1.0).room(set())
    assert [path.name for path in call.iterdir()] == ["notes.txt"]


def test_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    elsewhere = kept(tmp_path / "elsewhere", "mine")
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / day(1)).symlink_to(elsewhere)
    Shelf(tmp_path / "calls", 1, 1.0).room(set())
    assert (elsewhere / "call.jsonl").exists()


def test_a_folder_that_is_a_link_is_used_like_any_other(tmp_path: Path) -> None:
    call = kept(tmp_path / "disk", day(1))
    (tmp_path / "calls").symlink_to(tmp_path / "disk")
    Shelf(tmp_path / "calls", MOST, 1.0).room(set())
    assert not call.exists()


def test_a_call_that_can_not_be_deleted_stops_no_recording(tmp_path: Path) -> None:
    stuck = kept(tmp_path, day(1), size=400_000)
    (stuck / "view.html").mkdir()
    other = kept(tmp_path, day(2), size=400_000)
    assert Shelf(tmp_path, 500_000, 7 * DAY_S).room(set()) > 0
    assert stuck.exists()
    assert not other.exists()


def test_where_there_is_no_folder_yet_there_is_room(tmp_path: Path) -> None:
    assert Shelf(tmp_path / "none", 5, 1.0).room(set()) == 5


def test_two_calls_of_one_moment_have_folders_of_their_own(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, MOST, 1.0)
    names = {shelf.new().name for _ in range(100)}
    assert len(names) == 100
    assert all(re.fullmatch(module._NAME, name) for name in names)
