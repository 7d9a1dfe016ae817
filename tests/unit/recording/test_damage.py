from __future__ import annotations

import copy
import json
import math
from base64 import b64decode, b64encode
from pathlib import Path
from struct import pack, unpack
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.recording.attempts import attempts_of
from livekit.plugins.cartesia_turns.recording.files import Recording, recording_of
from livekit.plugins.cartesia_turns.recording.player import replay
from livekit.plugins.cartesia_turns.recording.schema import SchemaError
from livekit.plugins.cartesia_turns.recording.view import page_of
from livekit.plugins.cartesia_turns.wire.messages import Connected, ErrorMessage, TurnEnd, TurnStart, TurnUpdate
from livekit.plugins.cartesia_turns.wire.options import Options
from support.recordings import Tape, told

AUDIO = b"\0\x20" * 320 * 100


def whole() -> list[dict[str, Any]]:
    """The lines of a call in which each kind of line comes."""
    tape = Tape()
    client = tape.client(Options(keyterms=("Quetzal",)), Limits(), lambda: 1.0)
    client.attempt_failed(ErrorMessage("no", status_code=503))
    client.link_opened(client.sockets.options, 1.0)
    for message in (Connected("r"), TurnStart("r"), TurnUpdate("r", "hi"), TurnEnd("r", "hi")):
        client.receive(message, 1.1)
        if isinstance(message, TurnUpdate):
            told(client, "r", "hi", "en", 1.1)
    client.pong(b"who asked?", 1.1)
    told(client, "r", "hi", "en", 1.1)
    for number in range(60):
        now = 1.2 + number / 50
        client.push_audio(b"\0\x20" * 320, now)
        while (item := client.outgoing(now)) is not None:
            client.sent(item, now)
    client.end_input()
    while (item := client.outgoing(2.5)) is not None:
        client.sent(item, 2.5)
    client.tick(9.0)
    client.link_lost(9.0, clean=True)
    client.update(Options(keyterms=("Condor",)))
    header, *lines = map(json.loads, tape.content()[0])
    announced = [{"at": 9.0, "told": "final_transcript", "text": "hi"}, {"at": 9.0, "announced": "disconnected"}]
    return [header, *announced, *lines]


def read(lines: list[dict[str, Any]]) -> Recording:
    return recording_of([json.dumps(line) for line in lines], AUDIO, Path("tape"))


def use(recording: Recording) -> None:
    """Does all that is done with a recording."""
    replay(recording)
    page_of(recording)
    attempts_of(recording)


def places() -> list[tuple[int, str]]:
    return [(nth, name) for nth, line in enumerate(whole()) for name in line if name != "at"]


def test_a_whole_recording_is_taken() -> None:
    lines = whole()
    recording = read(lines)
    assert replay(recording).is_same
    assert {"attempt_failed", "update", "outgoing", "link_lost"} <= {line.get("call") for line in lines}
    assert set("uehwkgnt") <= set(next(line["steps"] for line in lines if "steps" in line))


@pytest.mark.parametrize("odd", [None, "x", [None], {"type": 5}])
def test_a_line_that_lacks_a_part_or_has_another_in_its_place_is_refused_or_does_no_harm(odd: object) -> None:
    refused = 0
    for nth, name in places():
        for is_missing in (True, False) if odd is None else (False,):
            lines = copy.deepcopy(whole())
            if is_missing:
                del lines[nth][name]
            else:
                lines[nth][name] = odd
            try:
                recording = read(lines)
            except SchemaError:
                refused += 1
            else:
                use(recording)
    assert refused > 10


@pytest.mark.parametrize("odd", ["x", [], -2, 3, 1.5, pytest.param(10**400, id="huge")])
@pytest.mark.parametrize("name", ["pushed", "sent"])
def test_no_piece_of_audio_has_an_odd_length(name: str, odd: object) -> None:
    lines = whole()
    nth = next(nth for nth, line in enumerate(lines) if name in line)
    lines[nth][name][-1] = odd
    with pytest.raises(SchemaError, match=f"line {nth + 1} is damaged"):
        read(lines)


