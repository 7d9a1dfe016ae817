from dataclasses import replace
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.server import Vendor
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings
from livekit.plugins.cartesia_turns.wire.vendor import IDLE_CLOSE_S, TURN_DEFAULTS

TODAY, EARLIER = Vendor(), Vendor.of("2026-05")


def test_the_default_is_what_is_known_today() -> None:
    assert TODAY.turn_defaults == TURN_DEFAULTS[0].value == TurnSettings(0.8, 0.6, 0.3, 5600)
    assert TODAY.idle_close_s == IDLE_CLOSE_S.value == 180.0
    assert set(TODAY.models) == {"ink-2", "ink-preview"}
    assert Vendor.of(TODAY.when) == Vendor.of("today") == TODAY


@pytest.mark.parametrize(
    ("defaults", "said"),
    [
        (TurnSettings(0.8, 0.6, 0.3), "turn_end_timeout_ms is missing"),
        (TurnSettings(end_timeout_ms=900), "turn_start_threshold is missing"),
        (TurnSettings(0.5, 0.6, 0.3, 900), "must hold"),
    ],
)
def test_defaults_that_no_server_can_go_by_are_refused(defaults: TurnSettings, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Vendor(turn_defaults=defaults)


def test_the_vendor_of_may_has_the_numbers_and_models_of_may() -> None:
    assert EARLIER.turn_defaults == TurnSettings(0.8, 0.4, 0.2, 5600)
    assert set(EARLIER.models) == {"ink-2"}
    with pytest.raises(ValueError, match=r"eager_end_threshold=.* is out of range"):
        EARLIER.changed(EARLIER.turn_defaults, TurnSettings(eager_end_threshold=0.7))
    assert TODAY.changed(TODAY.turn_defaults, TurnSettings(eager_end_threshold=0.7)).eager_end_threshold == 0.7


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("May", "not a day"),
        ("2026", "not a day"),
        ("2026-13", "not a day"),
        ("2026-09-31", "not a day"),
        ("0000-01", "not a day"),
        ("2025-12", "too early"),
    ],
)
def test_a_time_of_which_nothing_is_known_is_an_error(when: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"vendor='{when}' is {said}"):
        Vendor.of(when)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start_threshold": 0.95}, "turn_start_threshold=0.95 is out of range"),
        ({"end_timeout_ms": 639}, "turn_end_timeout_ms=639 is out of range"),
        ({"end_threshold": float("nan")}, "turn_end_threshold=nan is out of range"),
        ({"start_threshold": 0.6}, "must hold"),
        ({"end_threshold": 0.5, "eager_end_threshold": 0.4}, "must hold"),
    ],
)
def test_turn_settings_out_of_range_or_order_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TODAY.changed(TODAY.turn_defaults, TurnSettings(**change))


def test_a_change_is_judged_with_what_is_in_force() -> None:
    base = replace(TODAY.turn_defaults, eager_end_threshold=0.35)
    with pytest.raises(ValueError, match="must hold"):
        TODAY.changed(base, TurnSettings(end_threshold=0.4))
    assert TODAY.changed(TODAY.turn_defaults, TurnSettings(end_threshold=0.4)).end_threshold == 0.4


@pytest.mark.parametrize(
    ("terms", "said"), [(["x"] * 101, "101 terms"), (["x" * 1201], "1201 characters"), ([" "], "empty term")]
)
def test_keyterms_over_the_limits_are_refused(terms: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TODAY.check_keyterms(terms)


@pytest.mark.parametrize(
    ("model", "hints", "said"),
    [
        ("ink-2", ["en"], "not supported"),
        ("ink-preview", ["en", "fr", "hi", "ja", "es", "de", "it"], "7 terms"),
        ("ink-preview", ["pt-BR"], "'pt-BR' is not a language"),
        ("ink-preview", ["xx"], "'xx' is not a language"),
    ],
)
def test_language_hints_that_the_model_does_not_take_are_refused(model: str, hints: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TODAY.check_language_hints(TODAY.model(model), hints)


def test_no_hints_and_known_ones_are_taken() -> None:
    TODAY.check_language_hints(TODAY.model("ink-2"), [])
    TODAY.check_language_hints(TODAY.model("ink-preview"), ["hi", "en"])
