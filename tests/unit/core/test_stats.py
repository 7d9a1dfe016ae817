"""Counters are snapshots that can be added up."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core.link import HangUp, Link
from livekit.plugins.cartesia_turns.core.stats import Counters, Stats
from livekit.plugins.cartesia_turns.wire.messages import Connected
from livekit.plugins.cartesia_turns.wire.options import Options

COUNTERS = {field.name: st.integers(0, 1000) for field in fields(Stats) if field.name != "rtt_s"}
snapshots = st.builds(Stats, **COUNTERS, rtt_s=st.none() | st.floats(0, 10))


def test_a_snapshot_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Stats().drops = 1  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(("connections", "reconnects"), [(0, 0), (1, 0), (3, 2)])
def test_every_socket_after_the_first_is_a_reconnect(connections: int, reconnects: int) -> None:
    assert Stats(connections=connections).reconnects == reconnects


@given(snapshots, snapshots)
def test_streams_add_up_field_by_field_with_the_longer_round_trip(one: Stats, other: Stats) -> None:
    both = one + other
    assert all(getattr(both, name) == getattr(one, name) + getattr(other, name) for name in COUNTERS)
    assert both.rtt_s == max((rtt for rtt in (one.rtt_s, other.rtt_s) if rtt is not None), default=None)
    assert both == other + one
    assert one + Stats() == one


def test_all_counters_begin_at_nothing() -> None:
    assert all(getattr(Stats(), name) == 0 for name in COUNTERS)
    assert Stats().rtt_s is None


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
    assert counters.snapshot({}) == counted


def test_a_socket_on_which_the_server_never_answered_is_a_drop() -> None:
    counters = Counters()
    counters.socket_lost(Link(Options(), 10.0, 0.0), clean=True, in_turn=False)
    assert counters.snapshot({}) == Stats(drops=1)
