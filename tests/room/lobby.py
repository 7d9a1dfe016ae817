"""A room whose agents the test plays itself: a livekit-server and the page, and no worker."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal

from aiohttp.test_utils import TestServer
from livekit import api, rtc
from roomkit.endpoint import Settings, create_app
from roomkit.grants import LivekitAccess
from roomkit.livekit_server import LivekitServer
from roomkit.page import ensure_page
from support.proxy import Proxy


@dataclass(frozen=True)
class Lobby:
    """Where the page is, and whose key opens its rooms.

    Attributes:
        address: The page's.
        access: The agents' way to LiveKit.
        livekit: The server.
        line: The page's way to it, for all but the media.
    """

    address: str
    access: LivekitAccess
    livekit: LivekitServer
    line: Proxy

    async def close(self, room: str) -> None:
        """Close a room, whoever is in it."""
        async with api.LiveKitAPI(self.access.url, self.access.api_key, self.access.api_secret) as livekit:
            await livekit.room.delete_room(api.DeleteRoomRequest(room=room))


@asynccontextmanager
async def lobby() -> AsyncIterator[Lobby]:
    async with LivekitServer() as livekit, Proxy(livekit.url) as line:
        access = LivekitAccess(livekit.url, livekit.api_key, livekit.api_secret)
        by_line = replace(access, url=line.url.replace("http", "ws"))
        async with TestServer(create_app(Settings(by_line, ensure_page()))) as server:
            yield Lobby(str(server.make_url("/")), access, livekit, line)


class Understudy:
    """An agent that publishes what the test tells it to, on a clock of its own.

    Attributes:
        identity: As whom.

    Args:
        access: Whose rooms.
        room: Which.
        identity: As whom.
        kind: What it is; LiveKit calls a visitor "standard".
        clock_ahead_s: How far its clock is from this machine's.
    """

    def __init__(
        self,
        access: LivekitAccess,
        room: str,
        identity: str,
        *,
        kind: Literal["agent", "standard"] = "agent",
        clock_ahead_s: float = 0.0,
    ) -> None:
        grants = api.VideoGrants(room_join=True, room=room, agent=kind == "agent")
        token = api.AccessToken(access.api_key, access.api_secret).with_identity(identity).with_kind(kind)
        self.identity = identity
        self._url, self._token = access.url, token.with_grants(grants).to_jwt()
        self._clock_ahead_s = clock_ahead_s
        self._room = rtc.Room()

    async def __aenter__(self) -> Understudy:
        await self._room.connect(self._url, self._token)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._room.disconnect()

    @property
    def visitor(self) -> str:
        """The identity of the visitor in the room."""
        others = self._room.remote_participants.values()
        return next(one.identity for one in others if one.identity.startswith("visitor-"))

    async def tell(self, kind: str, turn: int, *, of: str, transcript: str = "") -> None:
        """Publish one turn event, as `examples/turn_feed.py` does."""
        at = round((time.time() + self._clock_ahead_s) * 1000)
        packet = {"type": kind, "turn": turn, "participant": of, "at": at, "transcript": transcript}
        await self._room.local_participant.publish_data(json.dumps(packet), reliable=True, topic="cartesia_turns")

    async def transcribe(self, text: str, *, of: str) -> None:
        """Publish what somebody said, as LiveKit Agents does: in their name."""
        attributes = {"lk.transcription_final": "true", "lk.segment_id": text}
        writer = await self._room.local_participant.stream_text(
            topic="lk.transcription", sender_identity=of, attributes=attributes
        )
        await writer.write(text)
        await writer.aclose()

    async def sound(self) -> None:
        """Publish a voice that is silent so far."""
        track = rtc.LocalAudioTrack.create_audio_track("voice", rtc.AudioSource(48000, 1))
        await self._room.local_participant.publish_track(track)
