"""Point 1: the framework is told when speech began and ended, so it waits for nothing twice and its delays are true."""

from __future__ import annotations

import time

import numpy as np
import pytest
from livekit.agents import llm
from support.conversation import FRAME_S, QUIET, RATE, VOICED, Conversation, conversation
from support.noise import Room
from support.script import START, end, update
from support.waiting import eventually

FLOOR = np.random.default_rng(2).normal(0, 60, round(RATE * FRAME_S)).astype("<i2").tobytes()
"""A room at -55 dBFS."""
LOUD_ROOM = Room("", white_dbfs=-38, hum_hz=50, offset=0.03).around(np.zeros(len(FLOOR) // 2, "<i2"), RATE).tobytes()
"""Noise, hum and an offset: a frame that can be repeated, since hum of 50 Hz comes full circle in it."""
SOON_S = 0.25
"""Half of the framework's default `min_delay`: a reply within it did not wait for it."""


async def spoken_turn(talk: Conversation, *, pause_s: float, between: bytes = QUIET) -> tuple[float, float]:
    """Half a second of speech, a pause, turn.end; returns when the speech ended and when turn.end came."""
    began = time.time()
    await talk.microphone.speak(0.3, VOICED)
    talk.stage.cue(START, update("hello"))
    ended_at = await talk.microphone.speak(0.2, VOICED)
    assert ended_at - began >= 0.4
    await talk.microphone.speak(pause_s, between)
    await talk.hears(end("hello there"), pcm=between)
    return ended_at, time.time()


def user_message(talk: Conversation) -> llm.ChatMessage:
    return next(message for message in talk.messages if message.role == "user")


async def test_a_turn_end_well_after_speech_is_answered_at_once() -> None:
    async with conversation() as talk:
        _, came_at = await spoken_turn(talk, pause_s=0.6)
        await talk.answered()
        assert talk.model.asked_at[0] - came_at < SOON_S


async def test_a_turn_end_soon_after_speech_leaves_the_rest_of_min_delay() -> None:
    async with conversation() as talk:
        ended_at, _ = await spoken_turn(talk, pause_s=0.1)
        await talk.answered()
        assert talk.model.asked_at[0] - ended_at > 0.5 - 2 * FRAME_S


async def test_without_speech_end_time_the_framework_keeps_its_pause() -> None:
    async with conversation(stt_options={"speech_end_time": False}) as talk:
        _, came_at = await spoken_turn(talk, pause_s=0.6)
        await talk.answered()
        assert talk.model.asked_at[0] - came_at > 0.4


@pytest.mark.parametrize("between", [QUIET, FLOOR, LOUD_ROOM], ids=["digital silence", "a room", "a noisy room"])
async def test_the_delays_in_the_history_are_true(between: bytes) -> None:
    async with conversation() as talk:
        if between is not QUIET:
            await talk.microphone.speak(0.5, between)
        ended_at, came_at = await spoken_turn(talk, pause_s=0.6, between=between)
        await talk.answered()
        metrics = user_message(talk).metrics
        # The frame's end is the time at which it is pushed: a slow machine pushes late.
        assert metrics["stopped_speaking_at"] == pytest.approx(ended_at, abs=0.1)
        assert metrics["started_speaking_at"] == pytest.approx(ended_at - 0.5, abs=0.15)
        assert metrics["transcription_delay"] == pytest.approx(came_at - ended_at, abs=0.15)
        assert metrics["end_of_turn_delay"] >= metrics["transcription_delay"]


async def test_where_nobody_was_heard_speech_ended_with_the_last_words() -> None:
    async with conversation() as talk:
        await talk.hears(START, update("hello"), pcm=QUIET)
        said_at = time.time()
        await talk.microphone.speak(0.6, QUIET)
        await talk.hears(end("hello"), pcm=QUIET)
        await talk.answered()
        assert user_message(talk).metrics["stopped_speaking_at"] == pytest.approx(said_at, abs=0.1)


async def test_words_that_come_with_turn_end_itself_do_not_move_the_end_of_speech_back() -> None:
    async with conversation() as talk:
        talk.stage.cue(START, update("hello"))
        ended_at = await talk.microphone.speak(0.5, VOICED)
        await talk.microphone.speak(0.1, QUIET)
        await talk.hears(end("hello there"), pcm=QUIET)
        await talk.answered()
        assert user_message(talk).metrics["stopped_speaking_at"] == pytest.approx(ended_at, abs=0.1)
        assert ended_at - user_message(talk).metrics["started_speaking_at"] > 0.4


async def test_start_end_and_now_are_in_order_however_short_the_turn_is() -> None:
    async with conversation() as talk:
        await talk.turn("yes")
        await talk.answered()
        await eventually(lambda: len(talk.messages) >= 2)
        metrics = user_message(talk).metrics
        assert metrics["started_speaking_at"] <= metrics["stopped_speaking_at"] <= time.time()
