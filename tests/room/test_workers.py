"""More than one worker: LiveKit shares the rooms out among them, and new rooms go to those that are left."""

from __future__ import annotations

import re
import time
from asyncio import gather, sleep
from collections.abc import Callable
from pathlib import Path

import pytest
from livekit import api
from livekit.protocol.models import ParticipantInfo
from room.stage import KEY, SpeechServer
from roomkit.grants import LivekitAccess
from roomkit.livekit_server import LivekitServer
from roomkit.worker import Worker

pytestmark = [pytest.mark.room, pytest.mark.timeout(300)]

ROOMS = 12
SERVED_WITHIN_S = 120.0


def rooms_taken(worker: Worker) -> set[str]:
    """The rooms that a worker was asked to serve, by its log."""
    requests = [line for line in worker.log.read_text().splitlines() if "received job request" in line]
    return {found.group(1) for line in requests if (found := re.search(r'"room": "([^"]+)"', line))}


async def agents_in(livekit: api.LiveKitAPI, room: str) -> int:
    answer = await livekit.room.list_participants(api.ListParticipantsRequest(room=room))
    return sum(one.kind == ParticipantInfo.Kind.AGENT for one in answer.participants)


async def serve(livekit: api.LiveKitAPI, rooms: list[str]) -> float:
    """Open the rooms and wait until each has its agent; returns how long that took, in seconds."""
    began = time.monotonic()
    for room in rooms:
        await livekit.room.create_room(api.CreateRoomRequest(name=room, empty_timeout=300))
    while min(await gather(*(agents_in(livekit, room) for room in rooms))) < 1:
        assert time.monotonic() - began < SERVED_WITHIN_S, "a room was left without an agent"
        await sleep(0.5)
    return time.monotonic() - began


async def test_two_workers_share_the_rooms_and_the_one_left_takes_the_new_ones(
    speech: SpeechServer, tmp_path: Path, note: Callable[[str, float], None]
) -> None:
    ears = {"CARTESIA_TURNS_URL": speech.url, "CARTESIA_API_KEY": KEY}
    rooms = [f"share-{number}" for number in range(ROOMS)]
    async with LivekitServer() as server, api.LiveKitAPI(server.url, server.api_key, server.api_secret) as livekit:
        access = LivekitAccess(server.url, server.api_key, server.api_secret)
        first = Worker(access, log=tmp_path / "first.log", environment=ears)
        second = Worker(access, log=tmp_path / "second.log", environment=ears)
        async with first, second:
            note("twelve_rooms_served_s", await serve(livekit, rooms))
            shares = rooms_taken(first), rooms_taken(second)
            note("rooms_of_the_first_of_two_workers", len(shares[0]))
            assert shares[0] | shares[1] == set(rooms)
            assert not shares[0] & shares[1]
            assert all(shares)
            await second.stop()
            await serve(livekit, ["afterwards"])
            assert rooms_taken(first) == shares[0] | {"afterwards"}
