"""The vendor's numbers are data with dates, and what they say fits together."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from livekit.agents import LanguageCode
from livekit.plugins.cartesia_turns.wire import vendor
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings
from livekit.plugins.cartesia_turns.wire.vendor import Known, as_of

HISTORIES: dict[str, vendor.History[Any]] = {
    "TURN_DEFAULTS": vendor.TURN_DEFAULTS,
    "TURN_RANGES": vendor.TURN_RANGES,
    **{name: model.languages for name, model in vendor.MODELS.items()},
}
FACTS: list[Known[Any]] = [value for value in vars(vendor).values() if isinstance(value, Known)]
FACTS += [known for history in HISTORIES.values() for known in history]


@pytest.mark.parametrize("known", FACTS, ids=lambda known: known.source.rpartition("/")[2])
def test_each_fact_names_an_address_and_a_date_that_is_not_after_the_last_reading(known: Known[Any]) -> None:
    assert known.source.startswith("https://")
    assert re.fullmatch(r"2026-\d\d(-\d\d)?", known.since)
    assert known.since <= vendor.READ


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_goes_from_the_newest_to_the_oldest(name: str) -> None:
    dates = [known.since for known in HISTORIES[name]]
    assert dates == sorted(set(dates), reverse=True)


def test_an_earlier_time_has_the_numbers_of_that_time() -> None:
    assert as_of(vendor.TURN_DEFAULTS, "2026-05").value == TurnSettings(0.8, 0.4, 0.2, 5600)
    assert as_of(vendor.TURN_DEFAULTS, "2026-08-13").value == TurnSettings(0.8, 0.4, 0.2, 5600)
    assert as_of(vendor.TURN_DEFAULTS, "2026-08-14").value == TurnSettings(0.8, 0.6, 0.3, 5600)
    assert as_of(vendor.TURN_DEFAULTS, "2020").value == TurnSettings(0.8, 0.4, 0.2, 5600)
    assert as_of(vendor.MODELS["ink-2"].languages, "2026-05").value == ("en",)


@pytest.mark.parametrize("when", ["2026-05", vendor.READ])
def test_the_defaults_are_in_range_and_in_order_at_each_time(when: str) -> None:
    defaults, ranges = as_of(vendor.TURN_DEFAULTS, when).value, as_of(vendor.TURN_RANGES, when).value
    assert set(ranges) == set(TurnSettings.__slots__)
    assert all(getattr(defaults, name) in known for name, known in ranges.items())


@pytest.mark.parametrize("name", vendor.PRESETS.value)
def test_a_preset_is_in_range_and_in_order(name: str) -> None:
    preset = vendor.PRESETS.value[name]
    assert all(getattr(preset, setting) in known for setting, known in vendor.TURN_RANGES[0].value.items())
    assert (preset.start_threshold or 0) > (preset.eager_end_threshold or 0) > (preset.end_threshold or 0)


def test_a_range_takes_both_its_ends_and_tells_them() -> None:
    known = vendor.Range(0.3, 0.8)
    assert (0.3 in known, 0.8 in known, 0.29 in known, 0.81 in known) == (True, True, False, False)
    assert str(known) == "0.3 to 0.8"


@pytest.mark.parametrize(("name", "count"), [("ink-2", 5), ("ink-preview", 44)])
def test_the_languages_of_a_model_are_different_base_codes(name: str, count: int) -> None:
    codes = vendor.MODELS[name].languages[0].value
    assert len(set(codes)) == len(codes) == count
    assert all(LanguageCode(code) == LanguageCode(code).language for code in codes)


def test_a_language_that_is_listed_under_another_code_is_in_the_table_by_that_one() -> None:
    codes = vendor.MODELS["ink-preview"].languages[0].value
    assert set(vendor.LISTED_AS.values()) <= set(codes)
    assert not set(vendor.LISTED_AS) & set(codes)


def test_what_is_used_by_default_is_known() -> None:
    assert vendor.MODELS[vendor.MODEL].name == vendor.MODEL
    assert vendor.API_VERSION in vendor.API_VERSIONS.value


def test_nothing_can_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        vendor.KEYTERMS.value = vendor.ListLimits(1)  # type: ignore[misc]  # the point of the test
    with pytest.raises(TypeError):
        vendor.PLAN_STREAMS.value["Free"] = 99  # type: ignore[index]  # the point of the test
