from __future__ import annotations

import time

import pytest
from livekit.agents import APIConnectionError
from livekit.plugins.cartesia_turns import (
    STT,
    ConnectedEvent,
    ConnectionErrorEvent,
    DisconnectedEvent,
    TurnEagerEndEvent,
    TurnResumeEvent,
    TurnStartEvent,
)
from livekit.plugins.cartesia_turns.testing.notes import Notes


@pytest.fixture
def stt() -> STT:
    return STT(api_key="not used")


def test_each_event_is_a_line_with_its_time(stt: STT, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    notes = Notes(stt, fast=False)
    stt.emit("connected", ConnectedEvent("r", 0.1))
    now[0] += 1.5
    stt.emit("turn_start", TurnStartEvent("r"))
    stt.emit("turn_eager_end", TurnEagerEndEvent("r", "what"))
    stt.emit("turn_resume", TurnResumeEvent("r", "what"))
    stt.emit("disconnected", DisconnectedEvent("r", "going away", 1001))
    stt.emit("connection_error", ConnectionErrorEvent(APIConnectionError("gone"), 0.25, "refused"))
    notes.add("the end")
    assert str(notes).splitlines()[1:] == [
        "    0.00 s  the plugin is connected",
        "    1.50 s  a turn starts",
        '    1.50 s  the turn may be over: "what"',
        "    1.50 s  the turn goes on",
        "    1.50 s  the plugin is disconnected: going away",
        "    1.50 s  the connection failed (refused), and the plugin tries again in 0.25 s",
        "    1.50 s  the end",
    ]


def test_a_delay_is_from_the_end_of_the_word_before_it(stt: STT) -> None:
    notes = Notes(stt, fast=False)
    assert notes.since_last_word_s(1.0) is None
    notes.said()
    assert notes.since_last_word_s(notes.now_s + 1.0) == pytest.approx(1.0, abs=0.5)
    assert Notes(stt, fast=True).since_last_word_s(1.0) is None
