"""Which events are steps inside a turn, with which the shell has little to do."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.events import (
    ClientEvent,
    Flushed,
    Kind,
    Notice,
    TurnEvent,
    Usage,
    are_inside_turn,
)

START, END = TurnEvent(Kind.START), TurnEvent(Kind.END, "a")
TEXT, EAGER_END, RESUME = (TurnEvent(kind, "a") for kind in (Kind.UPDATE, Kind.EAGER_END, Kind.RESUME))


@pytest.mark.parametrize(
    ("events", "are_inside"),
    [
        ([TEXT], True),
        ([EAGER_END], True),
        ([RESUME, TEXT], True),
        ([START], False),
        ([START, TEXT], False),
        ([EAGER_END, END], False),
        ([END], False),
        ([TEXT, Usage(1.0)], False),
        ([Notice.STALLED], False),
        ([Flushed()], False),
    ],
)
def test_texts_eager_ends_and_resumes_are_steps_inside_a_turn(events: list[ClientEvent], *, are_inside: bool) -> None:
    assert are_inside_turn(events) == are_inside
