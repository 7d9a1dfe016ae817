from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.counters import Counters
from livekit.plugins.cartesia_turns.core.link import HangUp, Link
from livekit.plugins.cartesia_turns.core.stats import Stats
from livekit.plugins.cartesia_turns.wire.messages import Connected
from livekit.plugins.cartesia_turns.wire.options import Options


def link_of(hang_up: HangUp | None) -> Link:
    link = Link(Options(), 10.0, 0.0)
    link.heard(Connected("r"), 0.0)
    link.hang_up = hang_up
    return link


@pytest.mark.parametrize(
    ("hang_up", "clean", "in_turn", "counted"),
    [
        (None, True, False, Stats(idle_closes=1)),
        (None, True, True, Stats(drops=1)),
        (None, False, False, Stats(drops=1)),
        (HangUp.DEAD, False, True, Stats(dead_peers=1)),
        (HangUp.ROTATE, True, False, Stats()),
    ],
)
def test_a_lost_socket_counts_by_who_ended_it_and_when(
    hang_up: HangUp | None, clean: bool, in_turn: bool, counted: Stats
) -> None:
    counters = Counters()
    counters.socket_lost(link_of(hang_up), clean=clean, in_turn=in_turn)
    assert counters.stats == counted


def test_a_socket_on_which_the_server_never_answered_is_a_drop() -> None:
    counters = Counters()
    counters.socket_lost(Link(Options(), 10.0, 0.0), clean=True, in_turn=False)
    assert counters.stats == Stats(drops=1)
