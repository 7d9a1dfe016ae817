"""Tells the others in a room about the user's turns as they happen, for a page that draws them.

Each event of the speech-to-text goes out as one reliable data packet on the topic `cartesia_turns`; the fields are
described in `web/src/turn-events.ts`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

from livekit import rtc
from livekit.agents import AgentSession
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns import (
    TurnEagerEndEvent,
    TurnEndEvent,
    TurnResumeEvent,
    TurnStartEvent,
    TurnUpdateEvent,
)
from livekit.rtc.participant import PublishDataError

TOPIC = "cartesia_turns"
MOST_BYTES = 15_000
"""LiveKit promises to deliver reliable packets of up to 15 KiB; over 64 kB it refuses them."""
CUT = "…"
MOST_BYTES_OF_A_CHARACTER = 12
"""How many bytes an emoji takes in ASCII JSON."""


class TurnFeed:
    """Publishes the turn events of one STT to one room, in order. `aclose()` ends it.

    Args:
        stt: Whose events.
        session: The session that uses it: it knows whom in the room it listens to.
        room: Where to.
    """

    def __init__(self, stt: cartesia_turns.STT, session: AgentSession[None], room: rtc.Room) -> None:
        self._session = session
        self._room = room
        self._turn = 0
        self._speaker: rtc.RemoteParticipant | None = None
        self._packets: asyncio.Queue[str] = asyncio.Queue()
        self._sender = asyncio.create_task(self._send())
        stt.on("turn_start", self._on_start)
        stt.on("turn_update", self._on_update)
        stt.on("turn_eager_end", self._on_eager_end)
        stt.on("turn_resume", self._on_resume)
        stt.on("turn_end", self._on_end)

    async def aclose(self) -> None:
        self._sender.cancel()
        await asyncio.wait([self._sender])

    def _on_start(self, event: TurnStartEvent) -> None:
        self._turn += 1
        self._speaker = self._session.room_io.linked_participant
        self._put("turn_start", speech_start_at=event.speech_start_time)

    def _on_update(self, event: TurnUpdateEvent) -> None:
        self._put("turn_update", event.transcript)

    def _on_eager_end(self, event: TurnEagerEndEvent) -> None:
        self._put("turn_eager_end", event.transcript)

    def _on_resume(self, event: TurnResumeEvent) -> None:
        self._put("turn_resume", event.transcript)

    def _on_end(self, event: TurnEndEvent) -> None:
        self._put("turn_end", event.transcript, speech_end_at=event.speech_end_time)

    def _put(self, kind: str, transcript: str = "", **times_s: float | None) -> None:
        packet: dict[str, object] = {"type": kind, "turn": self._turn, "at": _ms(time.time())}
        if self._speaker is not None:
            packet["participant"] = self._speaker.identity
        packet.update({name: _ms(at) for name, at in times_s.items() if at is not None})
        self._packets.put_nowait(fit(packet, transcript))

    async def _send(self) -> None:
        while True:
            packet = await self._packets.get()
            # While the room is away there is nobody to tell.
            with contextlib.suppress(PublishDataError):
                await self._room.local_participant.publish_data(packet, reliable=True, topic=TOPIC)


def fit(packet: dict[str, object], transcript: str) -> str:
    """The packet with its transcript; if that is too long, with its newest words after a mark."""
    whole = json.dumps({**packet, "transcript": transcript})
    if len(whole) <= MOST_BYTES:
        return whole
    left = MOST_BYTES - len(json.dumps({**packet, "transcript": CUT}))
    kept = transcript[-left:]
    while (over := len(json.dumps(kept)) - len('""') - left) > 0:
        kept = kept[max(1, over // MOST_BYTES_OF_A_CHARACTER) :]
    return json.dumps({**packet, "transcript": CUT + kept})


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
