"""Point 2: one line sets a session up, and a session that ignores the turns is told of it."""

from __future__ import annotations

import logging

import pytest
from livekit.agents import NOT_GIVEN
from livekit.plugins.cartesia_turns import turn_handling
from support.conversation import conversation
from support.script import START, end, update
from support.waiting import eventually

DEAF = (
    "the session ignores the turns that the server detects: pass it vad=None and "
    "turn_handling=cartesia_turns.turn_handling()"
)
TWO_EARS = (
    "the session has a VAD, which interrupts the agent independently of the turns that the server detects: pass it "
    "vad=None"
)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name.startswith("livekit.plugins.cartesia_turns")]


async def test_with_the_one_line_the_server_decides_when_the_user_speaks() -> None:
    async with conversation() as talk:
        await talk.hears(START)
        await eventually(lambda: talk.session.user_state == "speaking")
        await talk.hears(update("hello"), end("hello"))
        await talk.answered()
        assert talk.session.user_state == "listening"
        assert talk.said == ["hello"]


async def test_its_values_are_the_ones_in_force() -> None:
    async with conversation(turn_handling=turn_handling(endpointing={"min_delay": 0.2})) as talk:
        options = talk.session.options
        assert options.endpointing["min_delay"] == 0.2
        assert options.endpointing["mode"] == "fixed"
        assert options.interruption["false_interruption_timeout"] == 1.0
        assert options.preemptive_generation["enabled"] is True
        assert talk.session.turn_detection == "stt"


@pytest.mark.newest
@pytest.mark.parametrize("handling", [{}, {"turn_detection": "vad"}], ids=["defaults", "by VAD"])
async def test_a_session_that_ignores_turns_is_told_once_with_the_fix(
    handling: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with conversation(turn_handling=handling) as talk:
        with caplog.at_level(logging.WARNING):
            await talk.turn("one")
            await talk.turn("two")
        assert warnings(caplog).count(DEAF) == 1


@pytest.mark.parametrize("handling", [turn_handling(), {"turn_detection": "manual"}], ids=["stt", "manual"])
async def test_a_session_that_knows_what_it_does_is_told_nothing(
    handling: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with conversation(turn_handling=handling) as talk:
        with caplog.at_level(logging.WARNING):
            await talk.turn("one")
        assert warnings(caplog) == []


@pytest.mark.newest
async def test_a_session_with_a_vad_beside_the_turns_is_told_once_what_to_pass(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # The framework's own VAD is what a session has that says nothing of one.
    async with conversation(vad=NOT_GIVEN) as talk:
        with caplog.at_level(logging.WARNING):
            await talk.turn("one")
            await talk.turn("two")
        assert warnings(caplog) == [TWO_EARS]
