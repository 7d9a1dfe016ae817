"""White space is no text, and punctuation alone neither cuts the agent off nor asks the model but by a final."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from livekit.plugins.cartesia_turns import interrupt_on_turn_start, turn_handling
from support.conversation import Conversation, conversation
from support.script import RESUME, START, eager_end, end, update
from support.waiting import eventually

SETTLED_S = 0.7
"""Longer than the framework's `min_delay`, 0.5 s: by then it has done what it does at the end of a turn."""


@asynccontextmanager
async def agent_speaking(**options: Any) -> AsyncIterator[Conversation]:
    async with conversation(reply_s=30.0, **options) as talk:
        talk.session.say("A long story, told without a pause.")
        await eventually(lambda: talk.session.agent_state == "speaking")
        yield talk


def goes_on(talk: Conversation) -> bool:
    """The agent speaks, and was never so much as paused."""
    return talk.session.agent_state == "speaking" and not (talk.speaker.paused_at or talk.speaker.stopped_at)


@pytest.mark.parametrize("blank", [" ", "\n", "\ufe0f\u3164"])
async def test_white_space_does_not_cut_the_agent_off(blank: str) -> None:
    async with agent_speaking() as talk:
        await talk.hears(START, update(blank), eager_end(blank), RESUME, end(blank), steps=2)
        await asyncio.sleep(SETTLED_S)
        assert goes_on(talk)
        assert (talk.said, talk.model.heard) == ([], [])
        assert {event.transcript for event in talk.transcripts} == {""}


@pytest.mark.parametrize("mark", [".", "\u3002"])
async def test_punctuation_that_comes_before_any_word_interrupts_nobody_and_asks_nothing(mark: str) -> None:
    async with agent_speaking(stt_options={"early_preflight": 2}) as talk:
        await talk.hears(START, update(mark), eager_end(mark), RESUME, end(""), steps=2)
        await asyncio.sleep(SETTLED_S)
        assert goes_on(talk)
        assert (talk.said, talk.model.heard) == ([], [])


async def test_the_framework_takes_a_final_of_punctuation_for_an_answer() -> None:
    """Measured with livekit-agents 1.8.0 and 1.8.9: it stops the agent for good, and the model is asked with it."""
    async with agent_speaking() as talk:
        await talk.hears(START, update("."), end("."), steps=2)
        await talk.answered(2)
        assert len(talk.speaker.stopped_at) == 1
        assert (talk.said, talk.model.heard) == (["."], ["."])


MIN_WORDS = turn_handling(interruption={"min_words": 1})


async def test_with_min_words_the_framework_lets_the_agent_speak_through_it_and_asks_nothing() -> None:
    async with agent_speaking(turn_handling=MIN_WORDS) as talk:
        await talk.hears(START, update("."), end("."), steps=2)
        await asyncio.sleep(SETTLED_S)
        assert goes_on(talk)
        assert (talk.said, talk.model.heard) == ([], [])


@pytest.mark.parametrize("options", [{}, {"turn_handling": MIN_WORDS}])
async def test_while_the_agent_is_silent_the_model_is_asked_with_it_either_way(options: dict[str, Any]) -> None:
    async with conversation(**options) as talk:
        await talk.hears(START, end("."))
        await talk.answered()
        assert (talk.said, talk.model.heard) == (["."], ["."])


async def test_with_the_helper_a_turn_of_white_space_pauses_the_agent_and_lets_it_go_on() -> None:
    async with agent_speaking() as talk:
        interrupt_on_turn_start(talk.session, talk.stt)
        await talk.hears(START, update(" "), end("\n"), steps=2)
        await eventually(lambda: talk.speaker.resumed_at, "the agent's going on")
        assert not talk.speaker.stopped_at
        assert (talk.said, talk.model.heard) == ([], [])


async def test_punctuation_outside_a_turn_begins_none() -> None:
    async with agent_speaking() as talk:
        interrupt_on_turn_start(talk.session, talk.stt)
        await talk.hears(update("."), eager_end("..."), update("?"), steps=0)
        await asyncio.sleep(SETTLED_S)
        assert goes_on(talk)
        assert "turn_start" not in talk.plugin_events
