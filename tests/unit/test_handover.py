from __future__ import annotations

from livekit.plugins.cartesia_turns.handover import Handover, handover_of


class Stream:
    def __init__(self, *, has_had_turn: bool = False) -> None:
        self._has_had_turn = has_had_turn
        self.ended = 0

    def _end_stray_turn(self) -> None:
        self.ended += 1


def test_the_next_stream_ends_the_turn_of_the_last_one_once() -> None:
    handover = Handover()
    first, second, third = Stream(), Stream(), Stream()
    handover.enter(first)
    handover.leave(first, left_open=True)
    handover.enter(second)
    handover.enter(third)
    assert (second.ended, third.ended) == (1, 0)


def test_a_stream_that_has_begun_before_the_last_one_was_cancelled_ends_its_turn_too() -> None:
    handover = Handover()
    first, second = Stream(), Stream()
    handover.enter(first)
    handover.enter(second)
    handover.leave(first, left_open=True)
    assert second.ended == 1


def test_a_turn_that_was_over_needs_no_end() -> None:
    handover = Handover()
    first, second = Stream(), Stream()
    handover.enter(first)
    handover.leave(first, left_open=False)
    handover.enter(second)
    assert second.ended == 0


def test_a_stream_that_has_had_a_turn_of_its_own_is_left_alone() -> None:
    handover = Handover()
    first, other = Stream(), Stream(has_had_turn=True)
    handover.enter(first)
    handover.enter(other)
    handover.leave(first, left_open=True)
    assert other.ended == 0


def test_a_stream_that_was_there_before_is_no_successor() -> None:
    handover = Handover()
    older, first = Stream(), Stream()
    handover.enter(older)
    handover.enter(first)
    handover.leave(first, left_open=True)
    assert older.ended == 0


def test_outside_a_session_a_stream_that_lives_on_is_somebody_elses() -> None:
    handover = Handover()
    first, other = Stream(), Stream()
    handover.enter(first)
    handover.enter(other)
    handover.leave(first, left_open=True, in_session=False)
    assert other.ended == 0


def test_conversations_are_apart_and_forgotten_with_what_they_belong_to() -> None:
    one, other = Stream(), Stream()
    assert handover_of(one) is handover_of(one)
    assert handover_of(one) is not handover_of(other)
