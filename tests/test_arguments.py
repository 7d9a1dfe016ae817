from __future__ import annotations

import dataclasses

import pytest
from livekit.agents import NOT_GIVEN, stt
from livekit.plugins.cartesia_turns import arguments
from livekit.plugins.cartesia_turns.messages import TurnSettings


def test_not_given_and_none_both_leave_a_setting_to_the_server() -> None:
    assert arguments.turn_settings(NOT_GIVEN, None, 0.3, NOT_GIVEN) == TurnSettings(end_threshold=0.3)


def test_one_keyterm_may_be_a_string() -> None:
    assert arguments.terms("New York") == ("New York",)
    assert arguments.terms(["a", "b"]) == ("a", "b")
    assert arguments.terms(None) == ()


@pytest.mark.parametrize("language", ["en", "en-US", "en-GB", "English"])
def test_english_of_any_region_is_taken(language: str) -> None:
    arguments.check_language(language)


def test_another_language_or_model_is_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match="language='fr'"):
        arguments.check_language("fr")
    with pytest.raises(ValueError, match="livekit-plugins-cartesia"):
        arguments.check_model("ink-whisper")


def test_a_capability_that_the_framework_does_not_know_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [field for field in dataclasses.fields(stt.STTCapabilities) if field.name != "manual_flush"]
    monkeypatch.setattr(arguments, "fields", lambda _: known)
    assert not getattr(arguments.capabilities(manual_flush=True), "manual_flush", False)
    assert arguments.capabilities(manual_flush=True).keyterms
