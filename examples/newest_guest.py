"""Decides whom the agent listens to in a room to which more than one visitor may come."""

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

    LiveKit by itself listens to the first guest, and to nobody once that guest has left. Before a switch, the present
    guest is heard out and answered. If that guest has left, their unfinished words are dropped: they would pass for the
    next guest's words.

    Args:
        session: A session that was started in the room.
        room: Its room.
    """

    def __init__(self, session: AgentSession[None], room: rtc.Room) -> None:
        self._session = session
        self._room = room
        self._somebody_moved = asyncio.Event()
        self._somebody_moved.set()  # LiveKit may have taken any of those who were there before
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
        """The identity of the guest who joined last. Other agents and this agent's avatars are not guests."""
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
