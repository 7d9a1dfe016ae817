"""The public events are frozen records, one for each name."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest
from livekit.plugins.cartesia_turns import events


def classes() -> dict[str, type]:
    return {name: value for name, value in vars(events).items() if name.endswith("Event") and isinstance(value, type)}


def test_each_event_name_has_a_class_of_that_name() -> None:
    named = {"".join(part.title() for part in name.split("_")) + "Event" for name in get_args(events.EventName)}
    assert named == set(classes())


@pytest.mark.parametrize("event", classes().values(), ids=lambda event: event.__name__)
def test_an_event_is_frozen_and_documented(event: type) -> None:
    assert dataclasses.is_dataclass(event)
    assert event.__dataclass_params__.frozen  # type: ignore[attr-defined]  # dataclasses give it no public name
    assert event.__doc__
    assert not event.__doc__.startswith(f"{event.__name__}(")
