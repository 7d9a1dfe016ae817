"""What the server is not known to take is told with what is known, and nothing else is told."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.plugins.cartesia_turns import doubts as told
from livekit.plugins.cartesia_turns.doubts import doubts, turn_doubts
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings
from livekit.plugins.cartesia_turns.wire.options import Options
from livekit.plugins.cartesia_turns.wire.vendor import LANGUAGE_HINTS, MODELS, PRESETS, TURN_RANGES

RANGES = TURN_RANGES[0].value


def setting(name: str, value: float) -> TurnSettings:
    values: dict[str, Any] = {name: value}
    return TurnSettings(**values)


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("end", ["low", "high"])
def test_a_setting_may_be_at_the_end_of_its_range_and_beyond_it_is_told_once(name: str, end: str) -> None:
    at_end = getattr(RANGES[name], end)
    assert told.OUT_OF_RANGE not in [doubt.text for doubt in turn_doubts(setting(name, at_end))]
    beyond = at_end + (0.01 if end == "high" else -0.01)
    [doubt] = turn_doubts(setting(name, beyond))
    assert (doubt.text, doubt.option, doubt.value) == (told.OUT_OF_RANGE, f"turn_{name}", str(beyond))
    assert (doubt.known, doubt.since) == (str(RANGES[name]), "2026-08-14")


def test_thresholds_out_of_order_because_of_a_default_are_told_with_that_default_and_its_date() -> None:
    [doubt] = turn_doubts(TurnSettings(start_threshold=0.55, end_threshold=0.2))
    assert doubt.text == told.OUT_OF_ORDER
    assert (doubt.option, doubt.value) == ("turn_start_threshold, turn_end_threshold", "0.55, 0.2")
    assert doubt.known.startswith("turn_start_threshold=0.8 > turn_eager_end_threshold=0.6 > turn_end_threshold=0.3")
    assert doubt.since == "2026-08-14"


def test_an_order_that_holds_without_a_default_is_not_told() -> None:
    assert not list(turn_doubts(TurnSettings(0.55, 0.5, 0.2)))
    assert not list(turn_doubts(TurnSettings()))


@pytest.mark.parametrize("preset", PRESETS.value)
def test_a_preset_of_the_vendors_is_beyond_doubt(preset: str) -> None:
    assert not list(turn_doubts(PRESETS.value[preset]))


@pytest.mark.parametrize("model", MODELS)
def test_a_language_that_the_model_is_known_to_hear_is_not_told(model: str) -> None:
    heard = MODELS[model].languages[0].value
    assert not [doubt for code in heard for doubt in doubts(Options(model), code)]
    [doubt] = doubts(Options(model), "tlh")
    assert (doubt.text, doubt.option, doubt.value) == (told.UNKNOWN_LANGUAGE, "language", "tlh")
    assert doubt.known.split(", ") == list(heard)


def test_hints_are_told_where_the_model_takes_none_or_not_these() -> None:
    hints = ("pt", "tlh", "en")
    [doubt] = doubts(Options("ink-2", language_hints=hints))
    assert (doubt.text, doubt.value, doubt.known) == (told.NO_HINTS, "pt, tlh, en", "ink-preview")
    [doubt] = doubts(Options("ink-preview", language_hints=hints))
    assert (doubt.text, doubt.value) == (told.UNKNOWN_HINT, "tlh")
    assert not list(doubts(Options("ink-preview", language_hints=("pt", "en"))))


def test_more_hints_than_the_known_limit_are_told_once_with_the_limit_and_its_date() -> None:
    at_limit = MODELS["ink-preview"].languages[0].value[: LANGUAGE_HINTS.value.items]
    assert not list(doubts(Options("ink-preview", language_hints=at_limit)))
    beyond = ("pt", *at_limit)
    [doubt] = doubts(Options("ink-preview", language_hints=beyond))
    assert (doubt.text, doubt.option, doubt.value) == (told.TOO_MANY_HINTS, "language_hints", ", ".join(beyond))
    assert (doubt.known, doubt.since) == (f"at most {LANGUAGE_HINTS.value.items}", LANGUAGE_HINTS.since)
    assert [doubt.text for doubt in doubts(Options("ink-2", language_hints=beyond))] == [told.NO_HINTS]


def test_of_a_model_that_is_not_known_nothing_else_is_told() -> None:
    [doubt] = doubts(Options("ink-9", language_hints=("tlh",)), "tlh")
    assert (doubt.text, doubt.value, doubt.known) == (told.UNKNOWN_MODEL, "ink-9", "ink-2, ink-preview")


def test_the_details_are_fields_for_a_log_record() -> None:
    [doubt] = turn_doubts(TurnSettings(end_timeout_ms=1))
    assert set(doubt.details) == {"option", "value", "known", "since", "source"}
