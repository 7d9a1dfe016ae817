"""Point 6: whole sentences may start the speculative reply before turn.eager_end, within a budget."""

from __future__ import annotations

from support.conversation import conversation
from support.script import RESUME, START, eager_end, end, update
from support.waiting import eventually

TWO = {"early_preflight": 2}


async def test_a_whole_sentence_starts_the_reply_before_eager_end() -> None:
    async with conversation(stt_options=TWO) as talk:
        await talk.hears(START, update("What time is it?"))
        await eventually(lambda: talk.model.heard)
        await talk.hears(eager_end("What time is it?"), end("What time is it?"), steps=1)
        await talk.answered()
        assert talk.model.heard == ["What time is it?"], "one call, made early, and used"


async def test_by_default_only_eager_end_starts_it() -> None:
    async with conversation() as talk:
        await talk.hears(START, update("What time is it?"))
        assert talk.model.heard == []
        await talk.hears(eager_end("What time is it?"))
        await eventually(lambda: talk.model.heard)


async def test_half_a_sentence_starts_nothing() -> None:
    async with conversation(stt_options=TWO) as talk:
        await talk.hears(START, update("What time"))
        assert talk.model.heard == []


async def test_a_turn_never_costs_more_speculative_calls_than_the_budget() -> None:
    async with conversation(stt_options=TWO) as talk:
        text = ""
        await talk.hears(START)
        for number in range(6):
            text += f" Sentence {number}."
            await talk.hears(update(text), eager_end(text), RESUME, steps=2)
        await eventually(lambda: len(talk.model.heard) == 2)
        await talk.hears(end(text + " Done"))
        await talk.answered()
        assert len(talk.model.heard) == 3, "two speculative calls and the one that counts"
        assert talk.said == [(text + " Done").strip()]


async def test_the_budget_is_a_turns_own() -> None:
    async with conversation(stt_options={"early_preflight": 1}) as talk:
        for number in range(3):
            text = f"Question {number}?"
            await talk.hears(START, update(text))
            await eventually(lambda: talk.model.heard)
            assert talk.model.heard.pop() == text
            await talk.hears(end(text))
            await talk.answered(number + 1)
            await talk.silent()
        assert talk.model.heard == []
