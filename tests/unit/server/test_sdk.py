"""The vendor's own SDK as the client: what it can talk to is what the plugin can rely on."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import cartesia
import pytest
import websockets
from livekit.plugins.cartesia_turns.server import LocalServer
from livekit.plugins.cartesia_turns.wire.protocol import PATH
from support import synthetic
from support.localserver import SENTENCE, server
from websockets.exceptions import ConnectionClosedError, InvalidStatus

pytestmark = pytest.mark.usefixtures("each_vendor")

SETTINGS: dict[str, Any] = {"model": "ink-2", "encoding": "pcm_s16le", "sample_rate": 16000}


def client_of(local: LocalServer, key: str | None = None) -> cartesia.AsyncCartesia:
    return cartesia.AsyncCartesia(api_key=key or local.key, base_url=local.url)


async def test_turns_come_through_to_the_vendors_sdk() -> None:
    async with server() as local, client_of(local).stt.auto_finalize.websocket(**SETTINGS) as connection:
        await connection.send_raw(SENTENCE)
        await connection.send({"type": "close"})
        events = [event async for event in connection]
    kinds = [event.type for event in events if event.type != "turn.update"]
    assert kinds == ["connected", "turn.start", "turn.eager_end", "turn.end"]
    assert events[-1].to_dict()["transcript"] == synthetic.text(0, 4)
    assert {event.request_id for event in events} == {local.connections[0].request_id}


async def test_the_sdks_settings_arrive() -> None:
    options: dict[str, Any] = {
        "keyterm": ["Dashwood", "Norland"],
        "turn_end_threshold": 0.1,
        "turn_end_timeout_ms": 700,
    }
    async with server() as local, client_of(local) as client:
        async with client.stt.auto_finalize.websocket(**SETTINGS, **options) as connection:
            await connection.send({"type": "config", "turn": {"start_threshold": 0.7}})
            await connection.send({"type": "close"})
            assert [event.type async for event in connection] == ["connected"]
        query = local.connections[0].query
    assert [value for name, value in query if name == "keyterm"] == ["Dashwood", "Norland"]
    assert ("turn_end_threshold", "0.1") in query
    assert ("turn_end_timeout_ms", "700") in query


async def test_an_error_in_band_reaches_the_sdk_typed() -> None:
    async with server() as local, client_of(local).stt.auto_finalize.websocket(**SETTINGS) as connection:
        await connection.send_raw("nonsense")
        await connection.recv()
        error = await connection.recv()
    fields = error.to_dict()
    assert (fields["type"], fields["status_code"], fields["error_code"]) == ("error", 400, "invalid_request")


async def test_a_wrong_key_fails_the_sdks_handshake_with_401() -> None:
    async with server() as local, client_of(local, "wrong") as client:
        with pytest.raises(InvalidStatus) as caught:
            await client.stt.auto_finalize.websocket(**SETTINGS).enter()
    assert caught.value.response.status_code == 401


async def test_wrong_settings_reach_the_sdk_as_an_error_in_place_of_connected() -> None:
    wrong = {**SETTINGS, "model": "ink-9"}
    async with server() as local, client_of(local).stt.auto_finalize.websocket(**wrong) as connection:
        error = await connection.recv()
        with pytest.raises(ConnectionClosedError) as closed:
            await connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert (error.type, error.to_dict()["status_code"]) == ("error", 400)


async def test_a_config_that_is_refused_leaves_the_sdks_stream_open() -> None:
    async with server() as local, client_of(local).stt.auto_finalize.websocket(**SETTINGS) as connection:
        await connection.send({"type": "config", "turn": {"end_threshold": 0.9}})
        await connection.send_raw(SENTENCE)
        await connection.send({"type": "close"})
        kinds = [event.type async for event in connection]
    assert [kind for kind in kinds if kind != "turn.update"] == [
        "connected",
        "error",
        "turn.start",
        "turn.eager_end",
        "turn.end",
    ]


async def everything(socket: websockets.ClientConnection) -> list[dict[str, Any]]:
    return [json.loads(frame) async for frame in socket]


async def test_a_client_that_waits_for_connected_and_two_seconds_after_close_as_pipecats_does() -> None:
    async with server() as local:
        url = f"{local.url.replace('http', 'ws', 1)}{PATH}?{urlencode(SETTINGS)}"
        headers = {"X-API-Key": local.key, "Cartesia-Version": "2026-03-01"}
        async with websockets.connect(url, additional_headers=headers) as socket:
            assert json.loads(await socket.recv())["type"] == "connected"
            for start in range(0, len(SENTENCE), 640):
                await socket.send(SENTENCE[start : start + 640])
            await socket.send('{"type": "close"}')
            messages = await asyncio.wait_for(everything(socket), 2.0)
    assert messages[-1]["type"] == "turn.end"
    assert messages[-1]["transcript"] == synthetic.text(0, 4)
