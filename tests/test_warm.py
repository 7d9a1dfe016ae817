"""One prewarmed connection by itself; tests/session/test_prewarm.py has what a session makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial

import aiohttp
import pytest
import pytest_asyncio
from livekit.agents import APITimeoutError
from livekit.plugins.cartesia_turns import warm
from livekit.plugins.cartesia_turns.connection import Connection
from livekit.plugins.cartesia_turns.dialer import Credentials, Dialer
from livekit.plugins.cartesia_turns.messages import TurnSettings
from livekit.plugins.cartesia_turns.options import Options, endpoint
from livekit.plugins.cartesia_turns.server import Faults, LocalServer
from livekit.plugins.cartesia_turns.vendor import API_VERSION
from livekit.plugins.cartesia_turns.warm import Prewarmer
from stage import Stage
from support.waiting import until


class Warmth:
    """A server, and what makes prewarmers for it."""

    def __init__(self, server: LocalServer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.dialer = Dialer(endpoint(server.url), Credentials(server.key), {}, API_VERSION)
        self.connect = partial(self._open, session)

    async def _open(self, session: aiohttp.ClientSession, options: Options) -> Connection:
        return await self.dialer.open(session, options, timeout_s=5.0)

    def prewarmer(self, options: Callable[[], Options] = Options) -> Prewarmer:
        return Prewarmer(self.connect, options, greeting_timeout_s=0.3)


@pytest_asyncio.fixture
async def warmth() -> AsyncIterator[Warmth]:
    async with LocalServer(responder=Stage()) as server, aiohttp.ClientSession() as session:
        yield Warmth(server, session)


async def test_it_is_handed_over_once_with_the_servers_greeting(warmth: Warmth) -> None:
    prewarmer = warmth.prewarmer()
    taken = await prewarmer.take(Options(), timeout_s=5.0)
    assert taken is not None
    assert taken.greeting is not None
    assert taken.greeting.request_id == warmth.server.connections[0].request_id
    assert await prewarmer.take(Options(), timeout_s=5.0) is None
    await taken.connection.close()


async def test_other_turn_settings_are_no_reason_for_another_connection(warmth: Warmth) -> None:
    taken = await warmth.prewarmer().take(Options(turn=TurnSettings(end_threshold=0.3)), timeout_s=5.0)
    assert taken is not None
    assert taken.options == Options()
    await taken.connection.close()


async def test_what_only_the_url_can_carry_is_one(warmth: Warmth) -> None:
    assert await warmth.prewarmer().take(replace(Options(), keyterms=("LiveKit",)), timeout_s=5.0) is None
    await until(lambda: not warmth.server.open_streams)


async def test_a_wait_that_takes_too_long_gives_the_connection_up(warmth: Warmth) -> None:
    warmth.server.faults = Faults(handshake_delay_s=2.0)
    with pytest.raises(APITimeoutError):
        await warmth.prewarmer().take(Options(), timeout_s=0.1)
    assert not warmth.server.open_streams


@pytest.mark.parametrize("faults", [Faults(status=503), Faults(refuse=True), Faults(no_connected=True)])
async def test_one_that_fails_is_none(warmth: Warmth, faults: Faults) -> None:
    warmth.server.faults = faults
    assert await warmth.prewarmer().take(Options(), timeout_s=5.0) is None
    await until(lambda: not warmth.server.open_streams)


async def test_it_is_closed_after_a_while(warmth: Warmth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "KEEP_S", 0.05)
    prewarmer = warmth.prewarmer()
    await until(lambda: warmth.server.handshakes)
    await until(lambda: not warmth.server.open_streams)
    assert await prewarmer.take(Options(), timeout_s=5.0) is None


@pytest.mark.parametrize("when", ["at once", "once it is open"])
async def test_closing_leaves_nothing_open(warmth: Warmth, when: str) -> None:
    prewarmer = warmth.prewarmer()
    if when == "once it is open":
        await until(lambda: warmth.server.open_streams)
    await prewarmer.aclose()
    await until(lambda: not warmth.server.open_streams)
