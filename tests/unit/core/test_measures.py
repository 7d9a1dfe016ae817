"""What is measured of a turn; tests/calls/metrics has the same by way of whole calls."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.measures import WENT_ON_S, EndedBy, Measures, Measuring
from livekit.plugins.cartesia_turns.wire.messages import TurnEagerEnd, TurnResume, TurnStart, TurnUpdate

EAGER, RESUME, UPDATE = TurnEagerEnd("", "a"), TurnResume(""), TurnUpdate("", "a b")


def ended(measuring: Measuring, now: float, *, by: EndedBy = EndedBy.SERVER, has_words: bool = True) -> Measures:
    return measuring.ended(now, by, None, has_words=has_words)


def test_a_turn_that_simply_ends_has_its_delay_alone() -> None:
    measuring = Measuring()
    measuring.started(1.0)
    measures = measuring.ended(5.0, EndedBy.SERVER, 4.5, has_words=True)
    assert measures == Measures(EndedBy.SERVER, end_delay_s=0.5)


def test_the_lead_is_that_of_the_last_eager_end_and_the_others_were_resumed() -> None:
    measuring = Measuring()
    measuring.started(1.0)
    for at in (2.0, 3.0):
        measuring.heard(EAGER, at, is_eager=True, has_news=True)
        measuring.heard(RESUME, at + 0.5, is_eager=False, has_news=False)
    measuring.heard(EAGER, 4.0, is_eager=True, has_news=False)
    assert ended(measuring, 4.25) == Measures(EndedBy.SERVER, eager_lead_s=0.25, resumes=2)


def test_an_eager_end_with_more_text_takes_the_place_of_the_one_before() -> None:
    measuring = Measuring()
    measuring.started(1.0)
    measuring.heard(EAGER, 2.0, is_eager=True, has_news=True)
    measuring.heard(EAGER, 3.0, is_eager=True, has_news=True)
    assert ended(measuring, 4.0) == Measures(EndedBy.SERVER, eager_lead_s=1.0, resumes=1)


def test_a_message_that_changes_nothing_leaves_the_eager_end_as_it_is() -> None:
    measuring = Measuring()
    measuring.started(1.0)
    measuring.heard(EAGER, 2.0, is_eager=True, has_news=True)
    measuring.heard(TurnStart(""), 2.5, is_eager=True, has_news=False)
    assert ended(measuring, 3.0).eager_lead_s == 1.0


def test_no_turn_inherits_anything_from_the_one_before() -> None:
    measuring = Measuring()
    measuring.started(1.0)
    measuring.heard(EAGER, 2.0, is_eager=True, has_news=True)
    measuring.heard(UPDATE, 2.5, is_eager=False, has_news=True)
    measuring.lost()
    ended(measuring, 3.0)
    measuring.started(3.0 + 2 * WENT_ON_S)
    measuring.heard(EAGER, 8.0, is_eager=True, has_news=True)
    assert ended(measuring, 8.5) == Measures(EndedBy.SERVER, eager_lead_s=0.5)


@pytest.mark.parametrize("by", EndedBy)
@pytest.mark.parametrize(("pause_s", "is_cut_off"), [(-0.5, True), (WENT_ON_S, True), (WENT_ON_S + 0.01, False)])
def test_a_turn_that_begins_soon_after_the_end_of_another_shows_what_cut_that_one_off(
    by: EndedBy, pause_s: float, is_cut_off: bool
) -> None:
    measuring = Measuring()
    measuring.started(1.0)
    ended(measuring, 8.0, by=by)
    measuring.started(8.0 + pause_s)
    assert ended(measuring, 12.0).cut_off is (by if is_cut_off else None)


def test_turns_without_words_show_no_cut_off_and_cannot_be_cut_off() -> None:
    measuring = Measuring()
    measuring.started(1.0)
    ended(measuring, 2.0, has_words=False)
    measuring.started(2.5)
    assert ended(measuring, 3.0).cut_off is None
    measuring.started(3.5)
    assert ended(measuring, 4.0, has_words=False).cut_off is None


def test_after_a_lost_socket_nothing_counts_until_there_is_news() -> None:
    measuring = Measuring()
    measuring.started(1.0)
    measuring.heard(EAGER, 2.0, is_eager=True, has_news=True)
    measuring.heard(RESUME, 2.5, is_eager=False, has_news=False)
    measuring.lost()
    measuring.heard(EAGER, 3.0, is_eager=True, has_news=False)
    measuring.heard(RESUME, 3.1, is_eager=False, has_news=False)
    measuring.heard(UPDATE, 3.2, is_eager=False, has_news=True)
    measuring.heard(EAGER, 4.0, is_eager=True, has_news=False)
    assert ended(measuring, 4.5) == Measures(EndedBy.SERVER, eager_lead_s=0.5, resumes=1)
