from __future__ import annotations

import itertools
import json
import sys
import threading
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.core.events import Kind, Notice, TurnEvent
from livekit.plugins.cartesia_turns.core.stats import Stats
from livekit.plugins.cartesia_turns.recording import journal as module
from livekit.plugins.cartesia_turns.recording.journal import RESIZED, Columns, Journal, Lines
from livekit.plugins.cartesia_turns.recording.steps import Step, steps_of
from livekit.plugins.cartesia_turns.wire.messages import TurnEagerEnd, Unknown


def step(journal: Journal, letters: str, *times: float, **columns: list[Any]) -> None:
    """Notes steps, as a client does: first what belongs to the letters."""
    for name, values in columns.items():
        getattr(journal.columns, name).extend(values)
    journal.columns.times.extend(times)
    journal.columns.letters.append(letters)
    journal.audio_noted(sum(map(len, columns.get("pcm", []))))


def written(journal: Journal, *, transcripts: bool = True) -> tuple[list[dict[str, Any]], bytes]:
    text, audio = Lines(transcripts=transcripts).of(journal.take())
    return [json.loads(line) for line in text.splitlines()], audio


def test_calls_of_each_frame_are_read_as_they_were_made() -> None:
    journal = Journal()
    step(journal, "p", 0.1 + 0.2, pcm=[b"\1\2" * 3])
    step(journal, "a", 1 / 3, sent=[320, 640])
    step(journal, "z", 1 / 3, sent=[640, 640])
    step(journal, "s", 1 / 3)
    step(journal, "g", 2.5, pongs=[b"7"])
    step(journal, RESIZED + "ll", 3.0, 3.05, pcm=[b"\3\4", b"\5\6"])
    step(journal, "g", 3.06, pongs=[b"\xff"])
    step(journal, "b", 3.2)
    (line,), audio = written(journal)
    assert line["at"] == 0.1 + 0.2
    assert list(steps_of(line)) == [
        Step("p", 0.1 + 0.2, pushed=6),
        Step("a", 1 / 3, sent=(320, 320, False)),
        Step("a", 1 / 3, sent=(640, 320, True)),
        Step("s", 1 / 3),
        Step("g", 2.5, pong=b"7"),
        Step("l", 3.0, pushed=2),
        Step("l", 3.05, pushed=2),
        Step("g", 3.06, pong=b"\xff"),
        Step("b", 3.2),
    ]
    assert audio == b"\1\2" * 3 + b"\3\4\5\6"


def test_pieces_of_one_length_have_one_number() -> None:
    journal = Journal()
    step(journal, RESIZED + "lll", 1.0, 2.0, 3.0, pcm=[b"ab"] * 3)
    step(journal, "l", 4.0, pcm=[b"ab"])
    (line,), _ = written(journal)
    assert line["pushed"] == [2]
    assert [one.pushed for one in steps_of(line)] == [2, 2, 2, 2]


def test_pieces_of_another_length_are_told_apart_wherever_the_thread_takes() -> None:
    noted = [("l", b"ab"), (RESIZED, b""), ("l", b"abcd"), ("l", b"efgh"), (RESIZED, b""), ("l", b"ab")]
    for taken in itertools.product([False, True], repeat=len(noted)):
        journal, sizes = Journal(), list[int]()
        step(journal, RESIZED)
        for (letter, pcm), is_taken in zip(noted, taken, strict=True):
            step(journal, letter, *[1.0] * len(pcm[:1]), pcm=[pcm] if pcm else [])
            if is_taken:
                sizes += [one.pushed for line in written(journal)[0] for one in steps_of(line)]
        sizes += [one.pushed for line in written(journal)[0] for one in steps_of(line)]
        assert sizes == [2, 4, 4, 2]


@pytest.mark.parametrize("transcripts", [True, False])
def test_a_text_is_written_as_it_came(transcripts: bool) -> None:
    journal = Journal()
    said = 'he said "no"\n\u2028'
    step(journal, "u", 1.5, updates=["r", "t", said])
    step(journal, "e", 1.5)
    step(journal, "w", 1.6, speech=["en"])
    journal.note(1.7, TurnEagerEnd("r", said, "t"))
    journal.note(1.8, Unknown("turn.dance"))
    (steps, *lines), _ = written(journal, transcripts=transcripts)
    text = said if transcripts else 'xx xxxx "xx"\n\u2028'
    assert list(steps_of(steps)) == [
        Step("u", 1.5, update=("r", "t", text)),
        Step("e", 1.5),
        Step("w", 1.6, language="en"),
        Step("n", 1.7),
        Step("n", 1.8),
    ]
    fields = {"type": "turn.eager_end", "request_id": "r", "transcript": text, "turn_id": "t"}
    assert lines == [
        {"call": "receive", "message": fields},
        {"call": "receive", "message": {"type": "turn.dance"}},
    ]


