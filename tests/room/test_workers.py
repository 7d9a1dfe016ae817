"""More than one worker: LiveKit shares the rooms out among them, and each can be drained or killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import pytest
import pytest_asyncio
from livekit import api
from livekit.agents.utils.aio import cancel_and_wait
from room.guest import Guest
from room.stage import AUDIO, KEY, REFERENCES, SpeechServer, error_rate
from roomkit.grants import LivekitAccess
from roomkit.livekit_server import LivekitServer
from roomkit.processes import kill_group
from roomkit.worker import Worker
from wer import word_error_rate

pytestmark = [pytest.mark.room, pytest.mark.timeout(500)]

ROOMS = 12
SERVED_WITHIN_S = 120.0
SPEAKING_AT_ONCE = 3
"""Two cores hardly do for the sound of twelve rooms, both ends of it, beside the recognizer."""
SENTENCES = [AUDIO / f"{name}.wav" for name in ("sense-0870", "sense-0920")]


@dataclass
class Site:
    """A livekit-server with workers and guests."""

    access: LivekitAccess
    livekit: api.LiveKitAPI
    speech: SpeechServer
    logs: Path
    parts: AsyncExitStack
    guests: dict[str, Guest] = field(default_factory=dict)
    leaving: dict[str, AsyncExitStack] = field(default_factory=dict)

    async def worker(self, name: str) -> Worker:
        """Start one more, as in production."""
        ears = {"CARTESIA_TURNS_URL": self.speech.url, "CARTESIA_API_KEY": KEY}
        worker = Worker(self.access, log=self.logs / f"{name}.log", environment=ears, production=True)
        return await self.parts.enter_async_context(worker)

    async def join(self, room: str) -> Guest:
        """Let a guest into a room of their own."""
        self.leaving[room] = await self.parts.enter_async_context(AsyncExitStack())
        self.guests[room] = await self.leaving[room].enter_async_context(
            Guest(self.access, room=room, pushes_to_talk=True)
        )
        return self.guests[room]

    async def leave(self, rooms: Iterable[str]) -> None:
        """Let the guests of these rooms go; nobody waits for them to come back."""
        for room in rooms:
            await self.leaving.pop(room).aclose()
            del self.guests[room]
            await self.livekit.room.delete_room(api.DeleteRoomRequest(room=room))


@pytest_asyncio.fixture
async def site(speech: SpeechServer, tmp_path: Path) -> AsyncIterator[Site]:
    async with (
        LivekitServer() as server,
        api.LiveKitAPI(server.url, server.api_key, server.api_secret) as livekit,
        AsyncExitStack() as parts,
    ):
        access = LivekitAccess(server.url, server.api_key, server.api_secret)
        yield Site(access, livekit, speech, tmp_path, parts)


def rooms_taken(worker: Worker) -> set[str]:
    """The rooms that a worker was asked to serve, by its log."""
    requests = [line for line in worker.log.read_text().splitlines() if "received job request" in line]
    return {found.group(1) for line in requests if (found := re.search(r'"room": "([^"]+)"', line))}


async def fill(site: Site) -> float:
    """Let a guest into each of the rooms and wait for the agents; returns how long that took, in seconds."""
    began = time.monotonic()
    guests = [await site.join(f"room-{number}") for number in range(ROOMS)]
    await asyncio.gather(*(guest.agent_is_here(SERVED_WITHIN_S) for guest in guests))
    return time.monotonic() - began


async def converse(guest: Guest, sentence: Path) -> str:
    """Say a sentence: it comes back once, as a turn of its own, and the agent answers it. Returns what was heard."""
    turns, diary = guest.diary.count("turn_end"), guest.diary
    await guest.push_to_talk()
    await guest.say(sentence)
    await guest.until(lambda: diary.count("turn_end") == turns + 1, 60, "the turn ended")
    await guest.unpublish()
    await guest.until(lambda: len(diary.said("agent")) > turns, 30, "the agent answered")
    assert len(diary.said("user")) == turns + 1
    assert diary.open_turns == 0
    heard = diary.said("user")[-1]
    assert error_rate(sentence, heard) < 0.5, "what was heard is another room's"
    return heard


async def all_converse(guests: Iterable[Guest]) -> float:
    """Each guest says a sentence, a few at a time; returns the word error rate of all that was said."""
    line = asyncio.Semaphore(SPEAKING_AT_ONCE)

    async def in_turn(guest: Guest, sentence: Path) -> str:
        async with line:
            return await converse(guest, sentence)

    said = list(zip(guests, cycle(SENTENCES)))
    tasks = [asyncio.create_task(in_turn(guest, sentence)) for guest, sentence in said]
    try:
        heard = await asyncio.gather(*tasks)
    finally:
        await cancel_and_wait(*tasks)
    return word_error_rate([REFERENCES[sentence.stem] for _, sentence in said], heard)


async def test_two_workers_share_twelve_rooms_with_speech_and_each_may_go(
    site: Site, note: Callable[[str, float], None]
) -> None:
    first, second = await site.worker("first"), await site.worker("second")
    note("twelve_rooms_served_s", await fill(site))
    shares = rooms_taken(first), rooms_taken(second)
    note("rooms_of_the_first_of_two_workers", len(shares[0]))
    assert shares[0] | shares[1] == set(site.guests)
    assert not shares[0] & shares[1]
    assert all(shares)
    assert await all_converse(site.guests.values()) <= 0.15
    await drained(site, second, held=shares[1], other=first)
    await killed(site, first, held=shares[0])


async def drained(site: Site, worker: Worker, *, held: set[str], other: Worker) -> None:
    """A worker that is told to end keeps its rooms, takes no new one, and ends with its last room."""
    os.kill(worker.pid, signal.SIGTERM)
    ended = asyncio.create_task(worker.wait())
    late = await site.join("late")
    await late.agent_is_here(SERVED_WITHIN_S)
    assert "late" in rooms_taken(other)
    await converse(site.guests[min(held)], SENTENCES[0])
    assert not ended.done()
    await site.leave(held)
    assert await asyncio.wait_for(ended, 60) == 0
    assert rooms_taken(worker) == held


async def killed(site: Site, worker: Worker, *, held: set[str]) -> None:
    """The rooms of a worker that dies are left without an agent, until one is sent there."""
    kill_group(worker.pid)
    await worker.wait()
    room = min(held)
    await site.guests[room].agent_is_gone(60)
    third = await site.worker("third")
    later = await site.join("later")
    await later.agent_is_here(SERVED_WITHIN_S)
    assert rooms_taken(third) == {"later"}
    await site.livekit.agent_dispatch.create_dispatch(api.CreateAgentDispatchRequest(room=room))
    await site.guests[room].agent_is_here(SERVED_WITHIN_S)
    await converse(site.guests[room], SENTENCES[1])
