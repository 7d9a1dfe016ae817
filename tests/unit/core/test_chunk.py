"""A piece of audio knows how much of it had gone out at any time."""

from __future__ import annotations

from livekit.plugins.cartesia_turns.core.chunk import Chunk


def test_a_piece_that_went_out_as_a_whole_had_gone_out_at_no_time_before() -> None:
    chunk = Chunk(bytes(200), 0.1, sent_at=10.0)
    assert chunk.samples == chunk.unsent_by(9.9) == 100


def test_a_piece_that_went_out_in_parts_had_gone_out_part_by_part() -> None:
    chunk = Chunk(bytes(200), 0.1, sent_at=10.75, piece=25, times=[10.0, 10.25, 10.5, 10.75])
    assert [chunk.unsent_by(when) for when in (9.9, 10.0, 10.3, 10.75)] == [100, 75, 50, 0]
