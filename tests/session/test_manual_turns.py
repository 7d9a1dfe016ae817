"""Point 4: manual commits and push-to-talk lose no word and leak none; a session closes at once."""

from __future__ import annotations

import time

import pytest
from livekit.agents import Agent, StopResponse, llm
from support.conversation import QUIET, Conversation, conversation
from support.script import START, end, update
from support.waiting import eventually

pytestmark = pytest.mark.newest  # STTCapabilities.manual_flush

MIN_DELAY_S = 0.1
MANUAL = {"turn_detection": "manual", "endpointing": {"min_delay": MIN_DELAY_S}}
AT_ONCE_S = 0.25
"""Far below the framework's 2.0 s wait for a final; the figures are in tests/tools/bench."""


async def seconds_to_commit(talk: Conversation) -> tuple[float, str]:
    async with talk.microphone.going_on():
        begun = time.monotonic()
        text = await talk.session.commit_user_turn(transcript_timeout=5.0)
        return time.monotonic() - begun, text


async def test_a_commit_with_no_open_turn_is_acknowledged_at_once() -> None:
    async with conversation(turn_handling=MANUAL) as talk:
        await talk.hears(START, update("hello"))
        await talk.microphone.speak(0.3, QUIET)
        await talk.hears(end("hello"), pcm=QUIET)
        await talk.microphone.speak(0.5, QUIET)
        took_s, text = await seconds_to_commit(talk)
        assert took_s < AT_ONCE_S
        assert text == "hello"


async def test_a_commit_in_mid_turn_hastens_the_servers_turn_end() -> None:
    async with conversation(turn_handling=MANUAL) as talk:
        talk.stage.at_silence = end("turn left now")
        await talk.hears(START, update("turn left"))
        took_s, text = await seconds_to_commit(talk)
        assert text == "turn left now"
        assert took_s < 0.9, "it was the server's turn.end that answered, not the bound of a second"
        assert talk.stt.stats.turns_closed_by_us == 0


async def test_a_commit_that_the_server_does_not_answer_takes_the_text_so_far_within_a_second() -> None:
    async with conversation(turn_handling=MANUAL) as talk:
        await talk.hears(START, update("turn left"))
        took_s, text = await seconds_to_commit(talk)
        assert text == "turn left"
        assert 0.9 < took_s < 1.6


async def test_words_committed_already_do_not_come_again_with_the_servers_late_turn_end() -> None:
    async with conversation(turn_handling=MANUAL) as talk:
        await talk.hears(START, update("turn left"))
        await seconds_to_commit(talk)
        await talk.answered()
        talk.stage.cue(end("turn left"))
        talk.microphone.push()
        await talk.turn("and stop")
        await talk.microphone.speak(0.6, QUIET)
        _, text = await seconds_to_commit(talk)
        assert text == "and stop"
        await talk.answered(2)
        assert talk.said == ["turn left", "and stop"]


async def test_words_that_the_server_finds_only_after_the_commit_are_not_lost() -> None:
    async with conversation(turn_handling=MANUAL) as talk:
        await talk.hears(START, update("turn left"))
        await seconds_to_commit(talk)
        talk.stage.cue(end("turn left at the lights"))
        talk.microphone.push(QUIET)
        await eventually(lambda: talk.transcripts[-1].transcript == "at the lights" and talk.transcripts[-1].is_final)


async def test_push_to_talk_keeps_each_press_apart() -> None:
    async with conversation(turn_handling=MANUAL) as talk:
        for press, words in enumerate(("first words", "second words", "third words")):
            talk.session.input.set_audio_enabled(True)
            talk.stage.at_silence = end(words)
            await talk.hears(START, update(words.split()[0]))
            talk.session.input.set_audio_enabled(False)
            await talk.session.commit_user_turn()
            await talk.answered(press + 1)
        assert talk.said == ["first words", "second words", "third words"]


async def empty_press(talk: Conversation, *, skip_reply: bool = False) -> None:
    talk.microphone.push(QUIET)
    await eventually(lambda: talk.server.connections[0].audio)
    async with talk.microphone.going_on():
        begun = time.monotonic()
        assert await talk.session.commit_user_turn(skip_reply=skip_reply) == ""
        assert time.monotonic() - begun < AT_ONCE_S


async def test_an_empty_press_is_acknowledged_at_once_and_the_framework_asks_the_model_with_no_words() -> None:
    async with conversation(turn_handling=MANUAL) as talk:
        await empty_press(talk)
        # Its own doing, `min_delay` later: what an application can do about it is in the two tests below.
        await talk.answered()
        assert talk.model.heard == [""]


class AnswersWords(Agent):
    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        if not new_message.text_content:
            raise StopResponse


async def test_an_agent_can_leave_an_empty_press_without_a_reply() -> None:
    async with conversation(turn_handling=MANUAL, agent=AnswersWords(instructions="")) as talk:
        await empty_press(talk)
        await words_after_it(talk)


async def test_a_press_that_is_known_to_be_empty_can_be_committed_without_a_reply() -> None:
    async with conversation(turn_handling=MANUAL) as talk:
        await empty_press(talk, skip_reply=True)
        await words_after_it(talk)


async def words_after_it(talk: Conversation) -> None:
    """A press with words is answered, and it is the first that the model is asked about."""
    await talk.microphone.speak(2 * MIN_DELAY_S, QUIET)
    talk.stage.at_silence = end("hello")
    await talk.hears(START, update("hello"))
    await talk.session.commit_user_turn()
    await talk.answered()
    assert (talk.model.heard, talk.said) == (["hello"], ["hello"])


async def test_a_turn_that_stays_empty_is_acknowledged_too() -> None:
    async with conversation(turn_handling=MANUAL) as talk:
        await talk.hears(START)
        took_s, text = await seconds_to_commit(talk)
        assert text == ""
        assert took_s < 1.6
        talk.stage.at_silence = end("")
        await talk.hears(START)
        took_s, text = await seconds_to_commit(talk)
        assert text == ""
        assert took_s < 0.9


async def test_a_session_closes_at_once_between_turns() -> None:
    async with conversation() as talk:
        await talk.hears(START, update("hello"))
        await talk.microphone.speak(0.5, QUIET)  # a server ends a turn in a pause
        await talk.hears(end("hello"), pcm=QUIET)
        await talk.answered()
        await talk.silent()
        await talk.microphone.speak(0.7, QUIET)
        begun = time.monotonic()
        await talk.session.aclose()
        assert time.monotonic() - begun < 0.5, "it did not wait 2.0 s for a final"


async def test_a_session_that_closes_in_mid_turn_keeps_the_words() -> None:
    async with conversation() as talk:
        talk.stage.at_silence = end("one more thing")
        await talk.hears(START, update("one more"))
        begun = time.monotonic()
        await talk.session.aclose()
        assert time.monotonic() - begun < 0.9
        assert talk.said == ["one more thing"]


async def test_with_manual_flush_off_a_commit_is_left_to_the_framework() -> None:
    async with conversation(turn_handling=MANUAL, stt_options={"manual_flush": False}) as talk:
        assert not getattr(talk.stt.capabilities, "manual_flush", False), "a version of the framework may not have it"
        await talk.hears(START, update("turn left"))
        async with talk.microphone.going_on():
            begun = time.monotonic()
            assert await talk.session.commit_user_turn(transcript_timeout=1.5) == "turn left"
        assert time.monotonic() - begun >= 1.5, "a flush would have ended the turn after a second"
        assert talk.stt.stats.turns_closed_by_us == 0
