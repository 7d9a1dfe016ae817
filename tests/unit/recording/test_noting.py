from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import LanguageCode, stt
from livekit.plugins.cartesia_turns.recording.client import RecordedClient
from livekit.plugins.cartesia_turns.recording.files import recording_of
from livekit.plugins.cartesia_turns.recording.letters import TOLD
from livekit.plugins.cartesia_turns.recording.player import replay
from livekit.plugins.cartesia_turns.wire.messages import (
    Connected,
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


TYPES = stt.SpeechEventType
TEXT = stt.SpeechData(language=LanguageCode("en"), text="hi")
USAGE = stt.RecognitionUsage(audio_duration=2.5)


def speech(kind: stt.SpeechEventType, request_id: str, *said: stt.SpeechData, **more: Any) -> stt.SpeechEvent:
    """A speech event. Older versions of the framework do not know its times."""
    event = stt.SpeechEvent(kind, request_id, [*said])
    for name, value in more.items():
        setattr(event, name, value)
    return event


@pytest.mark.parametrize("is_lined", [False, True], ids=["of a message", "of something else"])
@pytest.mark.parametrize(
    "event",
    [
        speech(TYPES.START_OF_SPEECH, "r"),
        speech(TYPES.START_OF_SPEECH, "r", speech_start_time=1.7e9),
        speech(TYPES.INTERIM_TRANSCRIPT, "r", TEXT),
        speech(TYPES.INTERIM_TRANSCRIPT, "r"),
        speech(TYPES.PREFLIGHT_TRANSCRIPT, "r", TEXT),
        speech(TYPES.FINAL_TRANSCRIPT, "r", TEXT),
        speech(TYPES.FINAL_TRANSCRIPT, "r", TEXT, speech_start_time=1.7e9, speech_end_time=1.7e9 + 1 / 3),
        speech(TYPES.FINAL_TRANSCRIPT, "r", stt.SpeechData(language=LanguageCode(""), text="hi")),
        speech(TYPES.FINAL_TRANSCRIPT, "r", stt.SpeechData(language=LanguageCode("en"), text="ho")),
        speech(TYPES.FINAL_TRANSCRIPT, "r2", TEXT),
        speech(TYPES.RECOGNITION_USAGE, "r", recognition_usage=USAGE),
        speech(TYPES.RECOGNITION_USAGE, "", recognition_usage=USAGE),
        speech(TYPES.END_OF_SPEECH, "r", speech_end_time=0.0),
    ],
)
@pytest.mark.parametrize("last", [TurnUpdate("r", "hi", "t"), TurnEagerEnd("r", "hi", "t"), TurnEnd("r", "hi", "t")])
def test_each_speech_event_is_read_as_it_was(last: ServerMessage, event: stt.SpeechEvent, is_lined: bool) -> None:
    tape = Tape()
    client = opened(tape)
    assert isinstance(client, RecordedClient)
    for message in (TurnStart("r", "t"), TurnUpdate("r", "h", "t"), last):
        client.receive(message, 1.2)
    if is_lined:
        client.receive(Connected("r"), 1.3)
    client.late.append((1.4, event))
    client.tick(1.5)
    (line,) = [line for line in tape.recording().lines if "told" in line]
    expected = {"at": 1.4, "told": event.type.value, "request_id": event.request_id}
    if event.alternatives:
        expected |= {"text": event.alternatives[0].text, "language": str(event.alternatives[0].language)}
    if event.recognition_usage:
        expected["audio_s"] = 2.5
    for name in ("speech_start_time", "speech_end_time"):
        if (value := getattr(event, name, None)) is not None:
            expected[name] = value
    assert line == expected


def test_the_events_of_a_turn_have_no_lines_of_their_own() -> None:
    tape = Tape()
    client = opened(tape)
    for message in (TurnStart("r", "t"), TurnUpdate("r", "hi", "t"), TurnEnd("r", "hi", "t")):
        client.receive(message, 1.2)
    content, audio = tape.content()
    assert not any("events" in json.loads(line) for line in content)
    lines = recording_of(content, audio, Path("tape")).lines
    assert [event["event"] for line in lines for event in line.get("events", ())] == ["start", "update", "end"]


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
