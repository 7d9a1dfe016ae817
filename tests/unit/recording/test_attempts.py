from __future__ import annotations

import json
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.core.link import HangUp
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.recording.attempts import SPARE_S, Attempt, attempts_of
from livekit.plugins.cartesia_turns.recording.client import RecordedClient
from livekit.plugins.cartesia_turns.recording.files import Recording
from livekit.plugins.cartesia_turns.server.faults import Faults
from livekit.plugins.cartesia_turns.wire.messages import (
    Connected,
    ErrorMessage,
    TurnEnd,
    TurnStart,
    TurnUpdate,
    Unknown,
)
from livekit.plugins.cartesia_turns.wire.options import Options
from support.recordings import Tape

FRAME_S = 0.02


class Shell:
    """Drives a client that is recorded: each frame takes its time and goes out at once."""

    def __init__(self) -> None:
        self.now = 100.0
        self._tape = Tape()
        client = self._tape.client(Options(), Limits(), lambda: self.now)
        assert isinstance(client, RecordedClient)
        self.client = client

    def open(self) -> None:
        self.client.link_opened(Options(), self.now)

    def speak(self, seconds: float) -> None:
        for _ in range(round(seconds / FRAME_S)):
            self.now += FRAME_S
            pcm = b"\0\x20" * 320
            if self.client.live.take(pcm, self.now):
                if self.client.live.wants_ping:
                    self.send()
                if self.client.live.is_full:
                    self.client.live_sent(self.now)
            else:
                self.client.push_audio(pcm, self.now)
                self.send()

    def send(self) -> None:
        while (item := self.client.outgoing(self.now)) is not None:
            self.client.sent(item, self.now)

    def recording(self, **announced: Any) -> Recording:
        recording = self._tape.recording()
        if announced:
            at = next(nth for nth, line in enumerate(recording.lines) if line.get("call") == "link_lost")
            recording.lines.insert(at + 1, {"at": self.now, "announced": "disconnected", **announced})
        return recording


def said(attempt: Attempt) -> list[tuple[float, str]]:
    return [(round(saying.at_s, 3), json.loads(saying.frame)["type"]) for saying in attempt.sayings]


def test_messages_come_where_they_came_in_the_audio_of_their_socket() -> None:
    shell = Shell()
    shell.open()
    shell.client.receive(Connected("r1"), shell.now)
    shell.speak(0.5)
    shell.client.receive(TurnStart("r1"), shell.now)
    shell.speak(0.3)
    shell.client.receive(Unknown("turn.dance"), shell.now)
    shell.client.receive(TurnUpdate("r1", "my"), shell.now)
    shell.client.link_lost(shell.now, abrupt=True)
    shell.open()
    shell.client.receive(Connected("r2"), shell.now)
    shell.send()
    shell.client.receive(TurnStart("r2"), shell.now)
    shell.client.receive(TurnEnd("r2", "my number"), shell.now)
    first, second = attempts_of(shell.recording())
    assert said(first) == [(0.5, "turn.start"), (0.8, "turn.dance"), (0.8, "turn.update")]
    assert [saying.in_turn for saying in first.sayings] == [True, True, True]
    assert first.faults == Faults(drop_at_s=0.8)
    assert first.ends_s == 0.8
    assert [name for _, name in said(second)] == ["turn.start", "turn.end"]
    assert second.sayings[-1].in_turn is False
    assert second.faults == Faults()
    assert 0 < second.ends_s <= 0.8


@pytest.mark.parametrize(
    ("how", "code", "played"),
    [
        ({"clean": True}, 1000, 1000),
        ({"clean": True}, 1005, 1000),
        ({"clean": True, "leaving": True}, 1001, 1001),
        ({"abrupt": True}, 1006, None),
        ({}, 1012, 1012),
        ({"clean": True}, None, 1001),
        ({}, None, 1011),
    ],
)
def test_a_lost_socket_is_lost_with_its_close_code(how: dict[str, bool], code: int | None, played: int | None) -> None:
    shell = Shell()
    shell.open()
    shell.client.receive(Connected("r1"), shell.now)
    shell.speak(0.5)
    shell.client.link_lost(shell.now, **how)
    (attempt,) = attempts_of(shell.recording(code=code, reason="lost"))
    assert attempt.faults == Faults(drop_at_s=0.5, drop_code=played)
    assert not attempt.is_closed_by_client


def test_an_error_in_place_of_connected_ends_the_socket_as_a_refusal_does() -> None:
    shell = Shell()
    shell.open()
    shell.client.receive(ErrorMessage("no", "Bad request", 400), shell.now)
    shell.client.link_lost(shell.now)
    (attempt,) = attempts_of(shell.recording())
    assert said(attempt) == [(0.0, "error")]
    assert attempt.faults == Faults(no_connected=True, drop_at_s=0.0, drop_code=1008)


@pytest.mark.parametrize(
    ("error", "faults"),
    [
        (None, Faults(refuse=True)),
        (ErrorMessage("busy", "Too many", 429), Faults(status=429)),
        (ErrorMessage("odd", "Odd", 200), Faults(refuse=True)),
    ],
)
def test_a_refused_attempt_is_refused_with_its_status(error: ErrorMessage | None, faults: Faults) -> None:
    shell = Shell()
    shell.client.attempt_failed(error)
    shell.open()
    refused, opened = attempts_of(shell.recording())
    assert (refused.is_refused, refused.faults) == (True, faults)
    assert not opened.is_refused


@pytest.mark.parametrize(
    ("hang_up", "faults"),
    [
        (HangUp.NOT_CONNECTED, Faults(no_connected=True)),
        (HangUp.DEAD, Faults(no_connected=True, half_open_at_s=0.0)),
        (HangUp.ROTATE, Faults(no_connected=True, drop_at_s=0.5 + SPARE_S, drop_code=1001)),
        (HangUp.STALLED, Faults(no_connected=True, drop_at_s=0.5 + SPARE_S, drop_code=1001)),
    ],
)
def test_a_client_that_hung_up_gets_a_reason_to_do_so_again(hang_up: HangUp, faults: Faults) -> None:
    shell = Shell()
    shell.open()
    shell.speak(0.5)
    shell.client.sockets.hang_up_for(hang_up)
    shell.client.link_lost(shell.now)
    if hang_up is HangUp.NOT_CONNECTED:
        shell.client.attempt_failed()
    (attempt,) = attempts_of(shell.recording())
    assert attempt.is_closed_by_client
    assert attempt.faults == faults


def test_what_was_said_after_the_close_waits_for_the_close() -> None:
    shell = Shell()
    shell.open()
    shell.client.receive(Connected("r1"), shell.now)
    shell.speak(0.5)
    shell.client.receive(TurnStart("r1"), shell.now)
    shell.client.end_input()
    shell.send()
    shell.client.receive(TurnEnd("r1", "my number"), shell.now)
    shell.client.link_lost(shell.now, clean=True)
    (attempt,) = attempts_of(shell.recording())
    assert said(attempt) == [(0.5, "turn.start"), (0.501, "turn.end")]
    assert attempt.faults == Faults()


def test_a_call_without_a_socket_has_no_attempts() -> None:
    assert attempts_of(Shell().recording()) == []
