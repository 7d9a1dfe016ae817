from __future__ import annotations

import inspect
import json
from pathlib import Path
from unittest.mock import Mock

import pytest
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.link import Ping
from livekit.plugins.cartesia_turns.core.pacing import Pace
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.recording.client import RecordedClient
from livekit.plugins.cartesia_turns.recording.files import recording_of
from livekit.plugins.cartesia_turns.recording.journal import Journal, Lines
from livekit.plugins.cartesia_turns.recording.player import replay
from livekit.plugins.cartesia_turns.recording.schema import PINGED, TOLD
from livekit.plugins.cartesia_turns.wire.messages import (
    Connected,
    DetectedLanguage,
    ErrorMessage,
    ServerMessage,
    TurnEagerEnd,
    TurnEnd,
    TurnResume,
    TurnStart,
    TurnUpdate,
)
from livekit.plugins.cartesia_turns.wire.options import Options
from support.recordings import Tape, told

LOUD = b"\x00\x40\x00\xc0" * 160


def opened(tape: Tape) -> TurnsClient:
    client = tape.client(Options(), Limits(), lambda: 1.0)
    client.link_opened(client.sockets.options, 1.0)
    client.receive(Connected("r"), 1.1)
    return client


def pump(client: TurnsClient, now: float) -> None:
    while (item := client.outgoing(now)) is not None:
        client.sent(item, now)


def test_each_call_of_the_shell_that_changes_a_client_is_noted() -> None:
    methods = {name for name, of in inspect.getmembers(TurnsClient, inspect.isfunction) if not name.startswith("_")}
    # To take the events changes nothing else, and they are noted as they come.
    assert methods - {"take_events"} <= set(vars(RecordedClient)), "a new method of the client is not recorded"


def test_what_the_client_says_is_its_own() -> None:
    tape = Tape()
    client = opened(tape)
    client.receive(TurnStart("r", "t"), 1.2)
    client.receive(TurnUpdate("r", "hi", "t"), 1.3)
    client.receive(TurnEnd("r", "hi", "t"), 1.4)
    assert [getattr(event, "transcript", None) for event in client.take_events()] == ["", "hi", "hi"]
    assert client.take_events() == []


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


def test_a_message_that_the_client_fails_over_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = Tape()
    client = opened(tape)
    monkeypatch.setattr(TurnsClient, "receive", Mock(side_effect=RuntimeError))
    with pytest.raises(RuntimeError):
        client.receive(TurnStart("r", "t"), 1.2)
    calls = [line for line in tape.recording().lines if line.get("call") == "receive"]
    assert calls[-1]["message"]["type"] == "turn.start"


def test_what_the_client_calls_itself_is_not_noted() -> None:
    tape = Tape()
    client = opened(tape)
    client.receive(TurnStart("r", "t"), 1.2)
    client.end_input()
    pump(client, 1.3)
    client.link_lost(1.4, clean=True)
    client.tick(40.0)
    calls = [line["call"] for line in tape.recording().lines if "call" in line]
    assert "close_turn" not in calls
    assert "report_usage" not in calls


def test_a_call_that_the_shell_makes_is_noted_with_its_arguments() -> None:
    tape = Tape()
    client = opened(tape)
    client.update(Options(keyterms=("Quetzal",)))
    client.flush(1.2)
    client.pong(b"who asked?", 1.3)
    client.link_lost(1.4, abrupt=True)
    client.attempt_failed(ErrorMessage("no", status_code=503))
    client.report_usage(1.5)
    client.close_turn(1.6)
    recording = tape.recording()
    calls = {line["call"]: line for line in recording.lines if "call" in line}
    assert calls["update"]["options"]["keyterms"] == ["Quetzal"]
    assert [step.pong for step in recording.steps if step.pong is not None] == [b"who asked?"]
    assert calls["link_lost"]["abrupt"]
    assert calls["attempt_failed"]["error"]["status_code"] == 503
    assert calls["attempt_failed"]["options"]["keyterms"] == ["Quetzal"]
    assert {"flush", "report_usage", "close_turn"} <= set(calls)


def test_a_refusal_of_options_that_changed_meanwhile_replays_the_same() -> None:
    tape = Tape()
    client = opened(tape)
    client.link_lost(1.2)
    client.update(asked := Options(keyterms=("a",)))
    client.update(wanted := Options(keyterms=("b",)))
    client.attempt_failed(ErrorMessage("no", status_code=400), asked)
    assert client.sockets.options == wanted
    assert replay(tape.recording()).is_same


