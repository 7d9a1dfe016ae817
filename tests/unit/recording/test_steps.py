from __future__ import annotations

import json
import math
import struct
from base64 import b64encode
from dataclasses import fields, replace
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.core.events import ClientEvent, Kind, Notice, TurnEvent
from livekit.plugins.cartesia_turns.recording.steps import Step, says_only, steps_of, unfolded
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
    Unknown,
)


def packed(*numbers: float) -> str:
    return b64encode(struct.pack(f"<{len(numbers)}d", *numbers)).decode()


def line(steps: str, times: list[float], **columns: list[Any] | str) -> dict[str, Any]:
    return {"at": 1.0, "steps": steps, "times": packed(*times), **columns}


def note(name: str) -> dict[str, Any]:
    return {"at": 2.0, "call": name}


def test_steps_of_schema_1_are_read() -> None:
    steps = line("pasaig", [1, 2, 3, 4, 5, 6], pushed=[640], sent=[0, 640, 320, 640], silent=[1], pongs=[12])
    assert list(steps_of(steps)) == [
        Step("p", 1, pushed=640),
        Step("a", 2, sent=(0, 320, False)),
        Step("s", 3),
        Step("a", 4, sent=(320, 320, True)),
        Step("i", 5),
        Step("g", 6, pong=b"12"),
    ]


def test_lines_come_in_the_order_in_which_things_happened() -> None:
    steps = line("lunelw", [1, 2, 2.5, 3, 4, 5], pushed=[2], updates=["r", "t", "hi"], speech=["en"])
    said = {"transcript": "hi", "turn_id": "t", "request_id": "r"}
    lines = unfolded([note("flush"), steps, {"call": "tick"}, note("close_turn")])
    assert list(lines) == [
        note("flush"),
        {"at": 1, "steps": "l", "times": [1], "pushed": [2]},
        {"at": 2, "call": "receive", "message": {"type": "turn.update", **said}},
        {"at": 2.5, "call": "tick"},
        {"at": 3, "events": [{"event": "update", **said}]},
        {"at": 4, "steps": "l", "times": [4], "pushed": [2]},
        {"at": 5, "told": "interim_transcript", "request_id": "r", "text": "hi", "language": "en"},
        note("close_turn"),
    ]


def test_lines_of_schema_2_have_their_own_times() -> None:
    steps = line("lunew", [1, 2, 3, 5], pushed=[2], updates=["r", "t", "hi"], languages=["en"])
    lines = [*unfolded([steps, note("tick")])]
    assert [each["at"] for each in lines] == [1, 2, 2.0, 3, 5]
    assert lines[-1]["language"] == "en"


@pytest.mark.parametrize("is_behind", [False, True])
def test_what_comes_of_any_message_of_a_turn_is_told_with_its_ids_and_its_text(is_behind: bool) -> None:
    said = {"transcript": "hi", "turn_id": "t", "request_id": "r"}
    received = {"call": "receive", "message": {"type": "turn.end", **said}}
    heard = packed(1.5, 4.0, math.nan, 7.5, math.nan)
    speech = ["en", "en", "final_transcript"]
    rest = line("n" * is_behind + "hwk", [2.0] * is_behind + [3.0, 4.0, 5.0], heard=heard, speech=speech)
    lines = [rest, received] if is_behind else [{"at": 2, **received}, rest]
    text = {"request_id": "r", "text": "hi", "language": "en"}
    assert list(unfolded(lines)) == [
        {"at": 2, **received},
        {"at": 3, "events": [{"event": "end", **said, "heard_at": 1.5, "usage_s": 4.0}]},
        {"at": 4, "told": "final_transcript", **text},
        {"at": 5, "told": "final_transcript", **text, "speech_end_time": 7.5},
    ]


def test_a_ping_that_goes_out_at_once_is_two_calls() -> None:
    assert list(steps_of(line("qg", [1, 2], pongs="7"))) == [Step("i", 1), Step("s", 1), Step("g", 2, pong=b"7")]


def test_a_text_is_still_known_in_the_next_line() -> None:
    lines = unfolded([line("u", [1], updates=["r", "t", "hi"]), line("ew", [2, 3], speech=["fr"])])
    assert [(each["at"], each.get("text")) for each in lines] == [(1, None), (2, None), (3, "hi")]


