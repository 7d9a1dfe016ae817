"""When a socket is wanted, and what it leaves behind for the next one: refused settings, the speed of a backlog."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from livekit.plugins.cartesia_turns.core.audio_queue import ReplayBuffer
from livekit.plugins.cartesia_turns.core.changes import Rejected
from livekit.plugins.cartesia_turns.core.chunk import Chunk
from livekit.plugins.cartesia_turns.core.configs import ANSWER_S
from livekit.plugins.cartesia_turns.core.events import Notice
from livekit.plugins.cartesia_turns.core.link import HangUp, Link
from livekit.plugins.cartesia_turns.core.pacing import CATCH_UP_SPEED, Pace
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.core.sockets import REFUSALS, Sockets
from livekit.plugins.cartesia_turns.core.turn import Turn
from livekit.plugins.cartesia_turns.wire.messages import Connected, ErrorMessage, TurnSettings, TurnStart
from livekit.plugins.cartesia_turns.wire.options import Options

OPTIONS = Options(turn=TurnSettings(end_timeout_ms=3000))
OTHERS = Options(turn=TurnSettings(end_timeout_ms=4000))
ODD = ErrorMessage("no", status_code=400)


def subject(options: Options = OPTIONS) -> Sockets:
    return Sockets(options, Limits(), Pace(), Turn(), ReplayBuffer(60.0, 16000))


def lose(sockets: Sockets, link: Link, *, clean: bool = True, now: float = 0.1) -> list[object]:
    """Ends this socket; returns what is told of that."""
    sockets.link = link
    return [*sockets.lost(now, clean=clean, leaving=False, abrupt=False)]


def speed_of_next(sockets: Sockets) -> float:
    sockets.opened(sockets.options, 0.2)
    assert sockets.link is not None
    return sockets.link.pacer.speed


def link(*, connected: bool = True, fast: bool = False) -> Link:
    """A socket, which has been sent a second of a backlog at once where it was `fast`."""
    link = Link(OPTIONS, 10.0, 0.0)
    if connected:
        link.heard(Connected("r"), 0.0)
    for _ in range(10 if fast else 0):
        link.pacer.spend(Chunk(bytes(3200), 0.1), 0.0, waiting_s=5.0)
    return link


def test_settings_that_were_never_taken_are_given_up_where_others_were() -> None:
    sockets = subject()
    lose(sockets, link())
    sockets.options = OTHERS
    (rejected,) = sockets.refused(ODD)
    assert isinstance(rejected, Rejected)
    assert sockets.tries_again
    assert sockets.options.turn == OPTIONS.turn
    stats = sockets.counters.snapshot({})
    assert (stats.failed_attempts, stats.rejected_configs) == (1, 1)


@pytest.mark.parametrize(("after_s", "is_taken"), [(0.1, False), (ANSWER_S + 0.1, True)])
def test_a_change_that_a_socket_may_have_ended_for_is_given_up_where_the_next_one_is_refused(
    after_s: float, is_taken: bool
) -> None:
    one, sockets = link(), subject(OTHERS)
    change = one.configs.change_to(OTHERS, 1.0, rtt_s=0.0)
    assert change is not None
    one.configs.sent(change, 1.0)
    lose(sockets, one, clean=False, now=1.0 + after_s)
    assert (sockets.refused(ODD) == []) == is_taken
    assert sockets.options.turn == (OTHERS if is_taken else OPTIONS).turn


def test_a_first_socket_that_is_refused_has_nothing_to_give_up() -> None:
    first = subject()
    assert first.refused(ODD) == []
    assert not first.tries_again


def test_the_next_one_is_slower_where_the_speed_may_be_to_blame() -> None:
    sockets = subject()
    assert lose(sockets, link(fast=True), clean=False) == [Notice.SLOWER]
    assert sockets.tries_again
    assert speed_of_next(sockets) < CATCH_UP_SPEED
    assert not sockets.tries_again


@pytest.mark.parametrize("why", ["slow", "asked for", "given up", *REFUSALS])
def test_the_speed_is_not_to_blame_where_something_else_is(why: object) -> None:
    sockets, one = subject(), link(fast=why != "slow")
    if why == "asked for":
        one.close_sent = True
    elif why == "given up":
        one.hang_up = HangUp.DEAD
    elif isinstance(why, int):
        one.failure = ErrorMessage("no", status_code=why)
    assert lose(sockets, one, clean=why == "asked for") == []
    assert not sockets.tries_again
    assert speed_of_next(sockets) == CATCH_UP_SPEED


def test_a_socket_is_wanted_at_the_start_and_then_for_audio_that_no_socket_was_given() -> None:
    buffer = ReplayBuffer(60.0, 16000)
    sockets = Sockets(OPTIONS, Limits(), Pace(), Turn(), buffer)
    assert sockets.wants_link
    sockets.opened(OPTIONS, 0.0)
    assert not sockets.wants_link
    buffer.append(Chunk(bytes(3200), 0.1))
    assert sockets.wants_link
    assert sockets.may_send


def test_without_a_socket_nothing_may_be_sent_and_nothing_is_to_be_closed() -> None:
    sockets = subject()
    assert not sockets.may_send
    assert not sockets.is_connected
    assert (sockets.send_at, sockets.hang_up, sockets.failure, sockets.last_error) == (math.inf, None, None, None)


def test_a_socket_that_no_config_can_bring_to_new_options_is_replaced_unless_a_turn_is_open() -> None:
    turn = Turn()
    sockets = Sockets(OPTIONS, Limits(), Pace(), turn, ReplayBuffer(60.0, 16000))
    sockets.opened(OPTIONS, 0.0)
    sockets.replace_if_stale()
    assert sockets.hang_up is None
    sockets.options = replace(OPTIONS, keyterms=("Ada",))
    turn.receive(TurnStart("r"))
    sockets.replace_if_stale()
    assert sockets.hang_up is None
    turn.close()
    sockets.replace_if_stale()
    assert sockets.hang_up is HangUp.ROTATE


def test_the_end_of_the_input_is_the_end_of_the_call_where_nothing_waits() -> None:
    sockets = subject()
    assert not sockets.finished
    sockets.input.has_come = True
    assert sockets.finished
    assert not sockets.wants_link


def test_a_socket_that_is_given_up_keeps_its_reason_where_it_would_be_replaced_anyway() -> None:
    sockets = subject()
    sockets.opened(OPTIONS, 0.0)
    sockets.options = replace(OPTIONS, keyterms=("Ada",))
    sockets.hang_up_for(HangUp.STALLED)
    sockets.replace_if_stale()
    assert sockets.hang_up is HangUp.STALLED
