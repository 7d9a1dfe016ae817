"""Point 7: whatever happens in mid-turn, nobody stays "speaking" and no reply stays blocked."""

from __future__ import annotations

import pytest
from livekit import rtc
from livekit.agents import Agent
from livekit.plugins.cartesia_turns import STT
from livekit.plugins.cartesia_turns.server import Faults
from support.conversation import QUIET, Conversation, conversation, stt_for
from support.script import START, end, update
from support.waiting import eventually

ONLY_FROM_WITHIN_IN_2 = pytest.mark.differs_in_2(
    reason="there an agent's update_options(stt=) changes the session's STT only where the agent's own code calls it"
)


async def user_speaks(talk: Conversation) -> None:
    await talk.hears(START, update("well"))
    await eventually(lambda: talk.session.user_state == "speaking")


async def agent_can_answer(talk: Conversation) -> None:
    """The framework holds every reply back while it takes the user to be speaking."""
    await eventually(lambda: talk.session.user_state == "listening", "the user's silence")
    already = len(talk.speaker.started_at)
    talk.session.say("Go on.")
    await talk.answered(already + 1)


async def test_after_clear_user_turn_nobody_stays_speaking() -> None:
    async with conversation() as talk:
        await user_speaks(talk)
        talk.session.clear_user_turn()
        await agent_can_answer(talk)
        await eventually(lambda: len(talk.server.connections) == 2)
        await talk.turn("hello")
        await eventually(lambda: talk.said == ["hello"])


async def test_a_turn_goes_on_over_a_lost_socket() -> None:
    async with conversation() as talk:
        await user_speaks(talk)
        await talk.server.drop_all()
        await talk.hears(START, update("well I"), end("well I think so"), steps=2)
        await talk.answered()
        assert talk.said == ["well I think so"]
        assert talk.user_states.count("speaking") == 1


async def test_a_turn_that_the_server_starts_twice_is_answered_once() -> None:
    async with conversation() as talk:
        await user_speaks(talk)
        await talk.hears(START, update("well"), update("well I"), end("well I think so"), steps=2)
        await talk.answered()
        await talk.silent()
        assert talk.said == talk.model.heard == ["well I think so"]


async def test_a_turn_that_the_server_never_ends_is_told_when_the_next_has_words() -> None:
    async with conversation() as talk:
        await user_speaks(talk)
        await talk.hears(START, update("stop"), end("stop it"), steps=4)
        await talk.answered()
        assert talk.said == ["well stop it"], "the framework takes it for one turn, since the user went on at once"
        assert [event.transcript for event in talk.transcripts if event.is_final] == ["well", "stop it"]


async def test_a_text_that_can_not_be_encoded_is_mended_before_the_model_sees_it() -> None:
    async with conversation() as talk:
        await talk.turn("a \ud83d b")
        await talk.answered()
        assert talk.model.heard == ["a \ufffd b"]


async def test_a_socket_lost_for_good_ends_the_turn_with_the_words_so_far() -> None:
    async with conversation() as talk:
        await user_speaks(talk)
        talk.server.faults = Faults(status=401)
        await talk.server.drop_all()
        await talk.answered()
        assert talk.said == ["well"]
        assert talk.session.user_state == "listening"


@pytest.mark.parametrize("how", ["audio off", "no input", "unpublished"])
async def test_audio_that_stops_in_mid_turn_ends_the_turn(how: str) -> None:
    async with conversation() as talk:
        talk.stage.at_silence = end("well then")
        await user_speaks(talk)
        stop_audio(talk, how)
        await talk.answered()
        assert talk.said == ["well then"]
        await agent_can_answer(talk)


def stop_audio(talk: Conversation, how: str) -> None:
    if how == "audio off":
        talk.session.input.set_audio_enabled(False)
    elif how == "no input":
        talk.session.input.audio = None
    else:
        # What the framework's room input pushes as a track goes away.
        talk.microphone.push(bytes(len(QUIET) * 25))


async def test_a_track_that_is_published_again_begins_a_turn_of_its_own() -> None:
    async with conversation() as talk:
        talk.stage.at_silence = end("well")
        await user_speaks(talk)
        stop_audio(talk, "unpublished")
        await talk.answered()
        await talk.silent()
        await talk.turn("I am back")
        await talk.answered(2)
        assert talk.said == ["well", "I am back"]


async def test_where_the_server_does_not_end_such_a_turn_the_plugin_does() -> None:
    options = {"turn_end_timeout_ms": 640}
    async with conversation(stt_options=options) as talk:
        await user_speaks(talk)
        stop_audio(talk, "audio off")
        await talk.answered()
        assert talk.said == ["well"]
        assert talk.stt.stats.turns_closed_by_us == 1


async def test_a_handoff_in_mid_turn_keeps_the_turn() -> None:
    async with conversation() as talk:
        await user_speaks(talk)
        second = Agent(instructions="")
        talk.session.update_agent(second)
        await eventually(lambda: talk.session.current_agent is second)
        await talk.hears(end("well then"))
        await talk.answered()
        assert talk.said == ["well then"]
        assert len(talk.server.connections) == 1


class CustomNode(Agent):
    async def stt_node(self, audio, model_settings):  # type: ignore[no-untyped-def]
        async for event in Agent.default.stt_node(self, audio, model_settings):
            yield event


async def test_a_handoff_to_an_agent_with_a_node_of_its_own_leaves_nobody_speaking() -> None:
    async with conversation() as talk:
        await user_speaks(talk)
        second = CustomNode(instructions="")
        talk.session.update_agent(second)
        await eventually(lambda: len(talk.server.connections) == 2)
        await agent_can_answer(talk)
        await talk.turn("hello")
        await eventually(lambda: talk.said[-1:] == ["hello"])


@pytest.mark.newest
@pytest.mark.parametrize("way", ["another agent", pytest.param("update_options", marks=ONLY_FROM_WITHIN_IN_2)])
async def test_another_stt_in_mid_turn_leaves_nobody_speaking(way: str) -> None:
    async with conversation() as talk:
        other = stt_for(talk.server)
        await user_speaks(talk)
        use(talk, other, way)
        await eventually(lambda: len(talk.server.connections) == 2)
        await agent_can_answer(talk)
        talk.stage.cue(START, update("hello"), end("hello"))
        talk.microphone.push()
        await eventually(lambda: talk.said[-1:] == ["hello"])
        await other.aclose()


def use(talk: Conversation, other: STT, way: str) -> None:
    if way == "another agent":
        talk.session.update_agent(Agent(instructions="", stt=other))
    else:
        talk.session.current_agent.update_options(stt=other)


async def test_a_session_drains_and_closes_in_mid_turn() -> None:
    async with conversation() as talk:
        talk.stage.at_silence = end("well then")
        await user_speaks(talk)
        await talk.session.drain()
        await talk.session.aclose()
        assert talk.said[-1:] == ["well then"]
        assert talk.stt.stats.turns == 1


@pytest.mark.newest
async def test_a_second_session_with_the_same_stt_starts_with_a_clean_slate() -> None:
    async with conversation() as talk:
        await user_speaks(talk)
        await talk.session.aclose()
        stream = talk.stt.stream()
        stream.push_frame(rtc.AudioFrame(QUIET, 16000, 1, len(QUIET) // 2))
        stream.end_input()
        assert [event async for event in stream if event.recognition_usage is None] == []
