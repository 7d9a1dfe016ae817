"""Point 1: the framework is told when speech began and ended, so it waits for nothing twice and its delays are true."""

from __future__ import annotations

from conversation import QUIET, START, conversation, end, update


async def test_a_turn_is_answered() -> None:
    async with conversation() as talk:
        await talk.turn("hello there")
        await talk.answered()
        assert talk.said == ["hello there"]
