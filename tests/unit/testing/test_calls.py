from __future__ import annotations

import time
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession, stt
from livekit.plugins.cartesia_turns import STT, interrupt_on_turn_start, turn_handling
from livekit.plugins.cartesia_turns.testing import FakeLLM, FakeTTS, ScriptedServer, Speaker, noise, say


def session(ears: STT) -> AgentSession[Any]:
    return AgentSession(
        stt=ears,
        vad=None,
        turn_handling=turn_handling(endpointing={"min_delay": 0.0}),
        llm=FakeLLM(lambda said: f"You said {said}."),
        tts=FakeTTS(5.0),
        aec_warmup_duration=None,
    )


async def test_a_stream_tells_its_turns_their_delays_and_the_frameworks_events() -> None:
    async with ScriptedServer() as server, server.stream() as call:
        heard = await call.play(say("what time", pause=0.4), say("is it"))
        heard.assert_turns("what time is it")
        heard.assert_turns_ended_within(1.5)
        (turn,) = heard.turns
        assert turn.eager_ends == ("what time", "what time is it")
        assert (turn.resumes, turn.delay_s and turn.delay_s > 0.4) == (1, True)
        finals = [event for event in call.events if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT]
        assert [event.alternatives[0].text for event in finals] == ["what time is it"]


async def test_the_time_at_which_speech_ended_is_that_of_the_last_word() -> None:
    ends: list[tuple[Any, float]] = []
    async with ScriptedServer() as server, server.stream(ears := server.stt()) as call:
        ears.on("turn_end", lambda event: ends.append((event, time.time())))
        (turn,) = (await call.say("what time is it")).turns
    end, told_at = ends[0]
    assert turn.delay_s is not None
    assert end.speech_end_time == pytest.approx(told_at - turn.delay_s, abs=0.1)


async def test_the_end_of_the_input_brings_what_is_open() -> None:
    async with ScriptedServer() as server, server.stream(fast=True) as call:
        await call.say("what time", pause=0.0)
        (await call.end()).assert_turns("what time")


async def test_an_agent_in_a_session_answers_in_text() -> None:
    async with ScriptedServer() as server, server.conversation(session, Agent(instructions="")) as call:
        await call.say("hello")
        assert (await call.reply()).text == "You said hello."
        await call.say("thanks")
        assert (await call.reply()).text == "You said thanks."
        call.heard.assert_turns("hello", "thanks")
        call.heard.assert_reply("thanks", within=1.5)
        call.heard.assert_no_errors()
        assert call.speaker is None


async def test_the_user_can_interrupt_an_agent_that_speaks() -> None:
    talk = ScriptedServer()
    async with talk as server, server.conversation(session, Agent(instructions=""), speaker=Speaker()) as call:
        await call.say("story")
        await call.speaking()
        await call.say("stop")
        told = await call.reply()
        assert told.interrupted
        assert told.delay_s is not None
        assert told.delay_s > 0.3


async def test_after_a_cough_the_agent_goes_on() -> None:
    def make(ears: STT) -> AgentSession[Any]:
        made = session(ears)
        interrupt_on_turn_start(made, ears)
        return made

    talk, speaker = ScriptedServer(), Speaker()
    async with talk as server, server.conversation(make, Agent(instructions=""), speaker=speaker) as call:
        await call.say("story")
        await call.speaking()
        await call.play(noise(0.4))
        call.heard.assert_turns("story", "")
        await call.until(lambda: speaker.resumed_at, "the rest of the story")
        assert speaker.paused_at
        call.heard.assert_no_reply()


async def test_a_session_that_is_closed_is_told_and_nobody_waits_for_it() -> None:
    async with ScriptedServer() as server, server.conversation(session, Agent(instructions="")) as call:
        await call.session.aclose()
        with pytest.raises(AssertionError, match=r"the session is closed\n"):
            await call.say("hello")
        with pytest.raises(AssertionError, match=r"the session is closed\n"):
            await call.reply()


async def test_an_outage_that_lasts_is_an_error_of_the_session() -> None:
    async with (
        ScriptedServer(faults="wrong key") as server,
        server.conversation(session, Agent(instructions="")) as call,
    ):
        await call.until(lambda: call.heard.errors, "the error")
        with pytest.raises(AssertionError, match="401"):
            call.heard.assert_no_errors()
