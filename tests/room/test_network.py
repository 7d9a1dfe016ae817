"""The agent's network fails in mid-sentence, its signalling or its media, while the guest's is good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from socket import SOCK_DGRAM, SOCK_STREAM

import psutil
import pytest
from room.guest import Guest
from room.network import access_to, behind_a_proxy, behind_a_relay
from room.stage import SpeechServer, error_rate
from roomkit.livekit_server import LivekitServer
from support.proxy import Proxy
from support.relay import DARK, FAIR, Relay, Weather
from support.speech import AUDIO
from support.waiting import holds
from support.wer import plain

pytestmark = [pytest.mark.room, pytest.mark.timeout(200)]

LONG, SHORT = AUDIO / "sense-0870.wav", AUDIO / "sense-0930.wav"
SPOKEN_S = 3.0
DARK_S = 3.0
DARK_TO_END_S = 3.0
LIGHT_TO_NEWS_S = 10.0
"""The data channel waits longer and longer between its attempts to send what was lost."""
QUIET_S = 2.0
"""From the end of a recording until nothing more comes of it, once its turn is over."""
FAR = Weather(loss=0.05, delay_s=(0.02, 0.06))


async def begin_a_sentence(guest: Guest) -> None:
    """Say the first seconds of a sentence, in which a turn begins."""
    guest.speak(LONG)
    await asyncio.sleep(SPOKEN_S)
    await guest.until(lambda: guest.diary.open_turns == 1, 10, "the turn began")


def last_event_at(guest: Guest) -> float:
    """When the agent told of a turn for the last time, in seconds since the epoch."""
    return float(guest.diary.turns[-1]["at"]) / 1000


async def settle(guest: Guest) -> None:
    """Wait until all is said and nothing more comes of it."""
    await guest.finish()
    said_at = time.time()
    await guest.until(
        lambda: guest.diary.open_turns == 0 and time.time() - max(said_at, last_event_at(guest)) > QUIET_S,
        30,
        "no turn was open and nothing more came",
    )


def alternate(guest: Guest) -> bool:
    """Whether starts and ends of turns come in turns, and none is open."""
    steps = [event["type"] for event in guest.diary.turns if event["type"] in {"turn_start", "turn_end"}]
    return steps == ["turn_start", "turn_end"] * (len(steps) // 2)


async def is_one_right_turn(guest: Guest, recording: Path, *, begun: bool = False) -> None:
    """Say it, unless that was begun: it comes back as one turn, and right."""
    turns, lines = guest.diary.count("turn_end"), len(guest.diary.said("user"))
    if not begun:
        guest.speak(recording)
    await settle(guest)
    assert guest.diary.count("turn_end") == turns + 1
    await guest.until(lambda: len(guest.diary.said("user")) == lines + 1, 10, "its transcript arrived")
    assert error_rate(recording, guest.diary.said("user")[-1]) <= 0.15


def was_heard(guest: Guest, words: str) -> bool:
    return words in plain(" ".join(guest.diary.said("user")))


def assert_the_media_passed(relay: Relay, *, least: int) -> None:
    """The guest's voice went to the agent by way of the relay, and it knew whose flows are whose."""
    assert {flow.spoilt for flow in relay.flows} == {True, False}
    assert sum(flow.down.passed for flow in relay.spoilt) >= least
    assert not any(way.lost for flow in relay.flows if not flow.spoilt for way in (flow.up, flow.down))


def agents(guest: Guest) -> list[str]:
    """Who else is in the room. An agent that has to join anew is somebody else."""
    return [other.sid for other in guest.room.remote_participants.values()]


async def test_livekit_server_can_be_reached_from_this_machine_alone(room_name: str) -> None:
    async with LivekitServer() as server, Guest(access_to(server), room=room_name):
        bound = psutil.Process(server.pid).net_connections("inet")
    assert {connection.type for connection in bound} == {SOCK_STREAM, SOCK_DGRAM}
    assert {connection.laddr.ip for connection in bound} == {"127.0.0.1"}


@pytest.mark.parametrize("cut", [Proxy.reset, Proxy.end], ids=["reset", "ended"])
async def test_a_sentence_stays_whole_when_the_agents_websocket_is_lost(
    cut: Callable[[Proxy], None],
    speech: SpeechServer,
    room_name: str,
    note: Callable[[str, float], None],
) -> None:
    async with behind_a_proxy(speech, room_name) as (guest, proxy):
        before = agents(guest)
        await begin_a_sentence(guest)
        assert proxy.open_links == proxy.accepted == 2, "the worker has one, and the agent in the room"
        cut(proxy)
        lost = time.monotonic()
        await guest.until(lambda: proxy.accepted >= 4, 10, "both came back")
        note(f"websocket_{cut.__name__}_to_next_s", time.monotonic() - lost)
        await is_one_right_turn(guest, LONG, begun=True)
        await guest.agent_is_silent(1.0)
        await is_one_right_turn(guest, SHORT)
        assert alternate(guest)
        assert agents(guest) == before


async def test_a_blackout_in_mid_sentence_ends_the_turn_and_leaves_the_next_one_whole(
    speech: SpeechServer, room_name: str, note: Callable[[str, float], None]
) -> None:
    async with behind_a_relay(speech, room_name) as (guest, relay):
        await begin_a_sentence(guest)
        dark_at = time.time()
        relay.weather = DARK
        await holds(lambda: guest.diary.open_turns == 1, for_s=DARK_S)
        relay.weather, light_at = FAIR, time.time()
        await guest.until(lambda: guest.diary.count("turn_end"), LIGHT_TO_NEWS_S, "the turn ended")
        note("light_to_news_s", time.time() - light_at)
        ended_at = next(event["at"] for event in guest.diary.turns if event["type"] == "turn_end") / 1000
        note("blackout_to_turn_end_s", ended_at - dark_at)
        assert ended_at - dark_at <= DARK_TO_END_S
        await settle(guest)
        assert_the_media_passed(relay, least=100)
        assert was_heard(guest, "john dashwood")
        assert not was_heard(guest, "how much"), "what is said in the dark cannot be heard"
        await guest.agent_is_silent(1.0)
        await is_one_right_turn(guest, SHORT)
        assert alternate(guest)


async def test_loss_and_jitter_harm_neither_words_nor_turns(
    speech: SpeechServer, room_name: str, note: Callable[[str, float], None]
) -> None:
    async with behind_a_relay(speech, room_name) as (guest, relay):
        relay.weather = FAR
        for recording in (LONG, SHORT):
            await is_one_right_turn(guest, recording)
            note(f"loss_word_error_rate_{recording.stem}", error_rate(recording, guest.diary.said("user")[-1]))
            await guest.agent_is_silent(1.0)
        assert alternate(guest)
        assert_the_media_passed(relay, least=300)
        down = [flow.down for flow in relay.spoilt]
        lost = sum(way.lost for way in down) / sum(way.passed + way.lost for way in down)
        note("loss_of_packets", lost)
        assert 0.02 < lost < 0.09
