"""What the constructor takes, refuses and warns about."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.agents import NOT_GIVEN, APIConnectOptions
from livekit.agents import stt as agents_stt
from livekit.plugins import cartesia_turns
from support.calls import silent_frame

PATIENT = APIConnectOptions(timeout=1.0)


SOURCE = "https://docs.cartesia.ai/api-reference/stt/turns/websocket"


def make(**arguments: Any) -> cartesia_turns.STT:
    return cartesia_turns.STT(**{"api_key": "k", **arguments})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"turn_start_threshold": 1.5}, ("turn_start_threshold", "1.5", "0 to 1")),
        ({"turn_eager_end_threshold": -0.2}, ("turn_eager_end_threshold", "-0.2", "0 to 1")),
        ({"turn_end_threshold": True}, ("turn_end_threshold", "True", "number")),
        ({"turn_end_timeout_ms": "1000"}, ("turn_end_timeout_ms", "'1000'", "is not a finite number")),
        ({"turn_end_timeout_ms": 0}, ("turn_end_timeout_ms", "0", "greater than 0")),
        ({"turn_end_timeout_ms": "1000"}, ("turn_end_timeout_ms", "'1000'", "number")),
        (
            {"turn_start_threshold": 0.55, "turn_eager_end_threshold": 0.55},
            ("turn_start_threshold=0.55", "turn_eager_end_threshold=0.55"),
        ),
        ({"sample_rate": 4000}, ("sample_rate", "4000", "8000", "48000")),
        ({"sample_rate": 96000}, ("sample_rate", "96000", "8000", "48000")),
        ({"keyterm": ["a"] * 101}, ("keyterm", "101", "100")),
        ({"keyterm": ["a" * 601, "b" * 600]}, ("keyterm", "1201", "1200")),
        ({"keyterm": ["a", " "]}, ("keyterm", "empty")),
        ({"keyterm": 5}, ("keyterm", "int", "list")),
        ({"language": "no language"}, ("language", "'no language'", "'pt-BR'")),
        ({"model": ""}, ("model", "''", "ink-2")),
        ({"model": "ink-whisper"}, ("model", "'ink-whisper'", "'ink-2'")),
        ({"watchdog_min_timeout": 0}, ("watchdog_min_timeout", "0", "greater than 0")),
        ({"max_buffer": -1.0}, ("max_buffer", "-1.0", "greater than 0")),
        ({"audio_chunk_duration_ms": 0}, ("audio_chunk_duration_ms", "0", "10 to 200")),
        ({"audio_chunk_duration_ms": 99999}, ("audio_chunk_duration_ms", "99999", "10 to 200")),
        ({"audio_chunk_duration_ms": 20.0}, ("audio_chunk_duration_ms", "20.0", "int")),
        ({"outage_timeout": -1.0}, ("outage_timeout", "-1.0")),
        ({"watchdog_min_timeout": float("nan")}, ("watchdog_min_timeout", "nan")),
        ({"base_url": "ftp://host"}, ("base_url", "http(s)://", "ws(s)://")),
        ({"base_url": ""}, ("base_url", "http(s)://")),
        ({"base_url": "https://host/?key=1"}, ("base_url", "query")),
        ({"base_url": "https://me:secret@host"}, ("base_url", "user name")),
        ({"base_url": "http://example.com"}, ("base_url", "example.com", "allow_plaintext=True")),
        ({"base_url": "ws://10.0.0.1/x"}, ("base_url", "10.0.0.1", "allow_plaintext=True")),
    ],
)
def test_an_argument_out_of_range_is_named_with_its_value_and_what_is_allowed(
    arguments: dict[str, Any], said: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        make(**arguments)
    assert not [part for part in said if part not in str(caught.value)], str(caught.value)
    assert "secret" not in str(caught.value)


def test_no_key_and_no_token_is_an_error_that_says_where_one_may_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    with pytest.raises(ValueError, match=r"api_key.*access_token.*CARTESIA_API_KEY"):
        cartesia_turns.STT()


@pytest.mark.parametrize(
    "arguments",
    [
        {"turn_start_threshold": None, "turn_end_timeout_ms": NOT_GIVEN, "keyterm": None},
        {"audio_chunk_duration_ms": 160, "keyterm": ["LiveKit"], "sample_rate": 8000},
        {"turn_start_threshold": 0.9, "turn_eager_end_threshold": 0.6, "turn_end_threshold": 0.5},
        {"turn_eager_end_threshold": 0.7},
        {"model": "ink-preview", "language": "pt-BR", "language_hints": ["pt-BR", "en"]},
        {"language": "ja"},
        {"model": "ink-preview", "language": "nb-NO"},
        {"language": "en_GB"},
    ],
)
def test_what_is_known_to_be_right_is_taken_without_a_word(
    arguments: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert make(**arguments).provider == "Cartesia"
    assert not caplog.records


@pytest.mark.parametrize(
    ("arguments", "details"),
    [
        (
            {"turn_start_threshold": 0.95},
            {"option": "turn_start_threshold", "value": "0.95", "known": "0.5 to 0.9", "source": SOURCE},
        ),
        ({"turn_end_timeout_ms": 100}, {"option": "turn_end_timeout_ms", "value": "100", "since": "2026-08-14"}),
        ({"turn_eager_end_threshold": 0.9}, {"option": "turn_eager_end_threshold", "known": "0.3 to 0.8"}),
        ({"turn_start_threshold": 0.55}, {"option": "turn_start_threshold", "value": "0.55", "since": "2026-08-14"}),
        ({"language": "de-CH"}, {"option": "language", "value": "de", "known": "en, fr, hi, ja, es"}),
        ({"language_hints": ["de"]}, {"option": "language_hints", "value": "de", "known": "ink-preview"}),
        (
            {"model": "ink-preview", "language_hints": ["pt", "en", "fr", "es", "it", "de", "nl"]},
            {"value": "pt, en, fr, es, it, de, nl", "known": "at most 6", "since": "2026-11-25"},
        ),
        ({"model": "ink-3"}, {"option": "model", "value": "ink-3", "known": "ink-2, ink-preview"}),
    ],
)
def test_what_is_not_known_is_taken_with_one_warning_that_says_what_is_and_since_when(
    arguments: dict[str, Any], details: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    owner = make(**arguments)
    owner.update_options(keyterm=["Ada"])
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert {name: getattr(record, name) for name in details} == details
    assert not record.args


def test_each_option_that_is_not_known_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    owner = make(turn_start_threshold=0.95)
    owner.update_options(turn_start_threshold=0.96, turn_end_timeout_ms=100)
    owner.update_options(turn_end_timeout_ms=99)
    assert [getattr(record, "option", "") for record in caplog.records] == [
        "turn_start_threshold",
        "turn_end_timeout_ms",
    ]


def test_a_key_and_a_token_together_are_refused() -> None:
    with pytest.raises(ValueError, match="api_key and access_token are both given") as caught:
        make(api_key="secret", access_token="secret")
    assert "secret" not in str(caught.value)
    assert make(api_key="", access_token="token")


def test_it_tells_the_framework_what_it_can_do() -> None:
    capabilities = make().capabilities
    assert (capabilities.streaming, capabilities.interim_results, capabilities.offline_recognize) == (True, True, False)


async def test_recognizing_a_whole_buffer_is_not_implemented() -> None:
    with pytest.raises(NotImplementedError, match=r"stream\(\)"):
        await make()._recognize_impl(silent_frame(1), conn_options=PATIENT)


def test_its_repr_and_its_settings_hold_no_secret() -> None:
    owner = make(api_key="sk-secret", extra_headers={"X-Mine": "sk-secret"})
    assert "sk-secret" not in f"{owner!r} {owner._settings!r} {owner._dialer!r}"


def test_it_is_an_stt_of_the_framework() -> None:
    assert isinstance(make(), agents_stt.STT)
    assert make().label
