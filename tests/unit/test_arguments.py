from __future__ import annotations

from typing import Any

import pytest
from livekit.agents import NOT_GIVEN
from livekit.plugins.cartesia_turns import arguments
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings


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
