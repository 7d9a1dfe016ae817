"""What is sent at once, what waits for room in the socket, and what is never confirmed: over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket as network
import time
from collections.abc import AsyncIterator

import numpy as np
import pytest
from aiohttp import WSMsgType, web
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.link import Outgoing
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.net.connection import Connection
from livekit.plugins.cartesia_turns.net.sender import Sender
from livekit.plugins.cartesia_turns.wire.messages import Connected
from livekit.plugins.cartesia_turns.wire.options import Options
from support.peers import counted_session, web_peer
from support.waiting import until

OPTIONS = Options(sample_rate=48000)
FRAME = bytes(1920)
SMALL, LARGE = 4096, 1 << 20
"""Sizes of a socket's buffers. Less audio fills a small one than a client has on its way at once."""


class Ends:
    """A sender on an open socket, and what its peer has heard."""

    def __init__(self) -> None:
        limits = Limits(catch_up_speed=1000.0)
        self.client = TurnsClient(OPTIONS, limits, time.monotonic())
        self.losses = 0
        self.rooms: list[Outgoing | None] = []
        self.sender = Sender(self.client, lost=self._lost, has_room=self.rooms.append)
        self.may_read = asyncio.Event()
        self.heard = 0
        self.socket: network.socket

    def read(self) -> None:
        """Lets the peer read what waits in the buffers, and all that follows."""
        _resize(self.socket, network.SO_SNDBUF, LARGE)
        self.may_read.set()

    def push(self, pcm: bytes) -> None:
        self.client.push_audio(pcm, time.monotonic())
        self.sender.send_waiting()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(max_msg_size=0)
        await ws.prepare(request)
        assert request.transport is not None
        socket = request.transport.get_extra_info("socket")
        _resize(socket, network.SO_RCVBUF, SMALL)
        await self.may_read.wait()
        _resize(socket, network.SO_RCVBUF, LARGE)
        async for message in ws:
            self.heard += len(message.data) if message.type is WSMsgType.BINARY else 0
        return ws

    def _lost(self) -> None:
        self.losses += 1


@contextlib.asynccontextmanager
async def ends() -> AsyncIterator[Ends]:
    both = Ends()
    async with web_peer(both.serve) as url, counted_session() as (session, sockets):
        connection = await Connection.open(session, url.replace("http", "ws", 1) + "/x", {}, timeout_s=2.0)
        both.socket = sockets.made[0]
        _resize(both.socket, network.SO_SNDBUF, SMALL)
        both.client.link_opened(OPTIONS, time.monotonic())
        both.client.receive(Connected("r"), time.monotonic())
        both.sender.connection = connection
        try:
            yield both
        finally:
            both.may_read.set()
            await connection.close()
            await until(lambda: sockets.open == 0)


def _resize(socket: network.socket, buffer: int, size: int) -> None:
    socket.setsockopt(network.SOL_SOCKET, buffer, size)


async def fill(both: Ends) -> None:
    """Sends until the buffers of the socket are full."""
    noise = np.random.default_rng(1).integers(-9000, 9000, 48000, np.int16).tobytes()
    for _ in range(50):
        both.push(noise)
        await asyncio.sleep(0.01)
    assert not both.sender.is_free


async def test_all_that_may_go_out_goes_out_in_the_callers_step() -> None:
    async with ends() as both:
        both.may_read.set()
        both.push(FRAME)
        assert both.client.stats.sent_s == pytest.approx(0.02)
        await until(lambda: both.heard == len(FRAME))


async def test_live_audio_waits_for_nothing_and_is_left_to_others_where_it_must() -> None:
    async with ends() as both:
        both.may_read.set()
        assert not both.sender.send_live(FRAME, time.monotonic())
        both.push(FRAME)
        assert both.sender.send_live(FRAME, time.monotonic())
        await until(lambda: both.heard == 2 * len(FRAME))
        both.sender.connection = None
        assert not both.sender.is_free
        assert not both.sender.send_live(FRAME, time.monotonic())


async def test_a_full_socket_is_waited_for_and_its_item_is_confirmed_by_whoever_hears_of_the_room() -> None:
    async with ends() as both:
        await fill(both)
        sent_s = both.client.stats.sent_s
        both.push(FRAME)
        assert not both.sender.send_live(FRAME, time.monotonic())
        assert both.client.stats.sent_s == sent_s
        assert not both.rooms
        both.read()
        await until(lambda: both.rooms)
        assert both.sender.is_free
        [item] = both.rooms
        assert item is not None
        both.client.sent(item, time.monotonic())
        assert both.client.stats.sent_s > sent_s


async def test_what_has_filled_a_socket_is_not_sent_again_before_it_is_confirmed() -> None:
    async with ends() as both:
        await fill(both)
        both.read()
        while not both.rooms:
            # The socket may have room one step of the event loop before anybody hears of it.
            assert not both.sender.is_free
            await asyncio.sleep(0)
        assert both.sender.is_free


async def test_what_fills_a_socket_that_then_ends_is_never_confirmed() -> None:
    async with ends() as both:
        await fill(both)
        connection, both.sender.connection = both.sender.connection, None
        assert connection is not None
        await connection.close()
        await asyncio.sleep(0.05)
        assert (both.rooms, both.losses) == ([], 0)


async def test_a_socket_that_is_lost_while_it_is_full_is_reported() -> None:
    async with ends() as both:
        await fill(both)
        connection = both.sender.connection
        assert connection is not None
        await connection.close()
        await until(lambda: both.losses)
        assert not both.rooms


async def test_a_send_on_a_socket_that_is_gone_is_reported_and_not_raised() -> None:
    async with ends() as both:
        both.push(FRAME)
        connection = both.sender.connection
        assert connection is not None
        await connection.close()
        both.push(FRAME)
        assert both.losses
