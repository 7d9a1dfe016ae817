"""Messages are read and written as the vendor documents them, and nothing but ProtocolError leaves a parser."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.messages import (
    ClientMessage,
    Close,
    Config,
    Connected,
    ErrorMessage,
    ServerMessage,
    TurnEagerEnd,
    TurnEnd,
    TurnResume,
    TurnSettings,
    TurnStart,
    TurnUpdate,
    Unknown,
)
from livekit.plugins.cartesia_turns.protocol import ProtocolError, parse, parse_client, parse_error_body, serialize
from support.fuzz import check_parsers
from support.messages import client_messages, frames, server_messages


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "connected", "request_id": "r"}, Connected("r")),
        ({"type": "turn.start", "request_id": "r", "transcript": "hi"}, TurnStart("r")),
        ({"type": "turn.update", "request_id": "r", "transcript": " hi "}, TurnUpdate("r", " hi ")),
        ({"type": "turn.eager_end", "request_id": "r", "transcript": "hi"}, TurnEagerEnd("r", "hi")),
        ({"type": "turn.resume", "request_id": "r"}, TurnResume("r")),
        ({"type": "turn.end", "request_id": "r", "transcript": ""}, TurnEnd("r", "")),
        ({"type": "turn.end", "transcript": "no id", "added": {"later": 1}}, TurnEnd("", "no id")),
        ({"type": "turn.paused", "why": "?"}, Unknown("turn.paused")),
        ({"type": "error", "message": "m"}, ErrorMessage("m")),
        (
            {"type": "error", "message": "m", "title": "t", "status_code": 429, "error_code": "concurrency_limited"},
            ErrorMessage("m", "t", 429, "concurrency_limited"),
        ),
        (
            {"type": "error", "message": "m", "title": None, "status_code": None, "error_code": None, "done": True},
            ErrorMessage("m"),
        ),
    ],
)
def test_a_message_is_read_as_documented_whatever_else_it_holds(
    fields: dict[str, object], message: ServerMessage
) -> None:
    assert parse(json.dumps(fields)) == message
    assert parse(json.dumps(fields).encode()) == message


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        ("[1]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("{}", "`type` is missing"),
        ('{"type": 1}', "`type` is not a string"),
        ('{"type": "turn.update", "request_id": "r"}', "`transcript` is missing"),
        ('{"type": "turn.end", "transcript": null}', "`transcript` is missing"),
        ('{"type": "turn.end", "transcript": ["a"]}', "`transcript` is not a string"),
        ('{"type": "connected", "request_id": 7}', "`request_id` is not a string"),
        ('{"type": "error"}', "`message` is missing"),
        ('{"type": "error", "message": "m", "status_code": "500"}', "`status_code` is not an integer"),
        ('{"type": "error", "message": "m", "status_code": true}', "`status_code` is not an integer"),
    ],
)
def test_a_malformed_message_is_an_error_that_says_what_is_wrong(frame: str | bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=f"^{reason}$"):
        parse(frame)


@given(server_messages)
def test_a_server_message_survives_the_wire(message: ServerMessage) -> None:
    assert parse(serialize(message)) == message


@given(client_messages)
def test_a_client_message_survives_the_wire(message: ClientMessage) -> None:
    assert parse_client(serialize(message)) == message


@given(frames)
def test_whatever_comes_a_parser_gives_a_message_or_a_protocol_error(frame: str | bytes) -> None:
    check_parsers(frame)


@given(st.text(alphabet="£¥§", min_size=3), st.sampled_from(["type", "transcript", "request_id", "x"]), st.booleans())
def test_the_text_of_an_error_never_holds_the_payload(secret: str, field: str, broken: bool) -> None:
    text = json.dumps({"type": "turn.update", field: [secret], secret: secret}, ensure_ascii=False)
    with pytest.raises(ProtocolError) as caught:
        parse(text[:-1] if broken else text)
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "close"}', Close()),
        ('{"type": "config"}', Config(TurnSettings())),
        ('{"type": "config", "turn": {"end_timeout_ms": 640.0}}', Config(TurnSettings(end_timeout_ms=640))),
        ('{"type": "config", "turn": {"start_threshold": 0.7, "new": 1}}', Config(TurnSettings(start_threshold=0.7))),
    ],
)
def test_a_clients_command_is_read_as_documented(text: str, message: ClientMessage) -> None:
    assert parse_client(text) == message


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "finalize"}',
        '{"type": "config", "turn": []}',
        '{"type": "config", "turn": {"start_threshold": "high"}}',
        '{"type": "config", "turn": {"start_threshold": true}}',
        '{"type": "config", "turn": {"start_threshold": NaN}}',
        '{"type": "config", "turn": {"end_timeout_ms": Infinity}}',
    ],
)
def test_what_is_no_command_of_a_clients_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_client(text)


def test_settings_that_are_not_given_are_not_sent() -> None:
    assert json.loads(serialize(Config(TurnSettings(end_threshold=0.1)))) == {
        "type": "config",
        "turn": {"end_threshold": 0.1},
    }


@pytest.mark.parametrize(
    "body", ["", "Unauthorized", "<html>", b"\xff", "[]", '{"message": 3}', '{"status_code": "x"}']
)
def test_a_handshakes_body_of_any_kind_gives_an_error_with_the_status(body: str | bytes) -> None:
    assert parse_error_body(body, 401) == ErrorMessage("", status_code=401)


def test_the_status_of_the_handshake_counts_and_not_the_one_in_its_body() -> None:
    body = '{"title": "t", "message": "m", "status_code": 1, "request_id": "r", "doc_url": "d"}'
    assert parse_error_body(body, 402) == ErrorMessage("m", "t", 402, request_id="r", doc_url="d")
