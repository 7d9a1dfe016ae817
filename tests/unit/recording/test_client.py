from __future__ import annotations

import inspect

import pytest
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.limits import Limits
from livekit.plugins.cartesia_turns.core.pacing import Pace
from livekit.plugins.cartesia_turns.recording.client import RecordedClient
from livekit.plugins.cartesia_turns.recording.journal import Journal, Lines
from livekit.plugins.cartesia_turns.recording.player import replay
from livekit.plugins.cartesia_turns.wire.messages import Connected, ErrorMessage, TurnEnd, TurnStart, TurnUpdate
from livekit.plugins.cartesia_turns.wire.options import Options
from support.recordings import Tape

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
    # Live audio is noted when it is taken into account, which is all that `live_sent` does.
    assert methods - {"live_sent"} <= set(vars(RecordedClient)), "a new method of the client is not recorded"


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
    calls = {line["call"]: line for line in tape.recording().lines if "call" in line}
    assert calls["update"]["options"]["keyterms"] == ["Quetzal"]
    assert calls["pong"]["payload"] == "who asked?"
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


def test_a_long_call_is_handed_over_piece_by_piece() -> None:
    journal = Journal()
    client = RecordedClient(Options(), Limits(), 0.0, Pace(), journal=journal, clock=float)
    for number in range(500):
        client.push_audio(LOUD, number * 0.02)
    entries = journal.take()
    assert len(entries) >= 4
    assert len(Lines(transcripts=True).of(entries)[1]) >= 400 * len(LOUD)
