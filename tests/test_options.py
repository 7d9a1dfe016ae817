"""Options are checked once and become the URL the vendor documents."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.messages import TurnSettings
from livekit.plugins.cartesia_turns.options import (
    DEFAULT_TURN,
    TURN_RANGES,
    Options,
    check_turn,
    endpoint,
    merge,
    with_defaults,
)

TURN_PATH = "/stt/turns/websocket"


def setting(name: str, value: float) -> TurnSettings:
    values: dict[str, Any] = {name: value}
    return TurnSettings(**values)


def test_what_is_not_given_is_left_to_the_server() -> None:
    assert Options().query() == "model=ink-2&encoding=pcm_s16le&sample_rate=16000"


def test_the_query_holds_what_is_given_with_spaces_as_the_server_reads_them() -> None:
    turn = TurnSettings(0.7, 0.5, 0.1, 900)
    query = Options("ink-2", 8000, turn, ("LiveKit Agents", "a+b&c=é")).query()
    assert query == (
        "model=ink-2&encoding=pcm_s16le&sample_rate=8000&keyterm=LiveKit%20Agents&keyterm=a%2Bb%26c%3D%C3%A9"
        "&turn_start_threshold=0.7&turn_eager_end_threshold=0.5&turn_end_threshold=0.1&turn_end_timeout_ms=900"
    )


def test_options_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Options().sample_rate = 8000  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize("name", TURN_RANGES)
@pytest.mark.parametrize("end", [0, 1])
def test_a_setting_may_be_at_the_end_of_its_range_and_not_beyond(name: str, end: int) -> None:
    others = TurnSettings(start_threshold=0.9, end_threshold=0.05)
    at_end = TURN_RANGES[name][end]
    check_turn(merge(others, setting(name, at_end)) if name != "end_threshold" else TurnSettings())
    beyond = at_end + (0.01 if end else -0.01)
    with pytest.raises(ValueError, match=re.escape(f"turn_{name}={beyond!r}")) as caught:
        check_turn(setting(name, beyond))
    assert all(str(bound) in str(caught.value) for bound in TURN_RANGES[name])


@pytest.mark.parametrize(
    "turn",
    [
        TurnSettings(eager_end_threshold=0.4, end_threshold=0.4),
        TurnSettings(end_threshold=0.5),
        TurnSettings(start_threshold=0.5, eager_end_threshold=0.6),
        TurnSettings(start_threshold=0.5, eager_end_threshold=0.5),
    ],
)
def test_thresholds_out_of_order_are_refused_with_the_defaults_counted(turn: TurnSettings) -> None:
    with pytest.raises(ValueError, match=r"turn_start_threshold=.* > turn_eager_end_threshold=.* > turn_end_threshold"):
        Options(turn=turn)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_threshold_that_is_no_finite_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="turn_start_threshold"):
        Options(turn=TurnSettings(start_threshold=value))


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
        (("x" * 600, "y" * 601), "1201 characters in all: at most 1200"),
        (("a", " "), "an empty term"),
    ],
)
def test_keyterms_over_the_limits_are_refused(terms: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Options(keyterms=terms)


def test_keyterms_at_the_limits_are_taken() -> None:
    assert Options(keyterms=("x" * 12,) * 100).keyterms


def test_a_model_has_to_be_named() -> None:
    with pytest.raises(ValueError, match="model=''"):
        Options(model="")


def test_the_end_timeout_in_force_is_the_servers_where_none_is_given() -> None:
    assert Options().end_timeout_s == 5.6
    assert Options(turn=TurnSettings(end_timeout_ms=640)).end_timeout_s == 0.64


@given(st.builds(TurnSettings, *[st.none() | st.floats(0, 1)] * 3), st.builds(TurnSettings, *[st.none()] * 3))
def test_merging_nothing_changes_nothing(base: TurnSettings, nothing: TurnSettings) -> None:
    assert merge(base, nothing) == base
    assert merge(nothing, base) == base
    assert None not in [getattr(with_defaults(base), name) for name in TurnSettings.__slots__]


def test_a_change_wins_over_what_was_there() -> None:
    assert merge(DEFAULT_TURN, TurnSettings(end_threshold=0.1)) == TurnSettings(0.8, 0.4, 0.1, 5600)


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


@pytest.mark.parametrize("base_url", ["wss://api.cartesia.ai/stt/websocket", "https://proxy.example/tts/websocket/"])
def test_the_address_of_another_endpoint_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match=f"another endpoint.*{TURN_PATH}"):
        endpoint(base_url)


@pytest.mark.parametrize("base_url", ["", "ftp://host", "https://", "file:///etc/passwd"])
def test_what_is_no_address_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url is not an address"):
        endpoint(base_url)


@pytest.mark.parametrize("base_url", ["https://user:secret@host", "https://host?key=secret", "https://host/#secret"])
def test_an_address_with_a_secret_in_it_is_refused_without_repeating_it(base_url: str) -> None:
    with pytest.raises(ValueError, match="must not hold") as caught:
        endpoint(base_url)
    assert "secret" not in str(caught.value)
