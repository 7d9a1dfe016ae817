from __future__ import annotations

import asyncio
import json
import sys
from types import SimpleNamespace
from typing import Any, cast

import agent
import espeak
import pytest
from agent import KEYTERMS, Assistant, build_session, choose_llm, choose_tts, open_stt
from livekit import rtc
from livekit.agents import NOT_GIVEN, AgentServer, ConversationItemAddedEvent, JobContext
from livekit.agents.llm import ChatMessage
from livekit.agents.voice import io
from livekit.agents.voice.run_result import RunResult
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.server import LocalServer
from offline import OfflineLLM
from support.conversation import conversation
from support.speech import AUDIO, SPOKEN
from support.waiting import until
from support.wer import word_error_rate
from transcription.audio import Samples, frames, load, silence

REPLY_WITHIN_S = 30.0


class Caller(io.AudioInput):
    """Somebody who says what the test gives them."""

    def __init__(self) -> None:
        super().__init__(label="caller")
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    def say(self, samples: Samples) -> None:
        for frame in frames(samples):
            self._frames.put_nowait(frame)

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.get()


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "CARTESIA_API_KEY", "CARTESIA_TURNS_URL"):
        monkeypatch.delenv(name, raising=False)


def test_without_keys_the_agent_answers_by_rules() -> None:
    assert isinstance(choose_llm(), OfflineLLM)


def test_without_keys_the_agent_speaks_by_espeak_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak, "is_installed", lambda: True)
    assert isinstance(choose_tts(), espeak.EspeakTTS)
    monkeypatch.setattr(espeak, "is_installed", lambda: False)
    assert choose_tts() is NOT_GIVEN


class Vendor:
    """Stands for a vendor's class, and keeps what it was made with."""

    def __init__(self, **options: object) -> None:
        self.options = options


@pytest.fixture
def vendors(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A key of each vendor, and stand-ins for what the agent takes from their plugins."""
    classes = {name: type(name, (Vendor,), {}) for name in ("LLM", "TTS", "STT")}
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("CARTESIA_API_KEY", "k")
    monkeypatch.setitem(sys.modules, "livekit.plugins.openai", SimpleNamespace(LLM=classes["LLM"]))
    monkeypatch.setitem(sys.modules, "livekit.plugins.cartesia", SimpleNamespace(TTS=classes["TTS"]))
    monkeypatch.setattr(cartesia_turns, "STT", classes["STT"])
    return SimpleNamespace(**classes)


async def made_for_a_job() -> list[Any]:
    """The ears, the model and the voice, in this order."""
    return [await open_stt(cast("JobContext", None)), choose_llm(), choose_tts()]


async def test_with_their_keys_cartesia_hears_and_speaks_and_openai_answers(vendors: SimpleNamespace) -> None:
    ears, model, voice = await made_for_a_job()
    assert (type(ears), type(model), type(voice)) == (vendors.STT, vendors.LLM, vendors.TTS)
    assert ears.options == {"base_url": "https://api.cartesia.ai", "keyterm": KEYTERMS}
    assert model.options == voice.options == {}


async def test_with_another_server_of_the_protocol_that_one_hears_and_cartesia_does_not_speak(
    vendors: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARTESIA_TURNS_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(espeak, "is_installed", lambda: True)
    ears, model, voice = await made_for_a_job()
    assert (type(ears), type(model), type(voice)) == (vendors.STT, vendors.LLM, espeak.EspeakTTS)
    assert ears.options["base_url"] == "http://127.0.0.1:1"


def test_a_key_whose_plugin_is_missing_is_told_before_anybody_waits_for_the_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agent, "find_spec", lambda _: None)
    assert agent.missing_plugins() == []
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert agent.missing_plugins() == ["livekit-plugins-openai"]
    monkeypatch.setenv("CARTESIA_API_KEY", "k")
    assert agent.missing_plugins() == ["livekit-plugins-openai", "livekit-plugins-cartesia"]
    monkeypatch.setenv("CARTESIA_TURNS_URL", "http://127.0.0.1:1")
    assert agent.missing_plugins() == ["livekit-plugins-openai"]
    monkeypatch.setattr(agent, "find_spec", lambda name: name)
    assert agent.missing_plugins() == []


def test_a_worker_is_full_with_the_last_of_its_rooms_and_not_before() -> None:
    def with_rooms(count: int) -> AgentServer:
        return cast("AgentServer", SimpleNamespace(active_jobs=[None] * count))

    assert agent.fullness(with_rooms(0)) == 0
    assert agent.fullness(with_rooms(agent.ROOMS - 1)) < agent.FULL
    assert agent.fullness(with_rooms(agent.ROOMS)) == agent.FULL == agent.fullness(with_rooms(agent.ROOMS + 1))


@pytest.mark.recognizer
async def test_the_agent_answers_each_turn_of_recorded_speech() -> None:
    caller = Caller()
    replies: asyncio.Queue[str] = asyncio.Queue()

    def on_item(event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, ChatMessage) and event.item.role == "assistant":
            replies.put_nowait(event.item.text_content or "")

    async with LocalServer() as server:
        stt = cartesia_turns.STT(api_key=server.key, base_url=server.url)
        async with build_session(stt) as session:
            session.on("conversation_item_added", on_item)
            session.input.audio = caller
            await session.start(Assistant(stt), record=False)
            answers = []
            for clip in sorted(AUDIO.glob("*.wav")):
                caller.say(load(clip).samples)
                caller.say(silence(1.5))
                answers.append(await asyncio.wait_for(replies.get(), REPLY_WITHIN_S))
    assert replies.empty()
    assert word_error_rate([f"You said: {text}" for text in SPOKEN], answers) <= 0.10


@pytest.mark.recognizer
async def test_a_question_for_a_number_bears_longer_pauses_until_it_is_answered() -> None:
    async with LocalServer(record=True) as server:
        stt = cartesia_turns.STT(api_key=server.key, base_url=server.url)
        async with build_session(stt) as session:
            caller = Caller()
            session.input.audio = caller
            await session.start(Assistant(stt), record=False)
            caller.say(silence(0.5))
            result: RunResult[None] = await session.run(user_input="Please call me back.")
            result.expect.contains_function_call(name="ask_for_number")
            await until(lambda: server.connections and server.connections[0].commands, within_s=20.0)
            answer: RunResult[None] = await session.run(user_input="You may call me at home.")
            answer.expect.next_event().is_message(role="assistant")
            answer.expect.no_more_events()
            settings = json.loads(server.connections[0].commands[0])["turn"]
    assert settings["end_timeout_ms"] == cartesia_turns.PROFILES["digits"].end_timeout_ms


async def test_nothing_in_what_was_heard_is_obeyed_by_a_console() -> None:
    async with conversation(agent=Assistant(cartesia_turns.STT(api_key="not used"))) as talk:
        await talk.turn("so \x1b]0;owned\x07be\x9b2J")
        await talk.answered()
        assert talk.said == [r"so \x1b]0;owned\x07be\x9b2J"]
