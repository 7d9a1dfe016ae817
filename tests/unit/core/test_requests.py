"""A flush is answered once: by the turn's text where there is one, else by a word that nothing was said.

The end of the input is answered by the end of a socket whose server has told all it heard, or is not asked any more.
"""

from __future__ import annotations

import math

import pytest
from livekit.plugins.cartesia_turns.core.events import Flushed, Kind, TurnEvent
from livekit.plugins.cartesia_turns.core.link import HangUp, Link
from livekit.plugins.cartesia_turns.core.requests import FLUSH_S, MOST_LOST_ENDS, FlushRule, InputEnd
from livekit.plugins.cartesia_turns.wire.messages import Connected, TurnEnd
from livekit.plugins.cartesia_turns.wire.options import Options


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


def link_of(*, asked: bool = True, finished: bool = False, hang_up: HangUp | None = None) -> Link:
    """A socket whose server was asked to finish, or not."""
    link = Link(Options(), 10.0, 0.0)
    link.heard(Connected("r"), 0.0)
    link.close_sent = asked
    if finished:
        link.heard(TurnEnd("r", "hi"), 1.0)
    link.hang_up = hang_up
    return link


def is_answered(link: Link, *, clean: bool = True, in_turn: bool = False, has_voice: bool = False) -> bool:
    end = InputEnd()
    end.socket_ended(link, clean=clean, in_turn=in_turn, has_voice=has_voice)
    return end.is_answered


@pytest.mark.parametrize("in_turn", [False, True])
def test_a_server_that_was_not_asked_to_finish_has_not_answered(in_turn: bool) -> None:
    assert not is_answered(link_of(asked=False), in_turn=in_turn)


def test_a_clean_close_with_nothing_left_to_tell_answers_all_audio() -> None:
    assert is_answered(link_of())
    assert is_answered(link_of(finished=True), has_voice=True)


def test_a_clean_close_without_a_turn_for_the_speech_is_in_doubt_once() -> None:
    end = InputEnd()
    for expected in (False, True):
        end.socket_ended(link_of(), clean=True, in_turn=False, has_voice=True)
        assert end.is_answered is expected


def test_a_socket_that_is_lost_after_the_request_is_replaced_a_few_times() -> None:
    end = InputEnd()
    for nth in range(MOST_LOST_ENDS + 1):
        assert not end.is_answered, nth
        end.socket_ended(link_of(), clean=False, in_turn=False, has_voice=True)
    assert end.is_answered


def test_a_turn_that_a_lost_socket_leaves_open_is_always_replayed() -> None:
    end = InputEnd()
    for _ in range(10):
        end.socket_ended(link_of(), clean=False, in_turn=True, has_voice=True)
    assert not end.is_answered


def test_a_server_that_was_given_up_is_not_asked_again() -> None:
    assert is_answered(link_of(hang_up=HangUp.DRAINED), clean=False, in_turn=True, has_voice=True)
