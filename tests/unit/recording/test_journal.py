from __future__ import annotations

import json
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.core.events import Notice
from livekit.plugins.cartesia_turns.recording import journal as module
from livekit.plugins.cartesia_turns.recording.files import Step, steps_of
from livekit.plugins.cartesia_turns.recording.journal import Journal, Lines
from livekit.plugins.cartesia_turns.wire.messages import TurnUpdate, Unknown


def written(journal: Journal, *, transcripts: bool = True) -> tuple[list[dict[str, Any]], bytes]:
    text, audio = Lines(transcripts=transcripts).of(journal.take())
    return [json.loads(line) for line in text.splitlines()], audio


def test_calls_of_each_frame_are_read_as_they_were_made() -> None:
    journal = Journal()
    journal.push("p", [b"\1\2" * 3], [0.1 + 0.2])
    journal.add(("a", 1 / 3, (320, 640, False)))
    journal.add(("a", 1 / 3, (640, 640, True)))
    journal.add(("s", 1 / 3, None))
    journal.add(("g", 2.5, 7))
    journal.push("ll", [b"\3\4", b"\5\6"], [3.0, 3.05])
    journal.push("lislb", [b"\7\7", b"\7\7"], [3.1, 3.2])
    journal.add(("b", 3.2, None))
    (line,), audio = written(journal)
    assert line["at"] == 0.1 + 0.2
    assert list(steps_of(line)) == [
        Step("p", 0.1 + 0.2, pushed=6),
        Step("a", 1 / 3, sent=(320, 320, False)),
        Step("a", 1 / 3, sent=(640, 320, True)),
        Step("s", 1 / 3),
        Step("g", 2.5, pong=7),
        Step("l", 3.0, pushed=2),
        Step("l", 3.05, pushed=2),
        Step("l", 3.1, pushed=2),
        Step("i", 3.1),
        Step("s", 3.1),
        Step("l", 3.2, pushed=2),
        Step("b", 3.2),
        Step("b", 3.2),
    ]
    assert audio == b"\1\2" * 3 + b"\3\4\5\6\7\7\7\7"


def test_many_steps_are_several_lines() -> None:
    journal = Journal()
    for number in range(250):
        journal.push("p", [b"ab"], [number])
    lines, audio = written(journal)
    assert [len(list(steps_of(line))) for line in lines] == [100, 100, 50]
    assert [line["at"] for line in lines] == [0, 100, 200]
    assert audio == b"ab" * 250


@pytest.mark.parametrize("transcripts", [True, False])
def test_a_message_is_written_as_it_was_received(transcripts: bool) -> None:
    journal = Journal()
    journal.note(1.5, TurnUpdate("r", 'he said "no"\n\u2028', "t"))
    journal.note(1.5, Unknown("turn.dance"))
    lines, _ = written(journal, transcripts=transcripts)
    text = 'he said "no"\n\u2028' if transcripts else 'xx xxxx "xx"\n\u2028'
    fields = {"type": "turn.update", "request_id": "r", "transcript": text, "turn_id": "t"}
    assert lines == [
        {"at": 1.5, "call": "receive", "message": fields},
        {"at": 1.5, "call": "receive", "message": {"type": "turn.dance"}},
    ]


def test_lines_keep_the_order_in_which_things_happened() -> None:
    journal = Journal()
    journal.push("p", [b"ab"], [1.0])
    journal.note(2.0, lambda: {"call": "flush"})
    journal.note(2.0, [Notice.FEEDING])
    journal.push("p", [b"cd"], [3.0])
    journal.note(4.0, lambda: {"end": True})
    lines, audio = written(journal)
    assert [line["at"] for line in lines] == [1.0, 2.0, 2.0, 3.0, 4.0]
    assert lines[2]["events"] == [{"event": "notice", "notice": "feeding"}]
    assert audio == b"abcd"


def test_words_that_look_like_the_beginning_of_a_line_break_none() -> None:
    journal = Journal()
    evil = 'so}, {"at": 1.0, "call": "flush"}\n{"at": '
    journal.note(1.0, TurnUpdate("r", evil, "t"))
    journal.note(2.0, {"told": "interim_transcript", "text": evil})
    lines, _ = written(journal)
    assert [line["at"] for line in lines] == [1.0, 2.0]
    assert lines[0]["message"]["transcript"] == lines[1]["text"] == evil


def test_nothing_to_write_is_no_line() -> None:
    assert written(Journal()) == ([], b"")


def test_the_words_can_be_left_out() -> None:
    journal = Journal()
    journal.note(1.0, lambda: {"told": "final_transcript", "text": "my secret"})
    lines, _ = written(journal, transcripts=False)
    assert lines[0]["text"] == "xx xxxxxx"


def test_a_thread_that_does_not_keep_up_ends_the_recording_and_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    monkeypatch.setattr(module, "MANY_BYTES", 500)
    journal, woken = Journal(), []
    journal.wake = lambda: woken.append(True)
    for number in range(100):
        journal.push("p", [bytes(100)], [number])
    assert woken
    assert journal.is_overrun
    assert journal.is_closed
    assert len(written(journal)[1]) <= 1100


def test_lines_alone_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY_ENTRIES", 5)
    monkeypatch.setattr(module, "MOST_ENTRIES", 10)
    journal = Journal()
    for number in range(100):
        journal.note(number, lambda: {"call": "flush"})
    assert journal.is_overrun
    assert len(journal.take()) <= 11


def test_a_thread_that_keeps_up_may_be_slow_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY_BYTES", 500)
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    journal = Journal()
    for number in range(100):
        journal.push("p", [bytes(100)], [number])
        if number % 9 == 0:
            journal.take()
    assert not journal.is_overrun


def test_nothing_is_kept_once_it_is_closed() -> None:
    journal = Journal()
    journal.close()
    journal.push("p", [b"ab"], [1.0])
    journal.note(2.0, dict)
    journal.push("ll", [b"c", b"d"], [3.0, 3.0])
    journal.add(("t", 4.0, None))
    assert journal.take() == []
