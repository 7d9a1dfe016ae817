"""Point 3: the agent stops as the user starts, where the application asks for it."""

from __future__ import annotations

import time

import pytest
from conversation import START, Conversation, Speaker, conversation, end, eventually, update
from livekit.plugins.cartesia_turns import interrupt_on_turn_start


async def agent_speaks(talk: Conversation) -> None:
    talk.session.say("A long story, told without a pause.")
    await eventually(lambda: talk.session.agent_state == "speaking")


async def test_without_the_helper_turn_start_alone_interrupts_nothing() -> None:
    async with conversation(reply_s=30.0) as talk:
        await agent_speaks(talk)
        await talk.hears(START)
        assert talk.speaker.stopped_at == []
        await talk.hears(update("stop"))
        await eventually(lambda: talk.speaker.paused_at or talk.speaker.stopped_at)


@pytest.mark.parametrize("pausable", [True, False])
async def test_with_the_helper_the_agent_is_silent_from_turn_start_on(pausable: bool) -> None:
    async with conversation(reply_s=30.0, speaker=Speaker(pausable=pausable)) as talk:
        interrupt_on_turn_start(talk.session, talk.stt)
        await agent_speaks(talk)
        started_at: list[float] = []
        talk.stt.on("turn_start", lambda _: started_at.append(time.time()))
        await talk.hears(START)
        await eventually(lambda: talk.speaker.stopped_at)
        assert talk.speaker.stopped_at[0] - started_at[0] < 0.2
        await talk.hears(update("stop"), end("stop"))
        await talk.answered(2)
        assert talk.said == ["stop"]


async def test_a_speech_that_allows_no_interruption_goes_on() -> None:
    async with conversation(reply_s=0.6) as talk:
        interrupt_on_turn_start(talk.session, talk.stt)
        speech = talk.session.say("Listen.", allow_interruptions=False)
        await eventually(lambda: talk.session.agent_state == "speaking")
        await talk.hears(START, update("but"), end("but"))
        await speech
        assert not speech.interrupted


async def test_the_helper_can_be_undone() -> None:
    async with conversation(reply_s=30.0) as talk:
        undo = interrupt_on_turn_start(talk.session, talk.stt)
        undo()
        await agent_speaks(talk)
        await talk.hears(START)
        assert talk.speaker.stopped_at == []


async def test_while_the_echo_canceller_warms_up_the_server_hears_silence_and_no_turn_starts() -> None:
    async with conversation(reply_s=30.0, aec_warmup_duration=3.0) as talk:
        interrupt_on_turn_start(talk.session, talk.stt)
        await agent_speaks(talk)
        heard = len(talk.server.connections[0].audio)
        for _ in range(10):
            talk.microphone.push()
        await eventually(lambda: len(talk.server.connections[0].audio) >= heard + 10 * 640)
        assert not any(talk.server.connections[0].audio[heard:])
