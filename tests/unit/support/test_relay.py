"""The relay of the room tests: what it passes on, what it loses, and that the same seed loses the same packets."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing

from support.relay import DARK, FAIR, Relay, Way, Weather, udp_socket

PACKETS = 1000


HERE = "127.0.0.1"
"""The one address that every machine has."""


@asynccontextmanager
async def before_an_echo(spoils: Callable[[int], bool]) -> AsyncIterator[Relay]:
    """A relay to a server that sends back what it gets."""
    loop = asyncio.get_running_loop()
    with closing(udp_socket()) as server:
        server.bind((HERE, 0))
        loop.add_reader(server, lambda: server.sendto(*server.recvfrom(2048)))
        async with Relay(spoils=spoils, address=HERE, server_port=server.getsockname()[1]) as relay:
            yield relay
        loop.remove_reader(server)


def client_of(relay: Relay) -> socket.socket:
    client = udp_socket()
    client.connect((HERE, relay.port))
    return client


async def comes_back(client: socket.socket, packet: bytes = b"ping") -> bool:
    client.send(packet)
    try:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 2048), 0.5) == packet
    except asyncio.TimeoutError:
        return False


async def passed(seed: str, weather: Weather) -> list[int]:
    """Which of the packets, by number, get through at once."""
    way, through = Way(seed), list[int]()
    for number in range(PACKETS):
        way.carry(weather, lambda number=number: through.append(number))  # type: ignore[misc]
    assert (way.passed, way.lost) == (len(through), PACKETS - len(through))
    return through


async def test_the_same_seed_loses_the_same_packets() -> None:
    weather = Weather(loss=0.05)
    first = await passed("a", weather)
    assert first == await passed("a", weather)
    assert first != await passed("b", weather)
    assert 0.03 < 1 - len(first) / PACKETS < 0.07
    assert await passed("a", FAIR) == list(range(PACKETS))
    assert await passed("a", DARK) == []


async def test_only_the_flows_it_is_told_to_are_spoilt() -> None:
    good = 0
    async with before_an_echo(lambda port: port != good) as relay:
        with closing(client_of(relay)) as guest, closing(client_of(relay)) as agent:
            good = guest.getsockname()[1]
            assert await comes_back(guest)
            assert await comes_back(agent)
            relay.weather = DARK
            assert await comes_back(guest)
            assert not await comes_back(agent)
            relay.weather = FAIR
            assert await comes_back(agent)
        assert [flow.spoilt for flow in relay.flows] == [False, True]
        assert [flow.up.lost for flow in relay.spoilt] == [1]


async def test_a_packet_takes_its_time_each_way() -> None:
    async with before_an_echo(lambda _: True) as relay:
        with closing(client_of(relay)) as client:
            relay.weather = Weather(delay_s=(0.02, 0.06))
            sent = time.monotonic()
            assert await comes_back(client)
            assert time.monotonic() - sent >= 0.04


async def test_a_server_that_is_gone_is_no_error() -> None:
    with closing(udp_socket()) as silent:
        silent.bind((HERE, 0))
        gone = silent.getsockname()[1]
    async with Relay(spoils=lambda _: True, address=HERE, server_port=gone) as relay:
        with closing(client_of(relay)) as client:
            assert not await comes_back(client)
            assert not await comes_back(client)
        assert relay.flows[0].up.passed == 2
