"""Messages are read and written as the vendor documents them, and nothing but ProtocolError leaves a parser."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.wire.messages import (
    ClientMessage,
    Close,
    Config,
    Connected,
    DetectedLanguage,
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
from livekit.plugins.cartesia_turns.wire.protocol import ProtocolError, parse, parse_client, parse_error_body, serialize
from support.messages import client_messages, frames, server_messages
from tools.fuzz import check_parsers


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
        ({"type": "turn.start", "turn_id": "t"}, TurnStart("", "t")),
        ({"type": "turn.resume", "turn_id": "t", "transcript": []}, TurnResume("", "t")),
        ({"type": "turn.update", "transcript": "hi", "turn_id": "t"}, TurnUpdate("", "hi", "t")),
        (
            {"type": "turn.eager_end", "transcript": "hi", "languages": [{"language": "hi", "confidence": 1}]},
            TurnEagerEnd("", "hi", "", (DetectedLanguage("hi", 1.0),)),
        ),
        (
            {"type": "turn.end", "transcript": "a", "languages": [{"language": "pt"}, {"language": "en"}]},
            TurnEnd("", "a", "", (DetectedLanguage("pt"), DetectedLanguage("en"))),
        ),
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
        ('{"type": null, "message": "m"}', "`type` is missing"),
        ('{"type": ["turn.end"]}', "`type` is not a string"),
    ],
)
def test_a_malformed_message_is_an_error_that_says_what_is_wrong(frame: str | bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=f"^{reason}$"):
        parse(frame)


ODD_TEXTS = [None, 7, 0.5, True, ["a"], {"a": "b"}]
ODD_LANGUAGES: list[object] = [None, 7, True, "", [], {}, [[]], [None, 1.5], [{"language": 7}], {"hi": 1.0}]
ODD_CONFIDENCES: list[object] = [None, True, "0.5", -0.1, 1.1, 10**400, float("nan"), []]


@pytest.mark.parametrize("odd", ODD_TEXTS)
def test_a_turn_message_without_a_usable_text_is_that_message_with_no_text(odd: object) -> None:
    fields = {"transcript": odd, "request_id": odd, "turn_id": odd}
    for kind in (TurnUpdate, TurnEagerEnd, TurnEnd):
        assert parse(json.dumps({"type": kind.TYPE, **fields})) == kind("", "")
        assert parse(json.dumps({"type": kind.TYPE})) == kind("", "")
    for bare in (Connected, TurnStart, TurnResume):
        assert parse(json.dumps({"type": bare.TYPE, **fields})) == bare("")


@pytest.mark.parametrize("odd", ODD_TEXTS)
def test_an_error_with_missing_or_odd_fields_is_an_error_all_the_same(odd: object) -> None:
    names = ("message", "title", "error_code", "request_id", "doc_url")
    assert parse('{"type": "error"}') == ErrorMessage()
    assert parse(json.dumps({"type": "error", **dict.fromkeys(names, odd)})) == ErrorMessage()
    assert parse(json.dumps({"type": "error", "message": odd, "title": "t"})) == ErrorMessage(title="t")


@pytest.mark.parametrize(
    ("written", "status"),
    [
        (429, 429),
        ("429", 429),
        (" 401 Unauthorized", 401),
        (429.0, 429),
        *((odd, 500) for odd in [None, True, "", "soon", "4290", "\uff14\uff12\uff19", 0, -1, 200, 302, 600, 10**400]),
        *((odd, 500) for odd in [float("nan"), float("inf"), [429], {"code": 429}]),
    ],
)
def test_the_status_of_an_error_is_read_where_it_can_be_and_else_that_of_a_failing_server(
    written: object, status: int
) -> None:
    assert parse(json.dumps({"type": "error", "status_code": written})) == ErrorMessage(status_code=status)


@pytest.mark.parametrize(
    ("written", "languages"),
    [
        *((odd, ()) for odd in ODD_LANGUAGES),
        ("hi", (DetectedLanguage("hi"),)),
        (["hi", "en"], (DetectedLanguage("hi"), DetectedLanguage("en"))),
        ({"language": "hi", "confidence": 0.5}, (DetectedLanguage("hi", 0.5),)),
        ([{"language": None}, {"language": "en", "more": 1}], (DetectedLanguage("en"),)),
        *(([{"language": "hi", "confidence": odd}], (DetectedLanguage("hi"),)) for odd in ODD_CONFIDENCES),
    ],
)
def test_what_can_be_used_of_odd_languages_is_used(written: object, languages: tuple[DetectedLanguage, ...]) -> None:
    frame = json.dumps({"type": "turn.end", "transcript": "a", "languages": written})
    assert parse(frame) == TurnEnd("", "a", "", languages)


def test_what_is_no_text_is_replaced_in_every_text() -> None:
    fields = dict.fromkeys(["request_id", "turn_id", "transcript"], "a\ud83d b")
    whole = "a\ufffd b"
    end = {"type": "turn.end", **fields, "languages": ["\udc00", {"language": "\ud800"}]}
    assert parse(json.dumps(end)) == TurnEnd(
        whole, whole, whole, (DetectedLanguage("\ufffd"), DetectedLanguage("\ufffd"))
    )
    assert parse(json.dumps(end, ensure_ascii=False).encode("utf-8", "surrogatepass")) == parse(json.dumps(end))
    error = dict.fromkeys(["message", "title", "error_code", "request_id", "doc_url"], "a\ud83d b")
    assert parse(json.dumps({"type": "error", **error})) == ErrorMessage(whole, whole, 500, whole, whole, whole)
    assert parse('{"type": "\\ud800"}') == Unknown("\ufffd")
    assert parse_client('{"type": "config", "keyterms": ["\\ud800"]}') == Config(keyterms=("\ufffd",))


def test_a_pair_of_surrogates_is_the_one_character_that_it_spells() -> None:
    assert parse('{"type": "turn.end", "transcript": "\\ud83d\\ude00"}') == TurnEnd("", "\U0001f600")
    halves = '{"type": "turn.end", "transcript": "\ud83d\ude00"}'.encode("utf-8", "surrogatepass")
    assert parse(halves) == TurnEnd("", "\U0001f600")


@given(frames)
def test_whatever_is_read_can_be_encoded_again(frame: str | bytes) -> None:
    with contextlib.suppress(ProtocolError):
        repr(parse(frame)).encode()
        json.dumps(asdict(parse(frame)), ensure_ascii=False).encode()


@given(server_messages)
def test_a_server_message_survives_the_wire(message: ServerMessage) -> None:
    assert parse(serialize(message)) == message


@given(client_messages)
def test_a_client_message_survives_the_wire(message: ClientMessage) -> None:
    assert parse_client(serialize(message)) == message


@given(frames)
def test_whatever_comes_a_parser_gives_a_message_or_a_protocol_error(frame: str | bytes) -> None:
    check_parsers(frame)


@given(st.text(alphabet="£¥§", min_size=3), st.booleans())
def test_the_text_of_an_error_never_holds_the_payload(secret: str, broken: bool) -> None:
    text = json.dumps({"type": [secret], "transcript": secret, secret: secret}, ensure_ascii=False)
    with pytest.raises(ProtocolError) as caught:
        parse(text[:-1] if broken else text)
    assert_private(caught.value, secret)


@given(
    st.text(alphabet="£¥§", min_size=3),
    st.sampled_from(["type", "turn", "keyterms", "language_hints"]),
    st.sampled_from(list(TurnSettings.__slots__)),
)
def test_nor_does_that_of_a_clients_command(secret: str, field: str, setting: str) -> None:
    wrong: object = {"keyterms": [secret, 1], "language_hints": secret, "turn": {setting: secret}}.get(field, secret)
    with pytest.raises(ProtocolError) as caught:
        parse_client(json.dumps({"type": "config", field: wrong}))
    assert_private(caught.value, secret)


def assert_private(error: ProtocolError, secret: str) -> None:
    assert secret not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "close"}', Close()),
        ('{"type": "config"}', Config()),
        ('{"type": "config", "turn": null, "keyterms": null, "language_hints": null}', Config()),
        ('{"type": "config", "keyterms": ["a", "b c"]}', Config(keyterms=("a", "b c"))),
        ('{"type": "config", "keyterms": [], "language_hints": ["pt"]}', Config(TurnSettings(), (), ("pt",))),
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
        '{"type": "config", "keyterms": "a"}',
        '{"type": "config", "keyterms": {"a": 1}}',
        '{"type": "config", "keyterms": ["a", null]}',
        '{"type": "config", "language_hints": [1]}',
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
    assert json.loads(serialize(Config())) == {"type": "config"}
    assert json.loads(serialize(Config(TurnSettings(end_threshold=0.1)))) == {
        "type": "config",
        "turn": {"end_threshold": 0.1},
    }


def test_an_empty_list_is_sent_since_it_clears_what_is_in_force() -> None:
    assert json.loads(serialize(Config(keyterms=(), language_hints=("hi",)))) == {
        "type": "config",
        "keyterms": [],
        "language_hints": ["hi"],
    }


def test_a_turn_message_has_the_fields_of_the_description_and_others_only_where_they_say_something() -> None:
    assert json.loads(serialize(TurnEnd("r", ""))) == {"type": "turn.end", "request_id": "r", "transcript": ""}
    assert json.loads(serialize(TurnEnd("r", "a", "t", (DetectedLanguage("hi", 1.0), DetectedLanguage("en"))))) == {
        "type": "turn.end",
        "request_id": "r",
        "transcript": "a",
        "turn_id": "t",
        "languages": [{"language": "hi", "confidence": 1.0}, {"language": "en"}],
    }


@pytest.mark.parametrize(
    "body", ["", "Unauthorized", "<html>", b"\xff", "[]", '{"message": 3}', '{"status_code": "x"}']
)
def test_a_handshakes_body_of_any_kind_gives_an_error_with_the_status(body: str | bytes) -> None:
    assert parse_error_body(body, 401) == ErrorMessage("", status_code=401)


def test_the_status_of_the_handshake_counts_and_not_the_one_in_its_body() -> None:
    body = '{"title": "t", "message": "m", "status_code": 1, "request_id": "r", "doc_url": "d"}'
    assert parse_error_body(body, 402) == ErrorMessage("m", "t", 402, request_id="r", doc_url="d")
