"""A flush is answered once: by the turn's text where there is one, else by a word that nothing was said."""

from __future__ import annotations

import math

import pytest
from livekit.plugins.cartesia_turns.core.events import Flushed, Kind, TurnEvent
from livekit.plugins.cartesia_turns.core.flush import FLUSH_S, FlushRule


def test_a_turn_that_ends_by_itself_answers_nothing() -> None:
    rule = FlushRule()
    assert (rule.is_waiting, rule.deadline) == (False, math.inf)
    assert rule.turn_ended([]) == []


def test_a_flush_has_a_deadline_that_the_next_one_does_not_move() -> None:
    rule = FlushRule()
    rule.begin(10.0)
    rule.begin(10.5)
    assert (rule.is_waiting, rule.deadline) == (True, 10.0 + FLUSH_S)


@pytest.mark.parametrize(("text", "answer"), [("", [Flushed()]), ("yes", [])])
def test_only_a_turn_without_text_has_to_be_acknowledged_and_only_once(text: str, answer: list[Flushed]) -> None:
    rule = FlushRule()
    rule.begin(10.0)
    assert rule.turn_ended([TurnEvent(Kind.END, text)]) == answer
    assert not rule.is_waiting
    assert rule.turn_ended([]) == []


def test_a_flush_after_an_answered_one_has_a_deadline_of_its_own() -> None:
    rule = FlushRule()
    rule.begin(10.0)
    rule.turn_ended([])
    rule.begin(20.0)
    assert rule.deadline == 20.0 + FLUSH_S
