"""The turns' way to the page, over a real LiveKit room."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit import api, rtc
from livekit.agents import AgentSession
from livekit.plugins.cartesia_turns import STT, TurnEndEvent
from roomkit.livekit_server import LivekitServer
from support.waiting import until
from turn_feed import CUT, TurnFeed

pytestmark = [pytest.mark.room, pytest.mark.timeout(120)]

NOBODY = cast("AgentSession[None]", SimpleNamespace(room_io=SimpleNamespace(linked_participant=None)))


def pass_for(identity: str, livekit: LivekitServer) -> str:
    token = api.AccessToken(livekit.api_key, livekit.api_secret).with_identity(identity)
    return token.with_grants(api.VideoGrants(room_join=True, room="feed")).to_jwt()


@pytest.mark.parametrize("words", [2, 20_000], ids=["a few words", "100 kB of them"])
async def test_a_turn_is_told_to_the_room_however_long_it_is(words: int) -> None:
    told: list[dict[str, Any]] = []
    ears, here, there = STT(api_key="not used"), rtc.Room(), rtc.Room()
    async with LivekitServer() as livekit:
        await here.connect(livekit.url, pass_for("agent", livekit))
        await there.connect(livekit.url, pass_for("visitor", livekit))
        there.on("data_received", lambda packet: told.append(json.loads(packet.data)))
        feed = TurnFeed(ears, NOBODY, here)
        ears.emit("turn_end", TurnEndEvent("", "word " * words))
        await until(lambda: told)
        await feed.aclose()
        await there.disconnect()
        await here.disconnect()
    assert told[0]["transcript"].endswith("word word ")
    assert told[0]["transcript"].startswith(CUT) is (words > 2)