def test_lines_of_their_own_follow_the_steps_that_they_came_in() -> None:
    journal = Journal()
    journal.note(0.5, {"schema": 3})
    step(journal, "p", 1.0, pcm=[b"ab"])
    journal.note(2.0, {"call": "flush"})
    journal.note(2.0, [Notice.FEEDING, TurnEvent(Kind.START, turn_id="t")])
    step(journal, "p", 3.0, pcm=[b"cd"])
    journal.note(4.0, Stats(turns=1))
    lines, audio = written(journal)
    assert [line.get("at") for line in lines] == [0.5, 1.0, None, None, None]
    assert [one.at for one in steps_of(lines[1])] == [1.0, 2.0, 2.0, 3.0, 4.0]
    assert lines[1]["steps"] == "pnnpn"
    assert [event["event"] for event in lines[3]["events"]] == ["notice", "start"]
    assert lines[4]["stats"] == {"turns": 1}
    assert audio == b"abcd"


def test_words_that_look_like_the_beginning_of_a_line_break_none() -> None:
    journal = Journal()
    evil = 'so}, "", {"call": "flush"}\n{"at": '
    step(journal, "u", 1.0, updates=["r", "t", evil])
    for texts in ([evil], ["}", "", "{"], [{"text": "}"}, {}]):
        journal.note(2.0, {"told": "interim_transcript", "text": evil, "texts": texts})
    lines, _ = written(journal)
    assert [line.get("texts") for line in lines] == [None, [evil], ["}", "", "{"], [{"text": "}"}, {}]]
    assert all(line["text"] == evil for line in lines[1:])
    assert lines[0]["updates"][2] == evil


def test_nothing_to_write_is_no_line() -> None:
    assert written(Journal()) == ([], b"")


def test_the_words_can_be_left_out() -> None:
    journal = Journal()
    journal.note(1.0, {"told": "final_transcript", "text": "my secret"})
    lines, _ = written(journal, transcripts=False)
    assert lines[0]["text"] == "xx xxxxxx"


def test_what_is_taken_while_something_is_noted_is_whole_and_nothing_is_lost() -> None:
    journal, count, taken = Journal(), 20_000, Columns()
    every_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def note() -> None:
        for number in range(count):
            step(journal, "lg", number, number, pcm=[b"%d" % number], pongs=[b"%d" % number])

    try:
        thread = threading.Thread(target=note)
        thread.start()
        while thread.is_alive() or len(taken.pcm) < count:
            part = journal.take()
            assert len(part.pcm) == len(part.pongs) == len(part.times) // 2 == len(part.letters[0]) // 2
            taken.pcm += part.pcm
            taken.pongs += part.pongs
        thread.join()
    finally:
        sys.setswitchinterval(every_s)
    assert taken.pcm == taken.pongs == [b"%d" % number for number in range(count)]


def test_a_thread_that_does_not_keep_up_ends_the_recording_and_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    monkeypatch.setattr(module, "MANY_BYTES", 500)
    journal, woken = Journal(), []
    journal.wake = lambda: woken.append(True)
    for number in range(100):
        step(journal, "p", number, pcm=[bytes(100)])
    assert woken
    assert journal.is_overrun
    assert journal.is_closed
    assert len(written(journal)[1]) <= 1100


def test_lines_alone_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY_ENTRIES", 5)
    monkeypatch.setattr(module, "MOST_ENTRIES", 10)
    journal = Journal()
    for number in range(100):
        journal.note(number, {"call": "flush"})
    assert journal.is_overrun
    assert len(journal.take().notes) <= 11


def test_a_thread_that_keeps_up_may_be_slow_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY_BYTES", 500)
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    journal = Journal()
    for number in range(100):
        step(journal, "p", number, pcm=[bytes(100)])
        if number % 9 == 0:
            journal.take()
    assert not journal.is_overrun


def test_nothing_is_kept_once_it_is_closed() -> None:
    journal = Journal()
    journal.close()
    step(journal, "p", 1.0, pcm=[b"ab"])
    journal.note(2.0, {"call": "flush"})
    step(journal, "ll", 3.0, 3.0, pcm=[b"c", b"d"])
    step(journal, "t", 4.0)
    assert journal.take() == Columns([""])
    assert journal.columns == Columns()