@pytest.mark.parametrize("payload", [b"0", b"12", b"007", b"", b"\xb2", b"9" * 40])
def test_any_pong_is_replayed_as_it_came(payload: bytes) -> None:
    tape = Tape()
    client = opened(tape)
    client.push_audio(LOUD * 20, 1.2)
    pump(client, 1.2)
    client.pong(payload, 1.3)
    outcome = replay(tape.recording())
    assert outcome.is_same, str(outcome)


def talk(client: TurnsClient, frame: bytes, now: float) -> None:
    """Sends a frame, and the pings that are due, as the shell does. They are answered at once."""
    is_live = client.live.take(frame, now)
    if not is_live:
        client.push_audio(frame, now)
    while (client.live.wants_ping or not is_live) and (item := client.outgoing(now)):
        client.sent(item, now)
        if isinstance(item, Ping):
            client.pong(item.payload, now)
    if is_live and client.live.is_full:
        client.live_sent(now)


@pytest.mark.parametrize("frames", range(40, 90, 3))
def test_a_message_that_has_live_audio_booked_in_a_pause_replays_the_same(frames: int) -> None:
    tape = Tape()
    client = opened(tape)
    for number in range(120):
        now = 1.2 + 0.02 * number
        talk(client, LOUD if number < 25 else bytes(640), now)
        if number == frames:
            # Between turns, a message without words takes only the audio into account.
            client.receive(TurnUpdate("r", "", "t"), now + 0.001)
    client.report_usage(4.0)
    outcome = replay(tape.recording())
    assert outcome.is_same, str(outcome)


def test_audio_that_needs_a_decision_is_noted_behind_live_audio_that_came_before() -> None:
    tape = Tape()
    client = opened(tape)
    client.receive(TurnStart("r", "t"), 1.15)
    client.push_audio(LOUD, 1.2)
    pump(client, 1.2)
    frames = [LOUD, *(bytes([number]) * 640 for number in range(5))]
    for number, frame in enumerate(frames[1:]):
        assert client.live.take(frame, 1.22 + number / 50)
    client.push_audio(b"\1\2" * 700, 1.4)
    recording = tape.recording()
    assert recording.audio == b"".join(frames) + b"\1\2" * 700
    assert [(step.letter, step.pushed) for step in recording.steps if step.pushed][1:] == [
        *[("l", 640)] * 5,
        ("p", 1400),
    ]


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_ping_that_waits_for_the_socket_while_the_turn_ends_replays_the_same(is_lost: bool) -> None:
    tape = Tape()
    client = opened(tape)
    client.receive(TurnStart("r", "t"), 1.15)
    now = 1.2
    while not client.live.wants_ping:
        now += 0.02
        if now < 2.5 or not client.live.take(bytes(640), now):
            talk(client, bytes(640), now)
    ping = client.outgoing(now)
    assert isinstance(ping, Ping)
    client.receive(TurnEnd("r", "hi", "t"), now + 0.01)
    client.push_audio(bytes(640), now + 0.02)
    if is_lost:
        client.link_lost(now + 0.5, abrupt=True)
    else:
        client.sent(ping, now + 0.5)
        pump(client, now + 0.5)
    recording = tape.recording()
    outcome = replay(recording)
    assert outcome.is_same, str(outcome)
    assert [step.at for step in recording.steps if step.letter == PINGED][-1] == now


def test_a_long_call_is_handed_over_piece_by_piece() -> None:
    journal = Journal()
    client = RecordedClient(Options(), Limits(), 0.0, Pace(), journal=journal, clock=float)
    for number in range(500):
        client.push_audio(LOUD, number * 0.02)
        if number == 300:
            assert Lines(transcripts=True).of(journal.take())[1] == LOUD * 301
    assert Lines(transcripts=True).of(journal.take())[1] == LOUD * 199


def test_the_counters_are_noted_with_events_and_not_too_often() -> None:
    tape = Tape()
    client = opened(tape)
    for number in range(40):
        client.receive(TurnStart("r", f"t{number}"), now := 2.0 + number)
        client.receive(TurnEnd("r", "hi", f"t{number}"), now + 0.5)
    counted = [(line["at"], line["stats"]["turns"]) for line in tape.recording().lines if "stats" in line]
    assert counted[:-1] == [(11.0, 10), (21.0, 20), (31.0, 30), (41.0, 40)]


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
