"""More than one worker: LiveKit shares the rooms out among them, and each can be drained or killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from livekit import api
from livekit.agents.utils.aio import cancel_and_wait
from room.guest import Guest
from room.stage import KEY, REFERENCES, SpeechServer, error_rate
from roomkit.grants import LivekitAccess
from roomkit.livekit_server import LivekitServer
from roomkit.processes import kill_group
from roomkit.worker import AGENT, Worker
from support.speech import AUDIO
from support.wer import word_error_rate

pytestmark = [pytest.mark.room, pytest.mark.timeout(500)]

ROOMS = 12
ROOMS_EACH = 8
"""At which a worker is full. LiveKit draws lots: of two workers with room for all, one may well get eleven."""
LEAST_SHARE = 3
"""Of each: rooms that come at the same moment may be one more than a worker wants."""
WORKER = f"""
import sys
sys.path.insert(0, {str(AGENT.parent)!r})
import agent
agent.ROOMS = {ROOMS_EACH}
server = agent.server
"""
SERVED_WITHIN_S = 120.0
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
        script = self.logs / f"{name}.py"
        script.write_text(WORKER)
        worker = Worker(self.access, log=script.with_suffix(".log"), environment=ears, script=script, production=True)
        return await self.parts.enter_async_context(worker)

    async def join(self, room: str) -> Guest:
        """Let a guest into a room of their own."""
        self.leaving[room] = await self.parts.enter_async_context(AsyncExitStack())
        self.guests[room] = await self.leaving[room].enter_async_context(
            Guest(self.access, room=room, pushes_to_talk=True)
        )
        return self.guests[room]

    async def close(self, rooms: Iterable[str], *, served_by: Worker) -> None:
        """Close these rooms, one when the job of the one before has ended.

        A draining worker of livekit-agents 1.8.9 may stay in a loop without end where two jobs end at the same moment.
        """
        for room in rooms:
            await self.leaving.pop(room).aclose()
            try:
                await self.livekit.room.delete_room(api.DeleteRoomRequest(room=room))
            except api.TwirpError as error:
                # The agent deletes its room too, as soon as its guest has left.
                if error.code != api.TwirpErrorCode.NOT_FOUND:
                    raise
            guest = self.guests.pop(room)
            await guest.until(partial(has_ended, served_by, room), 60, "its job ended")


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
    return {entry["room"] for entry in logged(worker, "received job request")}


def has_ended(worker: Worker, room: str) -> bool:
    """Whether the process of this room's job is gone, by the worker's log and the system."""
    return any(entry["room"] == room and not is_alive(entry["pid"]) for entry in logged(worker, "process exiting"))


def logged(worker: Worker, message: str) -> list[dict[str, Any]]:
    lines = [line for line in worker.log.read_text().splitlines() if f'"message": "{message}"' in line]
    return [json.loads(line) for line in lines if line.endswith("}")]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def fill(site: Site) -> float:
    """Let a guest into each of the rooms and wait for the agents; returns how long that took, in seconds."""
    began = time.monotonic()
    guests = [await site.join(f"room-{number}") for number in range(ROOMS)]
    await asyncio.gather(*(guest.agent_is_here(SERVED_WITHIN_S) for guest in guests))
    return time.monotonic() - began


async def converse(guest: Guest, sentence: Path) -> str:
    """Say a sentence: it comes back once, as a turn of its own, and the agent answers it. Returns what was heard."""
    return await guest.in_time(partial(converse_once, guest, sentence))


async def converse_once(guest: Guest, sentence: Path) -> str:
    diary = guest.diary
    turns, lines, answers = diary.count("turn_end"), len(diary.said("user")), len(diary.said("agent"))
    await guest.push_to_talk()
    await guest.say(sentence)
    await guest.until(lambda: diary.count("turn_end") == turns + 1, 60, "the turn ended")
    await guest.unpublish()
    await guest.until(lambda: len(diary.said("agent")) > answers, 30, "the agent answered")
    assert len(diary.said("user")) == lines + 1
    assert diary.open_turns == 0
    heard = diary.said("user")[-1]
    assert error_rate(sentence, heard) < 0.5, "what was heard is another room's"
    return heard


async def all_converse(guests: Iterable[Guest]) -> list[tuple[Path, str]]:
    """Each guest says a sentence, one after the other; returns what was said and what was heard."""
    return [(sentence, await converse(guest, sentence)) for guest, sentence in zip(guests, cycle(SENTENCES))]


async def all_at_both_converse(site: Site, *shares: set[str]) -> float:
    """So do the guests of each worker, beside those of the other; returns the word error rate of all of it.

    Two at once, since two cores hardly do for the sound of twelve rooms, both ends of it, beside the recognizer.
    """
    sharing = [[site.guests[room] for room in sorted(share)] for share in shares]
    tasks = [asyncio.create_task(all_converse(guests)) for guests in sharing]
    try:
        lines = await asyncio.gather(*tasks)
    finally:
        await cancel_and_wait(*tasks)
    said = [pair for line in lines for pair in line]
    return word_error_rate([REFERENCES[sentence.stem] for sentence, _ in said], [heard for _, heard in said])


async def test_two_workers_share_twelve_rooms_with_speech_and_each_may_go(
    site: Site, note: Callable[[str, float], None]
) -> None:
    workers = [await site.worker("first"), await site.worker("second")]
    note("twelve_rooms_served_s", await fill(site))
    emptier, fuller = sorted(workers, key=lambda worker: len(rooms_taken(worker)))
    shares = rooms_taken(emptier), rooms_taken(fuller)
    note("rooms_of_the_emptier_of_two_workers", len(shares[0]))
    assert shares[0] | shares[1] == set(site.guests)
    assert not shares[0] & shares[1]
    assert all(len(share) >= LEAST_SHARE for share in shares)
    rate = await all_at_both_converse(site, *shares)
    note("word_error_rate_in_twelve_rooms", rate)
    assert rate <= 0.15
    await drained(site, fuller, held=shares[1], other=emptier)
    await killed(site, emptier, held=shares[0])


async def drained(site: Site, worker: Worker, *, held: set[str], other: Worker) -> None:
    """A worker that is told to end keeps its rooms, takes no new one, and ends with its last room."""
    os.kill(worker.pid, signal.SIGTERM)
    ended = asyncio.create_task(worker.wait())
    late = await site.join("late")
    await late.agent_is_here(SERVED_WITHIN_S)
    assert "late" in rooms_taken(other)
    await converse(site.guests[min(held)], SENTENCES[0])
    assert not ended.done()
    await site.close(held, served_by=worker)
    assert await asyncio.wait_for(ended, 60) == 0
    assert rooms_taken(worker) == held


async def killed(site: Site, worker: Worker, *, held: set[str]) -> None:
    """The rooms of a worker that dies are left without an agent, until one is sent there, to whoever came last."""
    kill_group(worker.pid)
    await worker.wait()
    room = min(held)
    await site.guests[room].agent_is_gone(60)
    third = await site.worker("third")
    later = await site.join("later")
    await later.agent_is_here(SERVED_WITHIN_S)
    assert rooms_taken(third) == {"later"}
    async with Guest(site.access, room=room, pushes_to_talk=True) as newest:
        await site.livekit.agent_dispatch.create_dispatch(api.CreateAgentDispatchRequest(room=room))
        await newest.agent_is_here(SERVED_WITHIN_S)
        await converse(newest, SENTENCES[1])
