from __future__ import annotations

import json
from datetime import datetime

import pytest
from livekit.agents.llm import ChatContext, function_tool
from offline import JOKES, OfflineLLM, question_for_number, reply

NOON = datetime(2024, 5, 1, 12, 4)  # the hour on a clock on the wall


@function_tool
async def ask_for_number(question: str) -> None:
    """Stands for the agent's tool of this name."""


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("What time is it?", "It is 12:04."),
        ("Tell me the time, please.", "It is 12:04."),
        ("Tell me a joke.", JOKES[0]),
        ("Hello there!", "Hello! Tell me something, or ask me for the time or a joke."),
        ("Goodbye.", "Goodbye!"),
        (" He was not an ill-disposed young man. ", "You said: He was not an ill-disposed young man."),
        ("It was the best of times.", "You said: It was the best of times."),
        ("", "I did not catch that."),
        ("...", "I did not catch that."),
    ],
)
def test_what_was_said_decides_the_answer(said: str, answer: str) -> None:
    assert reply(said, NOON) == answer


def test_jokes_come_one_after_the_other() -> None:
    told = [reply("another joke", NOON, count) for count in range(len(JOKES) + 1)]
    assert told == [*JOKES, JOKES[0]]


async def test_the_model_streams_its_answer_to_the_last_words_of_the_user() -> None:
    history = ChatContext.empty()
    history.add_message(role="user", content="Tell me a joke.")
    history.add_message(role="assistant", content=JOKES[0])
    history.add_message(role="user", content="One more joke!")
    async with OfflineLLM() as model, model.chat(chat_ctx=history) as stream:
        chunks = [chunk.delta.content or "" async for chunk in stream if chunk.delta]
    assert len(chunks) > 1
    assert "".join(chunks) == JOKES[1]


async def test_a_conversation_without_a_user_gets_an_answer_too() -> None:
    async with OfflineLLM() as model:
        answer = await model.chat(chat_ctx=ChatContext.empty()).collect()
    assert answer.text == "I did not catch that."


@pytest.mark.parametrize(
    ("said", "asked"),
    [("Please call me back.", "phone"), ("My ORDER!", "order"), ("Where is my order?", "order")],
)
def test_some_wishes_call_for_a_number(said: str, asked: str) -> None:
    assert asked in (question_for_number(said) or "")


@pytest.mark.parametrize(
    "said",
    [
        "Hi",
        "In order to win you have to play.",
        "Across the border.",
        "Please don't call me.",
        "Do not call me back!",
        "You can call me at five five five.",
        "Where is my order, number 1234?",
    ],
)
def test_nothing_else_does(said: str) -> None:
    assert question_for_number(said) is None


@pytest.mark.parametrize("said", ["My order number is one two three four.", "It is on the bill of my order."])
async def test_a_number_is_asked_for_once(said: str) -> None:
    history = ChatContext.empty()
    history.add_message(role="user", content="Where is my order?")
    async with OfflineLLM() as model:
        asked = await model.chat(chat_ctx=history, tools=[ask_for_number]).collect()
        question = json.loads(asked.tool_calls[0].arguments)["question"]
        history.add_message(role="assistant", content=question)
        history.add_message(role="user", content=said)
        answer = await model.chat(chat_ctx=history, tools=[ask_for_number]).collect()
    assert not answer.tool_calls
    assert answer.text == f"You said: {said}"


async def test_without_the_tool_to_ask_for_it_no_number_is_asked_for() -> None:
    history = ChatContext.empty()
    history.add_message(role="user", content="Please call me back.")
    async with OfflineLLM() as model:
        answer = await model.chat(chat_ctx=history).collect()
    assert answer.text == "You said: Please call me back."
