import asyncio
import contextlib
import socket

import aiohttp
import pytest
from livekit.plugins.cartesia_turns.server import Faults, LocalServer
from livekit.plugins.cartesia_turns.wire.messages import Connected, TurnEnd
from support.calls import calling
from support.localserver import SENTENCE, kinds, server
from support.rawclient import BOUND_S, connected
from support.waiting import until


async def test_the_port_is_free_again_after_the_server_and_clients_are_told_1001() -> None:
    async with server() as first:
        async with connected(first) as client:
            await client.until(Connected)
            stopping = asyncio.create_task(first.aclose())
            await client.rest()
            assert client.socket.close_code == 1001
            await stopping
        port = int(first.url.rpartition(":")[2])
    async with server(port=port) as second, connected(second) as client:
        await client.until(Connected)
        assert second.url == first.url


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_no_computer_has_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match=f"port={port} is out of range"):
        LocalServer(port=port)


def has_ipv6_loopback() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.skipif(not has_ipv6_loopback(), reason="needs ::1, which containers may not have")
async def test_the_address_may_be_of_ipv6() -> None:
    async with server(host="::1") as local, connected(local) as client:
        await client.until(Connected)
        assert local.url.startswith("http://[::1]:")
        async with calling(local) as call:
            call.push(0.1)
            await until(lambda: call.named("connected"))


async def test_an_outage_refuses_new_connections_and_keeps_the_open_ones() -> None:
    async with server() as local, connected(local) as client:
        await client.until(Connected)
        await local.pause_accepting()
        with pytest.raises(aiohttp.ClientConnectorError):
            async with connected(local):
                pass
        await client.send(SENTENCE)
        await client.until(TurnEnd)
        await local.resume_accepting()
        async with connected(local) as second:
            assert isinstance(await second.next(), Connected)


@pytest.mark.parametrize(("code", "seen"), [(None, {1006, None}), (1012, {1012})])
async def test_all_connections_can_be_dropped_at_once(code: int | None, seen: set[int | None]) -> None:
    async with server() as local, connected(local) as first, connected(local) as second:
        await asyncio.gather(first.until(Connected), second.until(Connected))
        dropping = asyncio.create_task(local.drop_all(code))
        await asyncio.gather(first.rest(), second.rest())
        await asyncio.wait_for(dropping, BOUND_S)
        assert {first.socket.close_code, second.socket.close_code} <= seen
        assert [record.close_code for record in local.connections] == [code or 1006] * 2


async def test_faults_can_be_changed_between_connections() -> None:
    async with server(faults=Faults(no_connected=True)) as local:
        async with connected(local) as client:
            assert kinds(await client.close()) == []
        local.faults = Faults()
        async with connected(local) as client:
            assert kinds(await client.close()) == [Connected]
