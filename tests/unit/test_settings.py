"""What a user passes is checked once, and what a stream is told has the names of STT's arguments."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from livekit.agents import NOT_GIVEN
from livekit.plugins.cartesia_turns import STT
from livekit.plugins.cartesia_turns import settings as arguments
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.settings import MANY_RETRIES, StreamSettings
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings
from livekit.plugins.cartesia_turns.wire.options import Options


def test_not_given_and_none_both_leave_a_setting_to_the_server() -> None:
    assert arguments.turn_settings(NOT_GIVEN, None, 0.3, NOT_GIVEN) == TurnSettings(end_threshold=0.3)


def test_one_keyterm_may_be_a_string() -> None:
    assert arguments.terms("New York") == ("New York",)
    assert arguments.terms(["a", "b"]) == ("a", "b")
    assert arguments.terms(None) == ()


@pytest.mark.parametrize(
    ("language", "tag"),
    [
        ("en", "en"),
        ("EN_us", "en-US"),
        ("english", "en"),
        (" pt-br ", "pt-BR"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("cmn-Hans-CN", "cmn-Hans-CN"),
        ("yue", "yue"),
        ("x-klingon", "x-KLINGON"),
        ("multi", "multi"),
    ],
)
def test_a_language_is_taken_as_the_framework_writes_it(language: str, tag: str) -> None:
    assert arguments.language_tag(language) == tag


def test_no_language_stays_none() -> None:
    assert arguments.language_tag(None) is None


@pytest.mark.parametrize("language", ["", " ", "en US", "en-", "fr;q=0.9", "x" * 50, "日本語", 5, ["en"], b"en"])
def test_what_is_no_language_tag_is_refused(language: Any) -> None:
    with pytest.raises(ValueError, match=r"^language"):
        arguments.language_tag(language)


@pytest.mark.parametrize(
    ("hints", "codes"),
    [
        (None, ()),
        ([], ()),
        ("pt", ("pt",)),
        (["pt-BR", "pt_PT", "english", "en"], ("pt", "en")),
        (("cmn-Hans-CN", "yue-HK"), ("zh", "yue")),
        (["nb-NO", "nn", "fil"], ("no", "tl")),
        (["xx"], ("xx",)),
    ],
)
def test_language_hints_become_base_codes_without_repetition(hints: Any, codes: tuple[str, ...]) -> None:
    assert arguments.base_codes(hints) == codes


@pytest.mark.parametrize("hints", [5, [5], [""], "", ["en US"], b"en", {"en": 1}.items(), ["pt", None], iter(["pt"])])
def test_what_is_no_list_of_languages_is_refused_as_hints(hints: Any) -> None:
    with pytest.raises(ValueError, match="language_hints"):
        arguments.base_codes(hints)


@pytest.mark.parametrize("keyterm", [5, {"a": 1}.items(), b"secret", ["a", b"secret"], iter(["a"]), ["a", None], [""]])
def test_what_is_no_list_of_terms_is_refused_and_not_repeated(keyterm: Any) -> None:
    with pytest.raises(ValueError, match="keyterm") as caught:
        arguments.terms(keyterm)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("given", "sent"), [(1000.0, 1000), (1000, 1000), (1000.5, 1000.5), (None, None)])
def test_a_timeout_in_whole_milliseconds_is_an_int(given: Any, sent: Any) -> None:
    turn = arguments.turn_settings(NOT_GIVEN, NOT_GIVEN, NOT_GIVEN, given)
    assert repr(turn.end_timeout_ms) == repr(sent)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("watchdog_min_timeout", 0),
        ("max_buffer", -1.0),
        ("max_buffer", float("nan")),
        ("watchdog_min_timeout", True),
        ("watchdog_min_timeout", "0.5"),
        ("max_buffer", float("inf")),
        ("max_buffer", 0.9),
        ("max_buffer", None),
        ("audio_chunk_duration_ms", 0),
        ("audio_chunk_duration_ms", -20),
        ("audio_chunk_duration_ms", 9),
        ("audio_chunk_duration_ms", 201),
        ("audio_chunk_duration_ms", 99999),
        ("audio_chunk_duration_ms", 20.0),
        ("audio_chunk_duration_ms", True),
        ("audio_chunk_duration_ms", "20"),
        ("speech_end_time", 1),
        ("speech_end_time", None),
        ("outage_timeout", -0.1),
        ("outage_timeout", float("nan")),
        ("outage_timeout", "5"),
        ("outage_timeout", False),
        ("early_preflight", -1),
        ("early_preflight", 1.5),
        ("early_preflight", "2"),
        ("early_preflight", True),
        ("early_preflight", 1001),
    ],
)
def test_what_is_out_of_range_is_refused_by_name_and_value(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}={re.escape(repr(value))} "):
        STT(api_key="k", **{name: value})


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"outage_timeout": 0.0},
        {"outage_timeout": float("inf")},
        {"audio_chunk_duration_ms": 10, "early_preflight": 2},
        {"audio_chunk_duration_ms": 200, "max_buffer": 1e9},
    ],
)
def test_what_is_in_range_is_taken(given: dict[str, Any]) -> None:
    STT(api_key="k", **given)


def test_a_session_has_to_be_one_of_aiohttp_and_is_not_written_out() -> None:
    with pytest.raises(ValueError, match=r"^http_session=\(a dict\) is not an aiohttp.ClientSession"):
        StreamSettings(http_session={"a": "secret"})  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize(
    ("settings", "max_retry", "lasts_s"),
    [
        (StreamSettings(buffer_s=30.0), MANY_RETRIES, 30.0),
        (StreamSettings(buffer_s=30.0), MANY_RETRIES - 1, 1.1),  # two retries, however long they take
        (StreamSettings(buffer_s=30.0), 0, 0.0),
        (StreamSettings(outage_timeout=5.0), 0, 5.0),
        (StreamSettings(outage_timeout=5.0), MANY_RETRIES, 5.0),
        (StreamSettings(outage_timeout=0.0), MANY_RETRIES, 0.0),
    ],
)
def test_an_outage_lasts_as_the_user_says_else_as_long_as_the_buffer_unless_failures_are_wanted_soon(
    settings: StreamSettings, max_retry: int, lasts_s: float
) -> None:
    policy, now = settings.retry_policy(max_retry), 0.0
    while (delay_s := policy.delay_after_failure(now, jitter=0.0)) is not None:
        now += delay_s
    assert now == pytest.approx(lasts_s)


def test_the_arguments_of_the_stt_bound_its_clients() -> None:
    arguments = {"watchdog_min_timeout": 1.5, "max_buffer": 30.0, "catch_up_speed": 3.0, "early_preflight": 2}
    limits: Limits = STT(api_key="k", **arguments)._settings  # type: ignore[arg-type]  # floats and an int
    assert (limits.watchdog_min_timeout_s, limits.buffer_s) == (1.5, 30.0)
    assert (limits.catch_up_speed, limits.early_preflight) == (3.0, 2)


def test_options_change_by_what_is_given_and_an_empty_value_is_given_too() -> None:
    base = Options(turn=TurnSettings(end_threshold=0.3), keyterms=("a",), language_hints=("pt",))
    longer = TurnSettings(end_timeout_ms=2000)
    changed = arguments.changed(base, longer, NOT_GIVEN, NOT_GIVEN)
    assert changed == replace(base, turn=TurnSettings(end_threshold=0.3, end_timeout_ms=2000))
    assert arguments.changed(base, TurnSettings(), [], None) == Options(turn=TurnSettings(end_threshold=0.3))
