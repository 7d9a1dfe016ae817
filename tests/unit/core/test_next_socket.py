"""What a socket leaves behind for the next one: settings that it was refused for, and the speed of a backlog."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.chunk import Chunk
from livekit.plugins.cartesia_turns.core.configs import ANSWER_S
from livekit.plugins.cartesia_turns.core.link import HangUp, Link
from livekit.plugins.cartesia_turns.core.next_socket import REFUSALS, NextSocket
from livekit.plugins.cartesia_turns.core.pacing import CATCH_UP_SPEED, Pace
from livekit.plugins.cartesia_turns.wire.messages import Connected, ErrorMessage, TurnSettings
from livekit.plugins.cartesia_turns.wire.options import Options

OPTIONS = Options(turn=TurnSettings(end_timeout_ms=3000))
OTHERS = Options(turn=TurnSettings(end_timeout_ms=4000))
ODD = ErrorMessage("no", status_code=400)


def subject(options: Options = OPTIONS) -> NextSocket:
    return NextSocket(options, Pace(), CATCH_UP_SPEED)


def link(*, connected: bool = True, fast: bool = False) -> Link:
    """A socket, which has been sent a second of a backlog at once where it was `fast`."""
    link = Link(OPTIONS, 10.0, 0.0)
    if connected:
        link.heard(Connected("r"), 0.0)
    for _ in range(10 if fast else 0):
        link.pacer.spend(Chunk(bytes(3200), 0.1), 0.0, waiting_s=5.0)
    return link


def test_settings_that_were_never_taken_are_given_up_where_others_were() -> None:
    subjects = subject()
    subjects.ended(link(), 1.0, clean=True, abrupt=False)
    subjects.options = OTHERS
    rejected = subjects.refused(ODD)
    assert rejected is not None
    assert subjects.tries_again
    subjects.drop(rejected)
    assert subjects.options.turn == OPTIONS.turn


@pytest.mark.parametrize(("after_s", "is_taken"), [(0.1, False), (ANSWER_S + 0.1, True)])
def test_a_change_that_a_socket_may_have_ended_for_is_given_up_where_the_next_one_is_refused(
    after_s: float, is_taken: bool
) -> None:
    one, subjects = link(), subject(OTHERS)
    change = one.configs.change_to(OTHERS, 1.0, rtt_s=0.0)
    assert change is not None
    one.configs.sent(change, 1.0)
    subjects.ended(one, 1.0 + after_s, clean=False, abrupt=False)
    rejected = subjects.refused(ODD)
    assert (rejected is None) == is_taken
    if rejected is not None:
        subjects.drop(rejected)
        assert subjects.options.turn == OPTIONS.turn


def test_a_first_socket_that_is_refused_has_nothing_to_give_up() -> None:
    first = subject()
    assert first.refused(ODD) is None
    assert not first.tries_again


def test_the_next_one_is_slower_where_the_speed_may_be_to_blame() -> None:
    fast = subject()
    assert fast.ended(link(fast=True), 0.1, clean=False, abrupt=False) is None
    assert fast.tries_again
    assert fast.speed(0.2) < CATCH_UP_SPEED


@pytest.mark.parametrize("why", ["slow", "asked for", "given up", *REFUSALS])
def test_the_speed_is_not_to_blame_where_something_else_is(why: object) -> None:
    ended, one = subject(), link(fast=why != "slow")
    if why == "asked for":
        one.close_sent = True
    elif why == "given up":
        one.hang_up = HangUp.DEAD
    elif isinstance(why, int):
        one.failure = ErrorMessage("no", status_code=why)
    assert ended.ended(one, 0.1, clean=why == "asked for", abrupt=False) is None
    assert not ended.tries_again
    assert ended.speed(0.2) == CATCH_UP_SPEED
