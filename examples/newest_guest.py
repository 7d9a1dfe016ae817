"""Whom in a room the agent listens to, where more than one visitor may come."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timezone

from livekit import rtc
from livekit.agents import AgentSession, utils
from livekit.agents.job import DEFAULT_PARTICIPANT_KINDS
from livekit.agents.types import ATTRIBUTE_PUBLISH_ON_BEHALF

logger = logging.getLogger(__name__)


class NewestGuest:
    """Lets a session listen to whoever joined last, of the guests who are still there. `aclose()` ends it.

    LiveKit by itself stays with the first guest, and with nobody once they have left. A guest who is being listened to
    is heard out and answered first. What one who is gone had begun to say is dropped as another guest takes their
    place: it would pass for that guest's words.

    Args:
        session: A session that was started in the room.
        room: Its room.
    """

    def __init__(self, session: AgentSession[None], room: rtc.Room) -> None:
        self._session = session
        self._room = room
        self._somebody_moved = asyncio.Event()
        self._somebody_moved.set()  # of those who were there before, LiveKit may have taken any
        room.on("participant_connected", self._on_move)
        room.on("participant_disconnected", self._on_move)
        self._attending = asyncio.create_task(self._attend())

    async def aclose(self) -> None:
        self._attending.cancel()
        await asyncio.gather(self._attending, return_exceptions=True)  # it ends by itself where the session is over

    def _on_move(self, _: rtc.RemoteParticipant) -> None:
        self._somebody_moved.set()

    @utils.log_exceptions(logger=logger)
    async def _attend(self) -> None:
        while True:
            await self._somebody_moved.wait()
            self._somebody_moved.clear()
            linked = self._session.room_io.linked_participant
            newest = self._newest()
            if newest is None or (linked and linked.identity == newest):
                continue
            if linked:
                await self._session.wait_for_idle()
            else:
                self._session.clear_user_turn()
                await self._session.interrupt(force=True)
            if (newest := self._newest()) is not None:
                self._session.room_io.set_participant(newest)

    def _newest(self) -> str | None:
        """The identity of the guest who joined last; other agents and the avatars of this one are no guests."""
        here = self._room.local_participant.identity
        guests = [
            participant
            for participant in self._room.remote_participants.values()
            if participant.kind in DEFAULT_PARTICIPANT_KINDS
            and participant.attributes.get(ATTRIBUTE_PUBLISH_ON_BEHALF) != here
        ]
        return max(guests, key=_joined_at).identity if guests else None


def _joined_at(participant: rtc.RemoteParticipant) -> datetime:
    return participant.joined_at or datetime.now(timezone.utc)
