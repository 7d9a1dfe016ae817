"""Hypothesis strategies for what travels on the wire, well-formed and not."""

from __future__ import annotations

import json
from typing import get_args

from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.wire.messages import (
    BareMessage,
    ClientMessage,
    Close,
    Config,
    Connected,
    DetectedLanguage,
    ErrorMessage,
    ServerMessage,
    SpokenMessage,
    TurnMessage,
    TurnSettings,
    Unknown,
)

KNOWN = {message.TYPE for message in get_args(ServerMessage) if message is not Unknown}

texts = st.text(max_size=20)
languages = st.lists(
    st.builds(DetectedLanguage, st.text(min_size=1, max_size=5), st.none() | st.floats(0, 1)), max_size=3
).map(tuple)
turn_messages: st.SearchStrategy[TurnMessage] = st.one_of(
    *(st.builds(message, texts, texts) for message in get_args(BareMessage)),
    *(st.builds(message, texts, texts, texts, languages) for message in get_args(SpokenMessage)),
)
server_messages: st.SearchStrategy[ServerMessage] = st.one_of(
    st.builds(Connected, texts),
    turn_messages,
    st.builds(
        ErrorMessage,
        message=texts,
        title=texts,
        status_code=st.integers(400, 599),
        error_code=st.none() | st.text(min_size=1),
        request_id=texts,
        doc_url=st.none() | st.text(min_size=1),
    ),
    st.builds(Unknown, texts.filter(lambda kind: kind not in KNOWN)),
)
_numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
_lists = st.none() | st.lists(texts, max_size=3).map(tuple)
client_messages: st.SearchStrategy[ClientMessage] = st.one_of(
    st.just(Close()),
    st.builds(Config, st.builds(TurnSettings, _numbers, _numbers, _numbers, st.none() | st.integers()), _lists, _lists),
)

_json_texts = texts | st.text(st.characters(categories=["Cs", "L"]), max_size=4)
_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _json_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
_fields = [
    *("request_id", "turn_id", "transcript", "languages"),
    *("message", "title", "status_code", "error_code", "doc_url"),
    *("turn", "keyterms", "language_hints"),
]
_settings = st.dictionaries(
    st.sampled_from([*TurnSettings.__slots__]), _json_values | st.integers(10**300, 10**400), max_size=4
)
_objects = st.builds(
    lambda kind, rest, turn: {"type": kind, **rest, **({"turn": turn} if turn is not None else {})},
    st.sampled_from([*sorted(KNOWN), "config", "close"]) | _json_values,
    st.dictionaries(st.sampled_from(_fields) | texts, _json_values, max_size=5),
    st.none() | _settings,
)
frames: st.SearchStrategy[str | bytes] = st.one_of(
    st.text(),
    st.binary(),
    _json_values.map(json.dumps),
    _objects.map(json.dumps),
    _objects.map(lambda value: json.dumps(value)[:-1]),
    _objects.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")),
)
"""Anything that may come in one frame: garbage, almost JSON, JSON of any shape, and messages that are nearly right."""