def test_lines_that_are_unfolded_stay_as_they_are() -> None:
    columns: dict[str, list[Any]] = {"pushed": [2, 4], "sent": [0, 640, 320, 2], "pongs": ["12", "\xff"]}
    (first, *_, last) = once = list(
        unfolded([line("lzgulag", [1, 2, 3, 4, 5, 6, 7], updates=["r", "t", "hi"], **columns)])
    )
    assert (first["silent"], last["pongs"]) == ([0], ["\xff"])
    assert list(unfolded(json.loads(json.dumps(once)))) == once


def test_of_a_file_that_ends_before_the_lines_of_its_steps_the_rest_is_left_out() -> None:
    steps = line("tntnt", [1, 2, 3])
    assert [each["at"] for each in unfolded([steps, note("flush")])] == [1, 2.0, 2]


@pytest.mark.parametrize(
    "damaged",
    [
        line("l", [1]),
        line("ll", [1, 2, 3], pushed=[2]),
        line("lll", [1, 2, 3], pushed=[2, 4]),
        line("u", [1], updates=["r", "t"]),
        line("w", [1]),
        line("h", [1], heard=packed(1.0)),
        line("k", [1], heard=packed(1.0, 2.0, 3.0), speech=["en"]),
        line("k", [1], speech=["en", "end_of_speech"]),
        {**line("tt", [1, 2]), "times": [1]},
    ],
)
def test_a_line_that_lacks_a_part_is_no_line(damaged: dict[str, Any]) -> None:
    with pytest.raises((ValueError, RuntimeError, struct.error)):
        list(steps_of(damaged))


SAID = TurnUpdate("r", "hi", "t")
OVER = TurnEnd("r", "hi", "t")


@pytest.mark.parametrize(
    ("event", "message", "expected"),
    [
        (TurnEvent(Kind.UPDATE, "hi", "t", request_id="r"), SAID, True),
        (TurnEvent(Kind.RESUME, "hi", "t", request_id="r"), TurnResume("r", "t"), False),
        (TurnEvent(Kind.RESUME, "", "t", request_id="r"), TurnResume("r", "t"), True),
        (TurnEvent(Kind.START, "", "t", request_id="r", at=1.0), TurnStart("r", "t"), True),
        (TurnEvent(Kind.EAGER_END, "hi", "t", request_id="r"), TurnEagerEnd("r", "hi", "t"), True),
        (TurnEvent(Kind.END, "hi", "t", request_id="r", at=0.0, usage_s=1.0), OVER, True),
        (TurnEvent(Kind.END, "hi", "t", request_id="r", usage_s=1.0), OVER, False),
        (TurnEvent(Kind.UPDATE, "hi", "t", request_id="r"), OVER, False),
        (Notice.FEEDING, SAID, False),
        (TurnEvent(Kind.START), Connected("r"), False),
        (TurnEvent(Kind.START), Unknown("turn.start"), False),
        (TurnEvent(Kind.START), ErrorMessage("no"), False),
    ],
)
def test_an_event_is_left_out_only_if_it_says_what_the_message_does(
    event: ClientEvent, message: ServerMessage, expected: bool
) -> None:
    assert says_only(event, message) is expected


OTHER: dict[str, Any] = {
    "kind": Kind.RESUME,
    "transcript": "oh hi",
    "turn_id": "t2",
    "languages": (DetectedLanguage("en"),),
    "request_id": "r2",
    "usage_s": 1.0,
}


# What HEARD adds, and what no recording has.
@pytest.mark.parametrize("name", sorted({field.name for field in fields(TurnEvent)} - {"at", "measures"}))
def test_an_event_that_differs_from_its_message_in_any_field_has_a_line_of_its_own(name: str) -> None:
    event = TurnEvent(Kind.UPDATE, "hi", "t", request_id="r")
    assert says_only(event, SAID)
    assert not says_only(replace(event, **{name: OTHER[name]}), SAID)


def test_a_message_without_an_event_of_its_name_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TurnUpdate, "TYPE", "turn.hold")
    assert not says_only(TurnEvent(Kind.UPDATE, "hi", "t", request_id="r"), SAID)