@pytest.mark.parametrize("odd", [None, [], "x", -1, float("nan"), pytest.param(10**400, id="huge")])
def test_limits_that_none_can_be_are_damage(odd: object) -> None:
    for name in whole()[0]["limits"]:
        lines = whole()
        lines[0]["limits"][name] = odd
        with pytest.raises(SchemaError, match="the first line is damaged"):
            read(lines)


@pytest.mark.parametrize("at", [1e18, -1e18, pytest.param(10**400, id="huge")])
def test_a_time_that_is_years_from_the_start_is_damage(at: float) -> None:
    lines = whole()
    lines[5]["at"] = at
    with pytest.raises(SchemaError, match="line 6 is damaged"):
        read(lines)
    lines = whole()
    steps = next(line for line in lines if "steps" in line)
    steps["times"] = b64encode(
        pack(f"<{len(steps['steps'])}d", *[float(min(at, 1e300))] * len(steps["steps"]))
    ).decode()
    with pytest.raises(SchemaError, match=r"line \d+ is damaged"):
        read(lines)


@pytest.mark.parametrize("odd", [5, 1.5, True, [], {}])
@pytest.mark.parametrize("name", ["request_id", "turn_id", "transcript"])
def test_a_message_with_another_thing_in_place_of_a_text_is_damage(name: str, odd: object) -> None:
    lines = whole()
    nth = next(nth for nth, line in enumerate(lines) if line.get("message", {}).get("type") == "turn.end")
    lines[nth]["message"][name] = odd
    with pytest.raises(SchemaError, match=f"line {nth + 1} is damaged"):
        read(lines)


@pytest.mark.parametrize("odd", [[[]], [5], 5, {}])
def test_steps_that_are_no_letters_are_damage(odd: object) -> None:
    with pytest.raises(SchemaError, match="line 2 is damaged"):
        read([whole()[0], {"at": 1.0, "steps": odd, "times": [1.0]}])


@pytest.mark.parametrize("number", [math.inf, math.nan, 1e300])
def test_a_time_of_speech_that_is_none_is_damage(number: float) -> None:
    lines = whole()
    nth = next(nth for nth, line in enumerate(lines) if "steps" in line)
    heard = unpack(f"<{len(b64decode(lines[nth]['heard'])) // 8}d", b64decode(lines[nth]["heard"]))
    lines[nth]["heard"] = b64encode(pack(f"<{len(heard)}d", number, *heard[1:])).decode()
    with pytest.raises(SchemaError, match=f"line {nth + 1} is damaged"):
        read(lines)


def test_a_line_without_a_time_is_damage_unless_its_place_is_in_the_line_before_it() -> None:
    lines = whole()
    nth = next(nth for nth, line in enumerate(lines) if "steps" in line)
    noted = lines[nth]["steps"].count("n")
    assert not any("at" in line for line in lines[nth + 1 : nth + 1 + noted])
    with pytest.raises(SchemaError, match=f"line {nth + noted + 2} is damaged"):
        read([*lines[: nth + 1 + noted], {"call": "flush"}])
    # If a line is missing, the next one has its place.
    with pytest.raises(SchemaError, match=f"line {nth + 2} is damaged"):
        read([*lines[: nth + 1], *lines[nth:]])
    assert read(lines[: nth + 2]).lines


def test_the_line_is_named() -> None:
    lines = whole()
    lines[5] = {"at": 1.0, "call": "receive"}
    with pytest.raises(SchemaError, match="tape: line 6 is damaged"):
        read(lines)


def test_what_is_not_known_is_no_damage() -> None:
    header, *lines = whole()
    more: list[dict[str, Any]] = [
        {"at": 1.0, "weather": 5},
        {"at": 1.0, "call": "of_tomorrow"},
        {"at": 1.0, "told": "of_tomorrow"},
    ]
    use(read([header, *more, *({**line, "colour": "red"} for line in lines)]))
