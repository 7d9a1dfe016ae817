from __future__ import annotations

import inspect
from unittest.mock import Mock

import pytest
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.link import Ping
from livekit.plugins.cartesia_turns.core.pacing import Pace
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.recording.client import RecordedClient
from livekit.plugins.cartesia_turns.recording.journal import Journal, Lines
from livekit.plugins.cartesia_turns.recording.letters import PINGED, PUSHED
from livekit.plugins.cartesia_turns.recording.player import replay
from livekit.plugins.cartesia_turns.wire.messages import (
    ErrorMessage,
    TurnEnd,
    TurnStart,
    TurnUpdate,
)
from livekit.plugins.cartesia_turns.wire.options import Options
from support.recordings import Tape, opened, pump

LOUD = b"\x00\x40\x00\xc0" * 160


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


@pytest.mark.parametrize("payload", [b"0", b"12", b"007", b"", b"\xb2", b"9" * 40, b"1,2"])
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


@pytest.mark.parametrize("later_s", [0.0, 0.001])
def test_a_ping_that_goes_out_at_once_has_one_letter(later_s: float) -> None:
    tape = Tape()
    client = opened(tape)
    client.receive(TurnStart("r", "t"), 1.15)
    talk(client, LOUD, 1.2)
    ping = None
    for number in range(1, 40):
        now = 1.2 + 0.02 * number
        if not client.live.take(LOUD, now):
            talk(client, LOUD, now)
        elif client.live.wants_ping and (ping := client.outgoing(now)):
            client.sent(ping, now + later_s)
            client.pong(b"of another ping", now + 0.001)
    assert ping
    letters = "".join(tape.journal.columns.letters)
    assert ("lqg" in letters, "lisg" in letters.split("p")[-1]) == (not later_s, bool(later_s))
    outcome = replay(tape.recording())
    assert outcome.is_same, str(outcome)


@pytest.mark.parametrize("pushed", [[b""], [b"", LOUD], [LOUD, b"", LOUD[:320]]], ids=lambda pushed: str(len(pushed)))
def test_a_push_without_audio_replays_the_same(pushed: list[bytes]) -> None:
    tape = Tape()
    client = opened(tape)
    for number, pcm in enumerate(pushed):
        client.push_audio(pcm, 1.2 + number / 50)
        pump(client, 1.2 + number / 50)
    recording = tape.recording()
    outcome = replay(recording)
    assert outcome.is_same, str(outcome)
    assert [step.pushed for step in recording.steps if step.letter == PUSHED] == [len(pcm) for pcm in pushed]


def test_a_long_call_is_handed_over_piece_by_piece() -> None:
    journal = Journal()
    client = RecordedClient(Options(), Limits(), 0.0, Pace(), journal=journal, clock=float)
    for number in range(500):
        client.push_audio(LOUD, number * 0.02)
        if number == 300:
            assert Lines(transcripts=True).of(journal.take())[1] == LOUD * 301
    assert Lines(transcripts=True).of(journal.take())[1] == LOUD * 199
