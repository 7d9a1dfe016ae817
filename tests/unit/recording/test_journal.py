from __future__ import annotations

import json

import pytest
from livekit.plugins.cartesia_turns.core.events import Notice
from livekit.plugins.cartesia_turns.recording import journal as module
from livekit.plugins.cartesia_turns.recording.files import Step, steps_of
from livekit.plugins.cartesia_turns.recording.journal import Journal, Lines


def push(journal: Journal, pcm: bytes, now: float) -> None:
    journal.letter(ord("p"))
    journal.time(now)
    journal.pushed(len(pcm))
    journal.pcm(pcm)


def written(journal: Journal, *, transcripts: bool = True) -> tuple[list[dict[str, object]], bytes]:
    text, audio = Lines(transcripts=transcripts).of(journal.take())
    return [json.loads(line) for line in text.splitlines()], audio


def test_calls_of_each_frame_are_read_as_they_were_made() -> None:
    journal = Journal()
    push(journal, b"\1\2" * 3, 0.1 + 0.2)
    journal.letter(ord("a"))
    journal.time(1 / 3)
    journal.sent((320, 640))
    journal.steps.silent.append(0)
    journal.letter(ord("g"))
    journal.time(2.5)
    journal.steps.pongs.append(7)
    journal.end_steps()
    (line,), audio = written(journal)
    assert list(steps_of(line)) == [
        Step("p", 0.1 + 0.2, pushed=6),
        Step("a", 1 / 3, sent=(320, 320, True)),
        Step("g", 2.5, pong=7),
    ]
    assert audio == b"\1\2" * 3


def test_lines_keep_the_order_in_which_things_happened() -> None:
    journal = Journal()
    push(journal, b"ab", 1.0)
    journal.note(2.0, lambda: {"call": "flush"})
    journal.note(2.0, [Notice.FEEDING])
    push(journal, b"cd", 3.0)
    journal.note(4.0, lambda: {"end": True})
    lines, audio = written(journal)
    assert [line["at"] for line in lines] == [1.0, 2.0, 2.0, 3.0, 4.0]
    assert lines[2]["events"] == [{"event": "notice", "notice": "feeding"}]
    assert audio == b"abcd"


def test_what_was_taken_does_not_change_with_what_comes() -> None:
    journal = Journal()
    push(journal, b"ab", 1.0)
    journal.end_steps()
    (steps,) = journal.take()
    push(journal, b"cd", 2.0)
    assert Lines(transcripts=True).of([steps])[1] == b"ab"


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
        push(journal, bytes(100), number)
        journal.end_steps()
    assert woken
    assert journal.is_overrun
    assert journal.is_closed
    assert len(written(journal)[1]) <= 1100


def test_lines_alone_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ENTRIES", 10)
    journal = Journal()
    for number in range(100):
        journal.note(number, lambda: {"call": "flush"})
    assert journal.is_overrun
    assert len(journal.take()) <= 11


def test_a_thread_that_keeps_up_may_be_slow_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    journal = Journal()
    for number in range(100):
        push(journal, bytes(100), number)
        journal.end_steps()
        if number % 9 == 0:
            journal.take()
    assert not journal.is_overrun


def test_nothing_is_kept_once_it_is_closed() -> None:
    journal = Journal()
    journal.is_closed = True
    push(journal, b"ab", 1.0)
    journal.note(2.0, dict)
    journal.end_steps()
    assert journal.take() == []
    assert not journal.steps.pcm
