from __future__ import annotations

import json
import math

import pytest
from livekit.plugins.cartesia_turns.core.changes import Rejected
from livekit.plugins.cartesia_turns.core.chunk import Chunk
from livekit.plugins.cartesia_turns.core.events import Flushed, Kind, Notice, TurnEvent
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.core.stats import Stats
from livekit.plugins.cartesia_turns.recording import schema
from livekit.plugins.cartesia_turns.wire.messages import (
    Close,
    Config,
    Connected,
    DetectedLanguage,
    ErrorMessage,
    ServerMessage,
    SpokenMessage,
    TurnEagerEnd,
    TurnEnd,
    TurnResume,
    TurnSettings,
    TurnStart,
    TurnUpdate,
    Unknown,
)
from livekit.plugins.cartesia_turns.wire.options import Options
from livekit.plugins.cartesia_turns.wire.protocol import serialize

HINDI = (DetectedLanguage("hi", 0.9), DetectedLanguage("en"))


@pytest.mark.parametrize(
    "message",
    [
        Connected("r"),
        TurnStart("r", "t"),
        TurnUpdate("r", " verbatim \u0928", "t", HINDI),
        TurnEagerEnd("r", "so", "t"),
        TurnResume("r"),
        TurnEnd("r", "", "t", HINDI),
        ErrorMessage("m", "t", 429, "concurrency_limited", "r", "d"),
        ErrorMessage(),
        Unknown("turn.dance"),
    ],
)
def test_a_message_is_read_as_it_was_written(message: ServerMessage) -> None:
    written = json.loads(json.dumps(schema.message_to(message)))
    assert schema.message_of(written) == message
    assert written["type"]


@pytest.mark.parametrize("turn_id", ["", "t"])
@pytest.mark.parametrize("languages", [(), HINDI])
@pytest.mark.parametrize("kind", [TurnUpdate, TurnEagerEnd, TurnEnd])
def test_a_text_is_written_as_on_the_wire(
    kind: type[SpokenMessage], turn_id: str, languages: tuple[DetectedLanguage, ...]
) -> None:
    message = kind("r", " verbatim \u0928", turn_id, languages)
    assert schema.message_to(message) == json.loads(serialize(message))


@pytest.mark.parametrize("message", [TurnStart("r"), TurnStart("r", "t"), TurnResume("r"), TurnResume("r", "t")])
def test_a_message_without_a_text_is_written_as_on_the_wire(message: ServerMessage) -> None:
    assert schema.message_to(message) == json.loads(serialize(message))


@pytest.mark.parametrize("error", [None, ErrorMessage("m", status_code=400)])
def test_an_error_or_none_is_read_as_it_was_written(error: ErrorMessage | None) -> None:
    assert schema.error_of(schema.error_to(error)) == error


def test_options_are_read_as_they_were_written() -> None:
    turn = TurnSettings(start_threshold=0.7, end_timeout_ms=640)
    options = Options("ink-preview", 8000, turn, ("a b", "c"), ("pt",))
    assert schema.options_of(json.loads(json.dumps(schema.options_to(options)))) == options


def test_limits_are_read_as_they_were_written_also_infinite_ones() -> None:
    limits = Limits(buffer_s=math.inf, early_preflight=2)
    assert schema.limits_of(json.loads(json.dumps(schema.limits_to(limits)))) == limits


def test_limits_that_are_not_known_are_ignored_and_those_missing_are_as_by_default() -> None:
    assert schema.limits_of({"buffer_s": 5.0, "of_tomorrow": 1}) == Limits(buffer_s=5.0)


@pytest.mark.parametrize("value", [0.5, math.inf, -math.inf])
def test_a_number_is_strict_json(value: float) -> None:
    assert schema.number_of(json.loads(json.dumps(schema.number_to(value), allow_nan=False))) == value


def test_what_is_sent_says_what_it_is() -> None:
    assert schema.item_to(Close()) == {"type": "close"}
    assert schema.item_to(Config(keyterms=())) == {"type": "config", "keyterms": []}
    silence = Chunk(bytes(640), 0.02, injected=True, start=320)
    assert schema.item_to(silence) == {"type": "audio", "start": 320, "samples": 320, "silence": True}


def test_each_event_can_be_told_from_the_others() -> None:
    events = [
        TurnEvent(Kind.START, turn_id="t"),
        TurnEvent(Kind.END, "so", "t"),
        TurnEvent(Kind.END, "so", "t", HINDI),
        Flushed(),
        Rejected(Config(keyterms=("a",)), Config(), ErrorMessage("no", status_code=400)),
        *Notice,
    ]
    written = [json.dumps(schema.event_to(event)) for event in events]
    assert len(set(written)) == len(events)


def test_counters_that_are_0_are_left_out() -> None:
    assert schema.stats_to(Stats(turns=2, lost_s=0.5)) == {"turns": 2, "lost_s": 0.5}


def test_masking_keeps_the_shape_of_a_text_and_none_of_its_words() -> None:
    assert schema.masked("I'm 33, \u4eca\u65e5\u3002 \u200b\u00c9t\u00e9") == "x'x xx, xx\u3002 \u200bxxx"


def test_masking_finds_texts_however_deep_and_leaves_all_else() -> None:
    line = {
        "at": 1.5,
        "call": "receive",
        "message": {"type": "turn.end", "transcript": "my number", "turn_id": "t1"},
        "events": [{"event": "end", "transcript": "my number"}],
        "options": {"model": "ink-2", "keyterms": ["Quetzal"]},
    }
    assert schema.without_words(line) == {
        "at": 1.5,
        "call": "receive",
        "message": {"type": "turn.end", "transcript": "xx xxxxxx", "turn_id": "t1"},
        "events": [{"event": "end", "transcript": "xx xxxxxx"}],
        "options": {"model": "ink-2", "keyterms": ["xxxxxxx"]},
    }
