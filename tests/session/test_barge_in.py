"""Point 3: the agent stops as the user starts, where the application asks for it."""

from __future__ import annotations

import time

import pytest
from livekit import rtc
from livekit.agents import TurnHandlingOptions, stt
from livekit.plugins.cartesia_turns import STT, interrupt_on_turn_start, turn_handling
from livekit.plugins.cartesia_turns.server import LocalServer
from livekit.plugins.cartesia_turns.testing import Speaker
from support.conversation import RATE, VOICED, Conversation, another_conversation, conversation, stt_for
from support.script import START, end, update
from support.waiting import eventually

QUICK = turn_handling(interruption={"false_interruption_timeout": 0.2})
CANNOT_PAUSE = "the agent's speech can't be paused: turn.start ends it for good, even if the turn has no words"
ASKS_FOR_WORDS = "interrupt_on_turn_start does nothing, since the session's min_words requires words"


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
        silent_at = talk.speaker.paused_at if pausable else talk.speaker.stopped_at
        await eventually(lambda: silent_at)
        assert silent_at[0] - started_at[0] < 0.2
        await talk.hears(update("stop"), end("stop"))
        await talk.answered(2)
        assert talk.said == ["stop"]


async def test_after_a_turn_without_words_the_agent_goes_on_where_it_was() -> None:
    async with conversation(reply_s=1.0, turn_handling=QUICK) as talk:
        interrupt_on_turn_start(talk.session, talk.stt)
        false: list[bool] = []
        talk.session.on("agent_false_interruption", lambda event: false.append(event.resumed))
        speech = talk.session.say("A story, told without a pause.")
        await eventually(lambda: talk.session.agent_state == "speaking")
        await talk.hears(START)
        assert talk.session.agent_state == "listening"
        await talk.hears(end(""))
        await speech
        assert not speech.interrupted
        assert false == [True]
        assert talk.speaker.played_s == [pytest.approx(1.0, abs=0.05)], "all of it"
        assert talk.model.heard == []


async def test_after_two_turns_without_words_it_goes_on_once() -> None:
    async with conversation(reply_s=1.0, turn_handling=QUICK) as talk:
        interrupt_on_turn_start(talk.session, talk.stt)
        speech = talk.session.say("A story, told without a pause.")
        await eventually(lambda: talk.session.agent_state == "speaking")
        await talk.hears(START, end(""))
        await talk.hears(START, end(""))
        await speech
        assert not speech.interrupted
        assert len(talk.speaker.resumed_at) == 1


async def test_words_after_such_a_pause_end_the_speech_and_are_answered() -> None:
    async with conversation(reply_s=30.0, turn_handling=QUICK) as talk:
        interrupt_on_turn_start(talk.session, talk.stt)
        await agent_speaks(talk)
        await talk.hears(START, end(""))
        await eventually(lambda: talk.speaker.resumed_at)
        await talk.hears(START, update("stop"), end("stop"))
        await talk.answered(2)
        assert talk.said == ["stop"]


async def test_a_turn_that_is_dropped_with_its_stream_lets_the_agent_go_on() -> None:
    async with conversation(reply_s=1.0, turn_handling=QUICK) as talk:
        interrupt_on_turn_start(talk.session, talk.stt)
        speech = talk.session.say("A story, told without a pause.")
        await eventually(lambda: talk.session.agent_state == "speaking")
        await talk.hears(START)
        talk.session.clear_user_turn()
        await speech
        assert not speech.interrupted


@pytest.mark.parametrize(
    ("handling", "pausable"),
    [
        (QUICK, False),
        (turn_handling(interruption={"resume_false_interruption": False}), True),
        (turn_handling(interruption={"false_interruption_timeout": None}), True),
        (turn_handling(turn_detection="manual"), True),
    ],
    ids=["the output can't", "not wanted", "no timeout", "manual turns"],
)
async def test_where_it_can_not_pause_the_speech_is_over_and_a_warning_says_once_what_that_costs(
    handling: TurnHandlingOptions, pausable: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with conversation(reply_s=30.0, turn_handling=handling, speaker=Speaker(pausable=pausable)) as talk:
        interrupt_on_turn_start(talk.session, talk.stt)
        for _ in range(2):
            speech = talk.session.say("A long story, told without a pause.")
            await eventually(lambda: talk.session.agent_state == "speaking")
            await talk.hears(START, end(""))
            await speech
            assert speech.interrupted
        assert caplog.messages.count(CANNOT_PAUSE) == 1


async def test_where_the_session_asks_for_words_first_nothing_is_paused_before_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with conversation(reply_s=3.0, turn_handling=turn_handling(interruption={"min_words": 2})) as talk:
        interrupt_on_turn_start(talk.session, talk.stt)
        await agent_speaks(talk)
        await talk.hears(START, update("stop"))
        assert talk.speaker.paused_at == []
        assert caplog.messages.count(ASKS_FOR_WORDS) == 1
        await talk.hears(update("stop it"), end("stop it"))
        await eventually(lambda: talk.speaker.paused_at)


# One STT for several rooms.


@pytest.mark.newest
@pytest.mark.parametrize("pausable", [True, False])
async def test_a_user_silences_the_agent_of_their_own_session_alone(pausable: bool) -> None:
    async with (
        conversation(reply_s=30.0, speaker=Speaker(pausable=pausable)) as talk,
        another_conversation(talk) as other,
    ):
        interrupt_on_turn_start(talk.session, talk.stt)
        await agent_speaks(talk)
        await other.turn("hello")
        await other.answered()
        assert (talk.session.agent_state, talk.speaker.paused_at, talk.speaker.stopped_at) == ("speaking", [], [])
        await talk.hears(START)
        await eventually(lambda: talk.speaker.paused_at or talk.speaker.stopped_at)


async def test_behind_an_adapter_the_helper_heeds_the_turns_too() -> None:
    def behind_adapter(first: STT, server: LocalServer) -> stt.FallbackAdapter:
        return stt.FallbackAdapter([first, stt_for(server)])

    async with conversation(reply_s=30.0, wrap=behind_adapter) as talk:
        await eventually(lambda: "connected" in talk.plugin_events)
        interrupt_on_turn_start(talk.session, talk.stt)
        await agent_speaks(talk)
        await talk.hears(START)
        assert talk.session.agent_state == "listening"


@pytest.mark.newest
async def test_a_stream_of_no_session_silences_nobody() -> None:
    async with conversation(reply_s=30.0) as talk:
        interrupt_on_turn_start(talk.session, talk.stt)
        await agent_speaks(talk)
        async with talk.stt.stream() as stream:
            expected = len(talk.plugin_events) + 2
            talk.stage.cue(START, end("dictated"))
            stream.push_frame(rtc.AudioFrame(VOICED, RATE, 1, len(VOICED) // 2))
            await eventually(lambda: len(talk.plugin_events) > expected)
        assert (talk.session.agent_state, talk.speaker.paused_at) == ("speaking", [])


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
        undo()
        await agent_speaks(talk)
        await talk.hears(START)
        assert (talk.speaker.paused_at, talk.speaker.stopped_at) == ([], [])


async def test_while_the_echo_canceller_warms_up_the_server_hears_silence_and_no_turn_starts() -> None:
    async with conversation(reply_s=30.0, aec_warmup_duration=3.0) as talk:
        interrupt_on_turn_start(talk.session, talk.stt)
        await agent_speaks(talk)
        heard = len(talk.server.connections[0].audio)
        for _ in range(10):
            talk.microphone.push()
        await eventually(lambda: len(talk.server.connections[0].audio) >= heard + 10 * 640)
        assert not any(talk.server.connections[0].audio[heard:])
