"""What the server says becomes the framework's speech events."""

from __future__ import annotations

import pytest
from livekit.agents import stt
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.server import Line, LocalServer, Script, say
from livekit.plugins.cartesia_turns.wire.messages import ServerMessage, TurnResume
from support.calls import calling
from support.script import START, eager_end, end, playing, update
from support.waiting import until


@pytest.mark.parametrize(
    ("messages", "log"),
    [
        ([START, update("hi"), end("hi.")], ["START", "INTERIM hi", "FINAL hi.", "END"]),
        ([START, end("hi")], ["START", "FINAL hi", "END"]),
        ([START, update(" a  b "), end(" a  b c ")], ["START", "INTERIM  a  b ", "FINAL  a  b c ", "END"]),
        ([START, update(""), update("a"), update("a"), end("a")], ["START", "INTERIM a", "FINAL a", "END"]),
        (
            [START, eager_end("a"), eager_end("a"), eager_end("a b"), end("a b")],
            ["START", "PREFLIGHT a", "PREFLIGHT a b", "FINAL a b", "END"],
        ),
        (
            [START, update("a"), eager_end("a"), TurnResume(""), update("a"), update("a b"), end("a b")],
            ["START", "INTERIM a", "PREFLIGHT a", "INTERIM a", "INTERIM a b", "FINAL a b", "END"],
        ),
        (
            [START, eager_end("a"), TurnResume(""), eager_end("a"), end("a")],
            ["START", "PREFLIGHT a", "INTERIM a", "FINAL a", "END"],
        ),
        ([START, end("")], ["START", "INTERIM ", "END"]),
        ([START, update("a"), end("")], ["START", "INTERIM a", "FINAL a", "END"]),
        ([end("all of it")], ["START", "FINAL all of it", "END"]),
        ([update("a"), end("a b")], ["START", "INTERIM a", "FINAL a b", "END"]),
        ([eager_end("a"), end("a")], ["START", "PREFLIGHT a", "FINAL a", "END"]),
        ([end(""), TurnResume(""), update("")], []),
        ([START, START, update("a"), end("a")], ["START", "INTERIM a", "FINAL a", "END"]),
        (
            [START, update("a"), START, update("b"), end("b")],
            ["START", "INTERIM a", "FINAL a", "END", "START", "INTERIM b", "FINAL b", "END"],
        ),
        (
            [START, update("a"), START, update("a"), update("a b"), end("a b")],
            ["START", "INTERIM a", "INTERIM a b", "FINAL a b", "END"],
        ),
        ([START, update("a"), START, end("")], ["START", "INTERIM a", "FINAL a", "END"]),
        ([START, update(" "), eager_end("\n"), TurnResume(""), end(" ")], ["START", "INTERIM ", "END"]),
        ([START, update("."), eager_end("?!"), TurnResume(""), end(".")], ["START", "FINAL .", "END"]),
        ([START, end("a"), START, end("b")], ["START", "FINAL a", "END", "START", "FINAL b", "END"]),
        ([START, end("a"), end("b")], ["START", "FINAL a", "END", "START", "FINAL b", "END"]),
    ],
)
async def test_messages_become_these_events(messages: list[ServerMessage], log: list[str]) -> None:
    async with LocalServer(script=playing(*messages)) as server, calling(server) as call:
        call.push(0.2)
        call.stream.end_input()
        await call.over()
    assert call.log == log
    assert call.raised is None


async def test_every_event_has_the_request_id_and_a_transcript_has_one_english_alternative() -> None:
    script = playing(START, update("a"), eager_end("a b"), TurnResume(""), end("a b"), START, end(""))
    async with LocalServer(script=script) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: call.log.count("END") == 2)
        request_id = server.connections[0].request_id
    assert {event.request_id for event in call.events} == {request_id}
    for event in call.events:
        is_transcript = event.type.name.endswith("TRANSCRIPT")
        assert [data.language for data in event.alternatives] == ["en"] * is_transcript


async def test_usage_comes_before_the_end_of_speech() -> None:
    async with LocalServer(script=playing(START, end("a"))) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
    assert [event.type for event in call.events][-3:] == [
        stt.SpeechEventType.FINAL_TRANSCRIPT,
        stt.SpeechEventType.RECOGNITION_USAGE,
        stt.SpeechEventType.END_OF_SPEECH,
    ]


ODD: dict[str, list[str | bytes]] = {
    "not JSON": ["", "{", "turn.end", '{"type": "turn.end"', "NaN,"],
    "not a JSON object": ["[]", "3", '"text"', "null", "true"],
    "`type` is missing": ["{}", '{"transcript": "x"}'],
    "`type` is not a string": ['{"type": 3}', '{"type": {}}'],
    "a binary frame": [b"", b"\0\1\2", b'{"type": "turn.end", "transcript": "x"}'],
    "a message of an unknown type": ['{"type": "turn.dance"}', '{"type": ""}'],
}


async def test_odd_frames_are_logged_once_a_kind_and_the_stream_lives(caplog: pytest.LogCaptureFixture) -> None:
    lines = [Line(0.1, frame) for frames in ODD.values() for frame in frames] * 3
    async with (
        LocalServer(script=Script([*lines, say(0.1, START), say(0.1, end("the end"))])) as server,
        calling(server) as call,
    ):
        call.push(0.2)
        await until(lambda: "END" in call.log)
        assert call.log == ["START", "FINAL the end", "END"]
        assert len(server.connections) == 1
    logged = [vars(record)["frame"] for record in caplog.records if "unknown frame" in record.message]
    assert logged == list(ODD)


async def test_unknown_fields_are_ignored() -> None:
    message = {"type": "turn.end", "transcript": "hi", "confidence": 0.5, "words": [{"a": None}], "request_id": None}
    async with LocalServer(script=Script([Line(0.1, message)])) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
    assert call.finals == ["hi"]


@pytest.mark.parametrize("rest", [{}, {"transcript": None}, {"transcript": ["the end"]}, {"transcript": ""}])
async def test_an_end_without_a_usable_transcript_ends_the_turn_with_the_text_shown(rest: dict[str, object]) -> None:
    lines = [say(0.1, START), say(0.1, update("so far")), Line(0.1, {"type": "turn.end", **rest})]
    async with LocalServer(script=Script(lines)) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
        assert call.log == ["START", "INTERIM so far", "FINAL so far", "END"]


async def test_the_name_and_the_languages_of_a_turn_reach_its_events() -> None:
    languages = [{"language": "hi", "confidence": 1.0}, {"language": "en", "confidence": 0.25}]
    lines: list[dict[str, object]] = [
        {"type": "turn.start", "turn_id": "t1", "transcript": "odd"},
        {"type": "turn.update", "turn_id": "t1", "transcript": "a"},
        {"type": "turn.end", "turn_id": "t1", "transcript": "a b", "languages": languages},
    ]
    script = Script([Line(0.1, line) for line in lines])
    async with LocalServer(script=script) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
    assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]
    labels = [data.language for event in call.events for data in event.alternatives]
    assert labels == ["en", "hi"]
    assert [event.turn_id for name, event in call.public if name.startswith("turn_")] == ["t1"] * 3
    (ended,) = call.named("turn_end")
    assert ended.languages == (
        cartesia_turns.DetectedLanguage("hi", 1.0),
        cartesia_turns.DetectedLanguage("en", 0.25),
    )
