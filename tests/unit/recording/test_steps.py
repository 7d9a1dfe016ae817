from __future__ import annotations

import json
import struct
from base64 import b64encode
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.core.events import ClientEvent, Kind, Notice, TurnEvent
from livekit.plugins.cartesia_turns.recording.schema import STEPS
from livekit.plugins.cartesia_turns.recording.steps import APART, Step, says_only, steps_of, unfolded
from livekit.plugins.cartesia_turns.wire.messages import DetectedLanguage, TurnUpdate


def line(steps: str, times: list[float], **columns: list[Any]) -> dict[str, Any]:
    return {"at": 1.0, "steps": steps, "times": b64encode(struct.pack(f"<{len(times)}d", *times)).decode(), **columns}


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
    steps = line("lunelw", [1, 2, 3, 4, 5], pushed=[2], updates=["r", "t", "hi"], languages=["en"])
    said = {"transcript": "hi", "turn_id": "t", "request_id": "r"}
    assert list(unfolded([note("flush"), steps, note("tick"), note("close_turn")])) == [
        note("flush"),
        {"at": 1, "steps": "l", "times": [1], "pushed": [2]},
        {"at": 2, "call": "receive", "message": {"type": "turn.update", **said}},
        note("tick"),
        {"at": 3, "events": [{"event": "update", **said}]},
        {"at": 4, "steps": "l", "times": [4], "pushed": [2]},
        {"at": 5, "told": "interim_transcript", "request_id": "r", "text": "hi", "language": "en"},
        note("close_turn"),
    ]


def test_a_text_is_still_known_in_the_next_line() -> None:
    lines = unfolded([line("u", [1], updates=["r", "t", "hi"]), line("ew", [2, 3], languages=["fr"])])
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
        {**line("tt", [1, 2]), "times": [1]},
    ],
)
def test_a_line_that_lacks_a_part_is_no_line(damaged: dict[str, Any]) -> None:
    with pytest.raises((ValueError, RuntimeError, struct.error)):
        list(steps_of(damaged))


def test_what_stands_apart_has_a_letter() -> None:
    assert set(STEPS) > APART


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (TurnEvent(Kind.UPDATE, "hi", "t", request_id="r"), True),
        (TurnEvent(Kind.UPDATE, "oh hi", "t", request_id="r"), False),
        (TurnEvent(Kind.UPDATE, "hi", "t2", request_id="r"), False),
        (TurnEvent(Kind.UPDATE, "hi", "t", request_id="r2"), False),
        (TurnEvent(Kind.UPDATE, "hi", "t", (DetectedLanguage("en"),), request_id="r"), False),
        (TurnEvent(Kind.UPDATE, "hi", "t", request_id="r", at=1.0), False),
        (TurnEvent(Kind.UPDATE, "hi", "t", request_id="r", usage_s=1.0), False),
        (TurnEvent(Kind.RESUME, "hi", "t", request_id="r"), False),
        (Notice.FEEDING, False),
    ],
)
def test_an_event_is_left_out_only_if_it_says_what_the_message_does(event: ClientEvent, expected: bool) -> None:
    assert says_only(event, TurnUpdate("r", "hi", "t")) is expected
