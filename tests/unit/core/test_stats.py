"""Counters are snapshots that can be added up."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core.stats import Stats

counters = {field.name: st.integers(0, 1000) for field in fields(Stats) if field.name != "rtt_s"}
snapshots = st.builds(Stats, **counters, rtt_s=st.none() | st.floats(0, 10))


def test_a_snapshot_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Stats().drops = 1  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(("connections", "reconnects"), [(0, 0), (1, 0), (3, 2)])
def test_every_socket_after_the_first_is_a_reconnect(connections: int, reconnects: int) -> None:
    assert Stats(connections=connections).reconnects == reconnects


@given(snapshots, snapshots)
def test_streams_add_up_field_by_field_with_the_longer_round_trip(one: Stats, other: Stats) -> None:
    both = one + other
    assert all(getattr(both, name) == getattr(one, name) + getattr(other, name) for name in counters)
    assert both.rtt_s == max((rtt for rtt in (one.rtt_s, other.rtt_s) if rtt is not None), default=None)
    assert both == other + one
    assert one + Stats() == one


def test_all_counters_begin_at_nothing() -> None:
    assert all(getattr(Stats(), name) == 0 for name in counters)
    assert Stats().rtt_s is None
