from __future__ import annotations

import asyncio
import time

import pytest
from livekit.plugins.cartesia_turns.doctor.calls import Call, Server
from livekit.plugins.cartesia_turns.errors import ServerError
from livekit.plugins.cartesia_turns.server import Faults
from support.localserver import server

SECRET = "sk-the-very-secret-key"


async def test_a_call_notes_the_events_of_the_plugin_with_their_times(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server() as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        began = time.time()
        async with Call(Server(local.url).stt(), 5.0) as call:
            assert await call.connect()
            assert call.connected is not None
            (told,) = call.all(type(call.connected))
            assert began <= told.at_wall <= time.time()
        assert local.open_streams == 0


async def test_a_call_is_never_tried_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(faults=Faults(status=503)) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        async with Call(Server(local.url).stt(), 5.0) as call:
            assert not await call.connect()
            assert isinstance(call.trouble, ServerError)
            assert call.is_over
    assert len(local.handshakes) == 1


async def test_audio_that_is_pushed_as_a_stream_ends_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(faults=Faults(status=503)) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        async with Call(Server(local.url).stt(), 5.0) as call:
            while not call.is_over:
                call.push(bytes(640), 16000)
                await asyncio.sleep(0)
            call.push(bytes(640), 16000)
            assert isinstance(call.trouble, ServerError)


async def test_a_wait_is_over_when_its_time_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(faults=Faults(no_connected=True)) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        async with Call(Server(local.url).stt(), 5.0) as call:
            assert not await call.until(lambda: call.connected, 0.1)
            assert call.trouble is None


def test_a_token_is_not_shown() -> None:
    assert SECRET not in repr(Server("https://cartesia.test", token=SECRET))
