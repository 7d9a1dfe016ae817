"""A language model of a handful of rules: enough to see that the agent understood, with no key and no internet."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr, llm, utils

JOKES = (
    "I told my microphone a secret. Now it keeps asking for feedback.",
    "Why did the transcript break up with the audio? It needed some space between the words.",
    "I would tell you a joke about latency, but you would have to wait for it.",
)


NUMBER_WANTED = {
    r"(?<!not )(?<!n.t )(?<!never )\bcall me\b": "I will. What is your phone number?",
    r"\b(my|the|an) order\b": "Gladly. What is your order number?",
}
"""Which words of the user's call for a number, and the question to ask then."""
NUMBER = r"\d|\b(zero|one|two|three|four|five|six|seven|eight|nine)\b"
NUMBER_TOOL = "ask_for_number"


def question_for_number(said: str, asked: str = "") -> str | None:
    """The question to ask when `said` wants a number and has none, unless the agent has just `asked` it."""
    said = said.lower()
    if re.search(NUMBER, said):
        return None
    questions = (question for wish, question in NUMBER_WANTED.items() if re.search(wish, said))
    return next((question for question in questions if question != asked), None)


def reply(said: str, now: datetime, jokes_told: int = 0) -> str:
    """What to answer to `said`, at the local time `now`."""
    words = set(re.findall(r"[a-z']+", said.lower()))
    if not words:
        return "I did not catch that."
    if "time" in words and words & {"what", "what's", "tell"}:
        return f"It is {now:%H:%M}."
    if words & {"joke", "jokes"}:
        return JOKES[jokes_told % len(JOKES)]
    if words & {"hello", "hi", "hey"}:
        return "Hello! Tell me something, or ask me for the time or a joke."
    if words & {"bye", "goodbye"}:
        return "Goodbye!"
    return f"You said: {said.strip()}"


def last_words(messages: list[llm.ChatMessage], role: str) -> str:
    """What the user or the assistant said last."""
    return next((message.text_content or "" for message in reversed(messages) if message.role == role), "")


class OfflineLLM(llm.LLM[str]):
    """Answers the user's last words by `reply`."""

    @property
    def model(self) -> str:
        return "rules"

    @property
    def provider(self) -> str:
        return "offline"

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> llm.LLMStream:
        return OfflineStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class OfflineStream(llm.LLMStream):
    """One answer, word by word as a model would give it."""

    async def _run(self) -> None:
        messages = self._chat_ctx.messages()
        said, asked = last_words(messages, "user"), last_words(messages, "assistant")
        told = sum(message.text_content in JOKES for message in messages if message.role == "assistant")
        answer_id = utils.shortuuid("offline_")
        question = question_for_number(said, asked)
        if question and NUMBER_TOOL in llm.ToolContext(self._tools).function_tools:
            call = llm.FunctionToolCall(
                name=NUMBER_TOOL, arguments=json.dumps({"question": question}), call_id=utils.shortuuid("call_")
            )
            delta = llm.ChoiceDelta(role="assistant", tool_calls=[call])
            self._event_ch.send_nowait(llm.ChatChunk(id=answer_id, delta=delta))
            return
        for word in re.findall(r"\S+\s*", reply(said, datetime.now().astimezone(), told)):
            delta = llm.ChoiceDelta(role="assistant", content=word)
            self._event_ch.send_nowait(llm.ChatChunk(id=answer_id, delta=delta))
