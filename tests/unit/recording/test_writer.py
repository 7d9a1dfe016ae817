from __future__ import annotations

import errno
import json
import logging
import threading
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.recording import writer as module
from livekit.plugins.cartesia_turns.recording.audio_file import AudioFile, read_audio
from livekit.plugins.cartesia_turns.recording.journal import Columns, Journal, Lines
from livekit.plugins.cartesia_turns.recording.writer import CallWriter, Writer
from support.waiting import wait_until

ROOM = 10**9


def call(folder: Path, *, room: Callable[[], int] = lambda: ROOM, audio: bool = True) -> tuple[Journal, CallWriter]:
    journal = Journal()
    file = AudioFile(folder, 16000) if audio else None
    return journal, CallWriter(folder, journal, Lines(transcripts=True), file, room)


def say(journal: Journal, pcm: bytes = b"\1\2" * 320) -> None:
    columns = journal.columns
    columns.pcm.append(pcm)
    columns.times.append(1.0)
    columns.letters.append("p")
    journal.note(1.0, {"call": "flush"})


def test_what_has_come_is_written_and_the_rest_at_the_end(tmp_path: Path) -> None:
    journal, writer = call(tmp_path / "X")
    say(journal)
    assert writer.write()
    assert len((tmp_path / "X" / "call.jsonl").read_text().splitlines()) == 2
    say(journal)
    journal.close()
    assert not writer.write()
    assert writer.is_done.is_set()
    lines = [json.loads(line) for line in (tmp_path / "X" / "call.jsonl").read_text().splitlines()]
    assert ["steps" in line for line in lines] == [True, False, True, False]
    assert read_audio(tmp_path / "X") == b"\1\2" * 640


def test_only_its_owner_may_look_into_the_folder(tmp_path: Path) -> None:
    journal, writer = call(tmp_path / "X")
    say(journal)
    writer.write()
    assert (tmp_path / "X").stat().st_mode & 0o077 == 0


def test_without_audio_there_is_no_audio_file(tmp_path: Path) -> None:
    journal, writer = call(tmp_path / "X", audio=False)
    say(journal)
    journal.close()
    writer.write()
    assert [path.name for path in (tmp_path / "X").iterdir()] == ["call.jsonl"]


def test_a_full_disk_ends_the_recording_with_one_warning_and_no_text_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "/secret/place")

    journal, writer = call(tmp_path / "X")
    say(journal)
    assert writer.write()
    monkeypatch.setattr(module, "write_all", full)
    say(journal)
    assert not writer.write()
    say(journal)
    assert not writer.write()
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.getMessage() == "a recording was stopped, the call goes on without it"
    assert record.__dict__["reason"] == "OSError"
    assert "secret" not in str(record.__dict__)
    assert journal.take() == Columns([""])


def test_a_disk_that_takes_a_little_at_a_time_gets_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Small(FileIO):
        def write(self, data: object, /) -> int:
            return super().write(bytes(data)[:7])  # type: ignore[call-overload]  # any buffer

    monkeypatch.setattr(module, "FileIO", Small)
    journal, writer = call(tmp_path / "X")
    say(journal)
    writer.write()
    assert len((tmp_path / "X" / "call.jsonl").read_text().splitlines()) == 2


def test_a_folder_that_can_not_be_made_ends_the_recording(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    journal, writer = call(tmp_path / "file" / "X")
    say(journal)
    assert not writer.write()
    assert caplog.records[-1].__dict__["reason"] == "NotADirectoryError"


def test_a_mistake_in_what_is_written_ends_that_recording_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Secret:
        pass

    journal, writer = call(tmp_path / "X")
    journal.note(1.0, {"call": Secret()})
    assert not writer.write()
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.__dict__["reason"] == "TypeError"
    assert "Secret" not in str(record.__dict__)
    assert journal.is_closed


def test_recordings_that_take_all_their_room_end_this_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    left = [500, 0]
    journal, writer = call(tmp_path / "X", room=lambda: left.pop(0))
    say(journal)
    assert writer.write()
    say(journal)
    assert not writer.write()
    assert caplog.records[-1].__dict__["reason"] == "the recordings take all the room that they may"


def test_a_disk_that_is_too_slow_ends_the_recording(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal, writer = call(tmp_path / "X")
    journal.is_overrun = True
    journal.close()
    assert not writer.write()
    assert caplog.records[-1].__dict__["reason"] == "the disk is too slow"


def test_one_thread_writes_all_calls_and_ends_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.01)
    before = threading.active_count()
    thread = Writer()
    calls = [call(tmp_path / name) for name in "XY"]
    for journal, writer in calls:
        thread.add(writer)
        say(journal)
    assert threading.active_count() == before + 1
    for _, writer in calls:
        thread.finish(writer)
        assert writer.is_done.wait(10)
    assert all(read_audio(tmp_path / name) for name in "XY")
    wait_until(lambda: threading.active_count() == before, within_s=10)
    journal, writer = call(tmp_path / "Z")
    thread.add(writer)
    thread.finish(writer)
    assert writer.is_done.wait(10)


def test_a_call_that_hangs_at_the_disk_keeps_the_process_for_a_moment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXIT_S", 0.05)
    gate = threading.Event()

    def room() -> int:
        gate.wait(10)
        return ROOM

    thread = Writer()
    _, writer = call(tmp_path / "X", room=room)
    thread.add(writer)
    thread.finish(writer)
    # What is no daemon is waited for as the process ends.
    wait_until(lambda: not [one for one in threading.enumerate() if "at exit" in one.name], within_s=10)
    gate.set()
    assert writer.is_done.wait(10)
