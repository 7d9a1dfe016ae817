"""Options are checked once and become the URL the vendor documents."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings
from livekit.plugins.cartesia_turns.wire.options import (
    THRESHOLDS,
    CompleteSettings,
    Options,
    complete,
    endpoint,
    in_order,
    merge,
)
from livekit.plugins.cartesia_turns.wire.vendor import LANGUAGE_HINTS, MODELS

TURN_PATH = "/stt/turns/websocket"


def setting(name: str, value: float) -> TurnSettings:
    values: dict[str, Any] = {name: value}
    return TurnSettings(**values)


def test_what_is_not_given_is_left_to_the_server() -> None:
    assert Options().query() == "model=ink-2&encoding=pcm_s16le&sample_rate=16000"


def test_the_query_holds_what_is_given_with_spaces_as_the_server_reads_them() -> None:
    turn = TurnSettings(0.7, 0.5, 0.1, 900)
    query = Options("ink-2", 8000, turn, ("LiveKit Agents", "a+b&c=é"), ("pt", "en")).query()
    assert query == (
        "model=ink-2&encoding=pcm_s16le&sample_rate=8000&keyterm=LiveKit%20Agents&keyterm=a%2Bb%26c%3D%C3%A9"
        "&language_hint=pt&language_hint=en"
        "&turn_start_threshold=0.7&turn_eager_end_threshold=0.5&turn_end_threshold=0.1&turn_end_timeout_ms=900"
    )


def test_options_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Options().sample_rate = 8000  # type: ignore[misc]  # the point of the test


ODD_NUMBERS = [float("nan"), float("inf"), -float("inf"), 10**400, True, False, "0.5", [0.5], {"key": "secret"}]


@pytest.mark.parametrize("value", [*ODD_NUMBERS, -0.01, 1.01, 7])
@pytest.mark.parametrize("name", THRESHOLDS)
def test_a_threshold_that_is_no_number_from_0_to_1_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^turn_{name}=") as caught:
        Options(turn=setting(name, value))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [*ODD_NUMBERS, 0, -1, -5600.0])
def test_a_timeout_that_is_no_positive_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^turn_end_timeout_ms="):
        Options(turn=setting("end_timeout_ms", value))


@pytest.mark.parametrize(
    "turn",
    [
        TurnSettings(start_threshold=1, eager_end_threshold=0.5, end_threshold=0),
        TurnSettings(eager_end_threshold=0.95),
        TurnSettings(start_threshold=0.1),
        TurnSettings(end_threshold=0.9),
        TurnSettings(end_timeout_ms=1),
        TurnSettings(end_timeout_ms=10**9),
    ],
)
def test_what_a_server_might_take_is_never_refused_whatever_its_defaults(turn: TurnSettings) -> None:
    assert "&turn_" in Options(turn=turn).query()


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        (TurnSettings(eager_end_threshold=0.4, end_threshold=0.4), "turn_eager_end_threshold=0.4 > turn_end_threshold"),
        (TurnSettings(start_threshold=0.5, end_threshold=0.6), "turn_start_threshold=0.5 > turn_end_threshold=0.6"),
        (TurnSettings(0.5, 0.6, 0.1), "turn_start_threshold=0.5 > turn_eager_end_threshold=0.6 > turn_end_threshold"),
        (TurnSettings(start_threshold=0.5, eager_end_threshold=0.5), "turn_start_threshold=0.5 > turn_eager_end"),
    ],
)
def test_thresholds_given_together_have_to_be_in_strict_order(turn: TurnSettings, said: str) -> None:
    assert not in_order(turn)
    with pytest.raises(ValueError, match=re.escape(said)):
        Options(turn=turn)


@pytest.mark.parametrize("rate", [7999, 48001, 0, -1])
def test_a_rate_the_server_does_not_take_is_refused(rate: int) -> None:
    with pytest.raises(ValueError, match=rf"sample_rate={rate} .* 8000 to 48000"):
        Options(sample_rate=rate)


@pytest.mark.parametrize("rate", ["16000", 44100.5, None])
def test_a_rate_that_is_no_whole_number_is_refused(rate: Any) -> None:
    with pytest.raises(ValueError, match=r"sample_rate=.* whole number"):
        Options(sample_rate=rate)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (("a", 3), "3 among its terms"),
        (("x",) * 101, "101 terms: at most 100"),
        (("x" * 600, "y" * 601), "1201 characters in all: at most 1200 are allowed, by the vendor's limit of 2026-"),
        (("a", " "), "an empty term"),
        (("a", "secret\ud800"), "lone surrogate"),
    ],
)
def test_keyterms_over_the_limits_are_refused(terms: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        Options(keyterms=terms)
    assert "keyterm" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_keyterms_at_the_limits_are_taken() -> None:
    assert Options(keyterms=("x" * 12,) * 100).keyterms


@pytest.mark.parametrize("model", ["", " ", None, 2, b"ink-2", "ink\udc00"])
def test_a_model_has_to_be_named(model: Any) -> None:
    with pytest.raises(ValueError, match=r"^model"):
        Options(model=model)


def test_any_model_is_asked_for_but_the_one_that_detects_no_turns() -> None:
    assert "model=ink-9%20beta&" in Options(model="ink-9 beta").query()
    for whisper in ("ink-whisper", "ink-whisper-2025-06-04"):
        with pytest.raises(ValueError, match="no turn detection: use 'ink-2', or livekit-plugins-cartesia"):
            Options(model=whisper)


def test_more_language_hints_than_are_known_to_be_taken_are_asked_for() -> None:
    codes = tuple(MODELS["ink-preview"].languages[0].value)
    assert len(codes) > LANGUAGE_HINTS.value.items
    assert Options(language_hints=codes).query().count("&language_hint=") == len(codes)


@pytest.mark.parametrize("hints", [("",), ("pt", " "), (5,), ("pt\udc00",)])
def test_a_language_hint_has_to_be_a_text(hints: Any) -> None:
    with pytest.raises(ValueError, match="language_hints"):
        Options(language_hints=hints)


@given(st.builds(TurnSettings, *[st.none() | st.floats(0, 1)] * 3), st.builds(TurnSettings, *[st.none()] * 3))
def test_merging_nothing_changes_nothing(base: TurnSettings, nothing: TurnSettings) -> None:
    assert merge(base, nothing) == base
    assert merge(nothing, base) == base


def test_a_change_wins_over_what_was_there() -> None:
    base = TurnSettings(0.8, 0.4, 0.2, 5600)
    assert merge(base, TurnSettings(end_threshold=0.1)) == TurnSettings(0.8, 0.4, 0.1, 5600)


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("https://api.cartesia.ai", "wss://api.cartesia.ai"),
        ("https://api.cartesia.ai/", "wss://api.cartesia.ai"),
        ("wss://api.cartesia.ai", "wss://api.cartesia.ai"),
        ("api.cartesia.ai", "wss://api.cartesia.ai"),
        ("proxy.example:8443/cartesia", "wss://proxy.example:8443/cartesia"),
        ("https://proxy.example/a/b/", "wss://proxy.example/a/b"),
        ("http://127.0.0.1:9", "ws://127.0.0.1:9"),
        ("ws://localhost:9", "ws://localhost:9"),
        ("http://[::1]:9", "ws://[::1]:9"),
        ("wss://api.cartesia.ai/stt/turns/websocket", "wss://api.cartesia.ai"),
        ("wss://api.cartesia.ai/stt/turns/websocket/", "wss://api.cartesia.ai"),
    ],
)
def test_an_address_may_be_given_in_many_ways(base_url: str, address: str) -> None:
    assert endpoint(base_url) == address + TURN_PATH


@pytest.mark.parametrize(
    "base_url", ["http://api.cartesia.ai", "ws://10.0.0.1", "http://127.0.0.1.example.com", "http://localhost.evil"]
)
def test_an_unencrypted_address_elsewhere_is_refused_unless_asked_for(base_url: str) -> None:
    with pytest.raises(ValueError, match="allow_plaintext=True"):
        endpoint(base_url)
    assert endpoint(base_url, allow_plaintext=True).startswith("ws://")


@pytest.mark.parametrize(
    "base_url",
    [
        "wss://api.cartesia.ai/stt/websocket",
        "https://proxy.example/tts/websocket/",
        "https://api.cartesia.ai/stt/turns",
    ],
)
def test_the_address_of_another_endpoint_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match=f"another endpoint.*{TURN_PATH}"):
        endpoint(base_url)


@pytest.mark.parametrize(
    "base_url",
    [
        *("", "ftp://host", "https://", "file:///etc/passwd"),
        *(
            "https://[",
            "https://host:port",
            "https://host:99999",
            "https://host:0",
            "https:/host",
            "https://host/a b",
            "https://host\n",
        ),
        *("https://h\u00f6st", "https://host/\ud800", 5, None, b"https://host", ["https://host"]),
    ],
)
def test_what_is_no_address_is_refused(base_url: Any) -> None:
    with pytest.raises(ValueError, match="base_url is not an address"):
        endpoint(base_url)


@pytest.mark.parametrize("base_url", ["https://user:secret@host", "https://host?key=secret", "https://host/#secret"])
def test_an_address_with_a_secret_in_it_is_refused_without_repeating_it(base_url: str) -> None:
    with pytest.raises(ValueError, match="must not hold") as caught:
        endpoint(base_url)
    assert "secret" not in str(caught.value)


def test_complete_settings_have_a_value_for_each() -> None:
    assert complete(TurnSettings(0.8, 0.0, 0.3, 5600)) == CompleteSettings(0.8, 0.0, 0.3, 5600)


@pytest.mark.parametrize("name", TurnSettings.__slots__)
def test_settings_of_which_one_is_missing_are_not_complete(name: str) -> None:
    given = {"start_threshold": 0.8, "eager_end_threshold": 0.6, "end_threshold": 0.3, "end_timeout_ms": 5600}
    with pytest.raises(ValueError, match=f"turn_{name} is missing"):
        complete(TurnSettings(**{**given, name: None}))  # type: ignore[arg-type]  # the timeout is an int
