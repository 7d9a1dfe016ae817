"""A conversation in a real room: recorded speech in, transcripts and a spoken reply out, one for each turn."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from room.guest import Guest
from room.stage import error_rate
from support.speech import AUDIO, SPOKEN
from support.wer import word_error_rate

pytestmark = [pytest.mark.room, pytest.mark.timeout(400)]

CLIPS = sorted(AUDIO.glob("*.wav"))


async def test_each_turn_comes_back_once_in_order_right_and_is_answered(
    guest: Guest, note: Callable[[str, float], None]
) -> None:
    async with guest:
        await guest.agent_is_here()
        diary = guest.diary
        for number, clip in enumerate(CLIPS, 1):
            await guest.say(clip)
            ended = time.monotonic()
            await guest.until(lambda number=number: diary.count("turn_end") >= number, 30, f"turn {number} ended")  # type: ignore[misc]
            note(f"turn_over_s_{clip.stem}", time.monotonic() - ended)
            heard = await guest.agent_is_heard(ended)
            note(f"reply_heard_s_{clip.stem}", heard - ended)
            await guest.agent_is_silent(1.0)
        await guest.until(lambda: len(diary.said("agent")) >= len(CLIPS), 20, "each reply came as text too")
    assert [who for who, _ in diary.finals] == ["user", "agent"] * len(CLIPS)
    assert diary.count("turn_end") == len(CLIPS)
    rate = word_error_rate(SPOKEN, diary.said("user"))
    note("word_error_rate", rate)
    assert rate <= 0.15
    assert all(reply.startswith("You said: ") for reply in diary.said("agent"))


async def test_turn_events_tell_a_turn_from_start_to_end(guest: Guest) -> None:
    async with guest:
        await guest.agent_is_here()
        await guest.say(CLIPS[1])
        await guest.until(lambda: guest.diary.count("turn_end") == 1, 30, "the turn ended")
        await guest.until(lambda: guest.diary.said("user"), 5, "its transcript arrived")
        events, identity = guest.diary.turns, guest.room.local_participant.identity
    assert events[0]["type"] == "turn_start"
    assert events[-1]["type"] == "turn_end"
    assert {(event["turn"], event["participant"]) for event in events} == {(1, identity)}
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert events[-1]["transcript"] == guest.diary.said("user")[0]


async def test_the_agent_stops_when_the_user_begins_to_speak(guest: Guest, note: Callable[[str, float], None]) -> None:
    async with guest:
        await guest.agent_is_here()
        await guest.say(CLIPS[0])
        await guest.agent_is_heard(time.monotonic())
        await guest.until(lambda: guest.diary.count("turn_end") == 1, 5, "the first turn was over")
        began = time.monotonic()
        guest.speak(CLIPS[3])
        stopped = await guest.agent_is_silent(0.6)
        await guest.until(lambda: guest.diary.count("turn_end") == 2, 40, "the second turn ended")
        await guest.until(lambda: len(guest.diary.said("user")) == 2, 5, "its transcript arrived")
    delay = stopped - began
    note("barge_in_s", delay)
    assert 0 < delay < 2.0
    assert error_rate(CLIPS[3], guest.diary.said("user")[1]) <= 0.15
