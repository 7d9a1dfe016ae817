"""Rooms whose agent has a bad connection and whose guest has a good one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import psutil
from room.guest import Guest
from room.stage import ARTIFACTS, KEY, SpeechServer
from roomkit.grants import LivekitAccess
from roomkit.livekit_server import LivekitServer
from roomkit.worker import Worker
from support.proxy import Proxy
from support.relay import Relay


@asynccontextmanager
async def behind_a_proxy(speech: SpeechServer, room: str) -> AsyncIterator[tuple[Guest, Proxy]]:
    """The worker and its agent reach livekit-server's signalling by way of the proxy."""
    async with LivekitServer(log=ARTIFACTS / "room-network-livekit.log") as server, Proxy(server.url) as proxy:
        access = access_to(server)
        worker = worker_for(replace(access, url=proxy.url.replace("http", "ws")), speech)
        async with worker, Guest(access, room=room) as guest:
            await guest.agent_is_here()
            yield guest, proxy


@asynccontextmanager
async def behind_a_relay(speech: SpeechServer, room: str) -> AsyncIterator[tuple[Guest, Relay]]:
    """All media pass the relay, which spoils the agent's: sockets of other processes than this one, the guest's."""
    async with Relay(spoils=lambda port: port not in own_udp_ports()) as relay:
        # A lite server waits to be reached; else it would reach the clients by itself, past the relay.
        media = {"udp_port": relay.port, "node_ip": Relay.ADDRESS, "use_ice_lite": True}
        async with LivekitServer(log=ARTIFACTS / "room-network-livekit.log", rtc=media) as server:
            access = access_to(server)
            async with worker_for(access, speech), Guest(access, room=room) as guest:
                await guest.agent_is_here()
                yield guest, relay


def access_to(server: LivekitServer) -> LivekitAccess:
    return LivekitAccess(server.url, server.api_key, server.api_secret)


def worker_for(access: LivekitAccess, speech: SpeechServer) -> Worker:
    ears = {"CARTESIA_TURNS_URL": speech.url, "CARTESIA_API_KEY": KEY}
    return Worker(access, log=ARTIFACTS / "room-network-agent.log", environment=ears)


def own_udp_ports() -> set[int]:
    """Where this process's UDP sockets are bound."""
    return {connection.laddr.port for connection in psutil.Process().net_connections("udp4")}
