"""What goes wrong in mid-sentence: mute, a microphone taken away, a visitor who leaves, a recognizer that dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from livekit import rtc
from room.guest import LISTENING_WITHIN_S, Guest
from room.stage import SpeechServer, Talk, error_rate
from roomkit.grants import LivekitAccess
from roomkit.livekit_server import LivekitServer
from roomkit.worker import Worker
from support.speech import AUDIO

pytestmark = [pytest.mark.room, pytest.mark.timeout(200)]

LONG, SHORT = AUDIO / "sense-0870.wav", AUDIO / "sense-0930.wav"
SPOKEN_S = 3.0
MUTE_TO_END_S = 3.0
HANDED_OVER_WITHIN_S = 1.0


async def begin_a_sentence(guest: Guest) -> None:
    """Say the first seconds of a sentence, in which a turn begins."""
    await guest.agent_is_here()
    guest.speak(LONG)
    await asyncio.sleep(SPOKEN_S)
    await guest.until(lambda: guest.diary.open_turns == 1, 10, "the turn began")


def all_words_of(recording: Path, guest: Guest) -> bool:
    return error_rate(recording, " ".join(guest.diary.said("user"))) <= 0.15


def is_said(recording: Path, guest: Guest) -> bool:
    """Whether one of the guest's lines is what the recording says."""
    return any(error_rate(recording, text) <= 0.15 for text in guest.diary.said("user"))


async def next_turn_is_right(guest: Guest, turns_before: int) -> None:
    """Speak another sentence: it is a turn of its own, and right."""
    diary = guest.diary
    await guest.until(
        lambda: diary.count("turn_end") == len(diary.said("user")) == turns_before, 5, "the turns before were told"
    )
    await guest.in_time(lambda: turn_is_right(guest))


async def turn_is_right(guest: Guest) -> None:
    turns, lines = guest.diary.count("turn_end"), len(guest.diary.said("user"))
    await guest.say(SHORT)
    await guest.until(lambda: guest.diary.count("turn_end") == turns + 1, 30, "the next turn ended")
    await guest.until(lambda: len(guest.diary.said("user")) == lines + 1, 5, "its transcript arrived")
    assert error_rate(SHORT, guest.diary.said("user")[-1]) <= 0.15


async def listens_to(guest: Guest, talk: Talk) -> None:
    """Wait until the agent has turned to this guest, of all in the room."""
    here = f'"lk.pii.room_name": "{guest.room.name}"'

    def is_last() -> bool:
        links = [
            line for line in talk.agent_log.read_text().splitlines() if "linked to participant" in line and here in line
        ]
        return bool(links) and guest.room.local_participant.identity in links[-1]

    await guest.until(is_last, HANDED_OVER_WITHIN_S, "the agent turned to this guest")
    await asyncio.sleep(LISTENING_WITHIN_S)


async def test_mute_in_mid_sentence_ends_the_turn_within_three_seconds(
    guest: Guest, note: Callable[[str, float], None]
) -> None:
    async with guest:
        await begin_a_sentence(guest)
        muted = time.monotonic()
        await guest.mute()
        await guest.until(lambda: guest.diary.count("turn_end") == 1, 10, "the turn ended")
        took = time.monotonic() - muted
        note("mute_to_turn_end_s", took)
        assert took <= MUTE_TO_END_S
        await guest.until(lambda: guest.diary.said("agent"), 20, "the agent answered what was said")


async def test_a_microphone_taken_away_ends_the_turn_and_its_return_begins_another(
    guest: Guest, note: Callable[[str, float], None]
) -> None:
    async with guest:
        await begin_a_sentence(guest)
        gone = time.monotonic()
        await guest.unpublish()
        await guest.until(lambda: guest.diary.count("turn_end") == 1, 10, "the turn ended")
        note("unpublish_to_turn_end_s", time.monotonic() - gone)
        await guest.agent_is_silent(1.0)
        await guest.publish()
        await next_turn_is_right(guest, turns_before=1)
        assert guest.diary.open_turns == 0


async def test_who_leaves_in_mid_sentence_and_returns_finds_no_open_turn(talk: Talk, room_name: str) -> None:
    async with Guest(talk.address, room=room_name) as first:
        await begin_a_sentence(first)
    async with Guest(talk.address, room=room_name) as again:
        await again.agent_is_here()
        await listens_to(again, talk)
        await next_turn_is_right(again, turns_before=0)
        await again.until(lambda: again.diary.said("agent"), 20, "the agent answered")
        assert again.diary.open_turns == 0


async def test_the_agent_listens_to_whoever_joined_last_of_those_who_are_there(talk: Talk, room_name: str) -> None:
    async with Guest(talk.address, room=room_name) as first:
        await begin_a_sentence(first)
        async with Guest(talk.address, room=room_name) as second:
            await first.finish()
            await first.until(lambda: first.diary.count("turn_end") == 1, 10, "the first one's turn ended")
            await first.until(lambda: first.diary.said("user"), 5, "its transcript arrived")
            assert is_said(LONG, first)
            await first.until(lambda: first.diary.said("agent"), 20, "it was answered")
            await first.agent_is_silent(1.5)
            await listens_to(second, talk)
            await next_turn_is_right(second, turns_before=0)
            assert second.diary.open_turns == 0
            assert not is_said(SHORT, first)
            await second.agent_is_silent(1.5)
        await listens_to(first, talk)
        await next_turn_is_right(first, turns_before=1)
        assert first.diary.open_turns == 0


async def test_a_visitor_is_not_left_alone_with_an_agent_that_cannot_hear(speech: SpeechServer, room_name: str) -> None:
    async with LivekitServer() as server:
        access = LivekitAccess(server.url, server.api_key, server.api_secret)
        ears = {"CARTESIA_TURNS_URL": speech.url, "CARTESIA_API_KEY": "not-the-key"}
        async with Worker(access, environment=ears), Guest(access, room=room_name) as guest:
            reasons: list[rtc.DisconnectReason.ValueType] = []
            guest.room.on("disconnected", reasons.append)
            await guest.until(lambda: reasons, 60, "the visitor was disconnected")
            assert reasons == [rtc.DisconnectReason.ROOM_DELETED]


async def test_no_word_is_lost_when_the_recognizer_dies_in_mid_sentence(
    guest: Guest, speech: SpeechServer, note: Callable[[str, float], None]
) -> None:
    async with guest:
        await begin_a_sentence(guest)
        speech.kill()
        speech.start()
        killed = time.monotonic()
        await guest.until(lambda: guest.diary.count("turn_end") == 1, 60, "the turn ended all the same")
        note("recognizer_killed_to_turn_end_s", time.monotonic() - killed)
        await guest.until(lambda: all_words_of(LONG, guest), 30, "all words arrived")
        await guest.until(lambda: guest.diary.open_turns == 0, 10, "no turn stayed open")
        turns = len(guest.diary.said("user"))
        note("recognizer_killed_turns", turns)
        await guest.agent_is_silent(1.0)
        await next_turn_is_right(guest, turns_before=turns)
        assert guest.diary.open_turns == 0
