from __future__ import annotations

import json
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.recording.client import RecordedClient
from livekit.plugins.cartesia_turns.recording.files import recording_of
from livekit.plugins.cartesia_turns.recording.player import replay
from livekit.plugins.cartesia_turns.recording.schema import TOLD
from livekit.plugins.cartesia_turns.wire.messages import (
    DetectedLanguage,
    ServerMessage,
    TurnEagerEnd,
    TurnEnd,
    TurnResume,
    TurnStart,
    TurnUpdate,
)
from support.recordings import Tape, opened, pump, told

LOUD = b"\x00\x40\x00\xc0" * 160


def test_each_event_is_noted_once_however_late_it_is_taken() -> None:
    tape = Tape()
    client = opened(tape)
    client.receive(TurnStart("r", "t"), 1.2)
    client.receive(TurnUpdate("r", "hi", "t"), 1.3)
    client.take_events()
    client.receive(TurnUpdate("r", "hi you", "t"), 1.4)
    events = [(line["at"], event["event"]) for line in tape.recording().lines for event in line.get("events", ())]
    assert events == [(1.2, "start"), (1.3, "update"), (1.4, "update")]


@pytest.mark.parametrize(
    "message",
    [TurnUpdate("r", "hi you", "t"), TurnEagerEnd("r", "hi you", "t"), TurnResume("r", "t"), TurnEnd("r", "hi", "t")],
    ids=lambda message: message.TYPE,
)
def test_a_message_and_what_was_told_of_it_are_noted_later(message: ServerMessage) -> None:
    tape = Tape()
    client = opened(tape)
    assert isinstance(client, RecordedClient)
    for known in (TurnStart("r", "t"), TurnUpdate("r", "hi", "t"), TurnEagerEnd("r", "hi", "t")):
        client.receive(known, 1.2)
        client.take_events()
    client.note(1.25, {"told": "all of that"})
    noted = len(tape.journal.columns.letters)
    client.receive(message, 1.3)
    assert client.take_events()
    told(client, "r", "hi you", "en", 1.31)
    assert len(tape.journal.columns.letters) == noted
    client.note(1.35, {"told": "this"})
    at = [line["at"] for line in tape.recording().lines if "told" in line or line.get("call") == "receive"]
    assert at[-4:] == [1.25, 1.3, 1.31, 1.35]


def test_a_message_is_noted_between_the_live_audio_before_it_and_behind_it() -> None:
    tape = Tape()
    client = opened(tape)
    client.receive(TurnStart("r", "t"), 1.15)
    client.push_audio(LOUD, 1.2)
    pump(client, 1.2)
    assert client.live.take(LOUD, 1.22)
    client.receive(TurnUpdate("r", "hi", "t"), 1.23)
    assert client.live.take(LOUD, 1.24)
    client.receive(TurnUpdate("r", "hi you", "t"), 1.25)
    letters = "".join(tape.journal.columns.letters)
    assert client.live.take(LOUD, 1.26)
    client.tick(1.27)
    assert letters.endswith("lue")
    assert "".join(tape.journal.columns.letters)[len(letters) :] == "lue" + "l" + "t"
    outcome = replay(tape.recording())
    assert outcome.is_same, str(outcome)


def test_the_counters_are_noted_with_events_and_not_too_often() -> None:
    tape = Tape()
    client = opened(tape)
    for number in range(100):
        client.receive(TurnStart("r", f"t{number}"), now := 2.0 + number)
        client.receive(TurnEnd("r", "hi", f"t{number}"), now + 0.5)
    counted = [(line["at"], line["stats"]["turns"]) for line in tape.recording().lines if "stats" in line]
    assert counted[:-1] == [(31.0, 30), (61.0, 60), (91.0, 90)]


def test_what_the_framework_got_is_noted_as_the_last_text_only_if_it_is() -> None:
    tape = Tape()
    client = opened(tape)
    client.receive(TurnStart("r", "t"), 1.2)
    client.receive(TurnUpdate("r", "hi", "t"), 1.3)
    texts = [("r", "oh hi", "en", 1.4), ("r2", "hi", "en", 1.5), ("r", "hi", "fr", 1.6)]
    for text in texts:
        told(client, *text)
    # An event that is not that of the message has a line of its own, and so has what is told of it.
    client.receive(TurnUpdate("r", "hi you", "t", (DetectedLanguage("en"),)), 1.7)
    told(client, *(last := ("r", "hi you", "en", 1.8)))
    content, audio = tape.content()
    lines = [line for line in recording_of(content, audio, Path("tape")).lines if "told" in line]
    assert [(line["request_id"], line["text"], line["language"], line["at"]) for line in lines] == [*texts, last]
    assert sum(json.loads(line).get("steps", "").count(TOLD) for line in content) == 1
