"""One prewarmed connection by itself; tests/session/test_prewarm.py has what a session makes of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from livekit.agents import APIError, APITimeoutError, utils
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.net import prewarming as warm
from livekit.plugins.cartesia_turns.net.connection import Connection
from livekit.plugins.cartesia_turns.net.dialer import Credentials, Dialer
from livekit.plugins.cartesia_turns.net.prewarming import Prewarmer
from livekit.plugins.cartesia_turns.server import Faults, LocalServer, Script, say
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnSettings, TurnStart
from livekit.plugins.cartesia_turns.wire.options import Options, endpoint
from livekit.plugins.cartesia_turns.wire.vendor import API_VERSION
from support.calls import silent_frame, talking
from support.stage import Stage
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


async def test_one_that_was_waited_for_is_given_up_with_whoever_waited(warmth: Warmth) -> None:
    warmth.server.faults = Faults(no_connected=True)
    prewarmer = Prewarmer(warmth.connect, Options, greeting_timeout_s=30.0)
    waiting = asyncio.create_task(prewarmer.take(Options(), timeout_s=30.0))
    await until(lambda: warmth.server.open_streams)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    await until(lambda: not warmth.server.open_streams)


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


async def test_after_one_that_was_closed_or_failed_another_one_is_made_when_it_is_asked_for(
    warmth: Warmth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "KEEP_S", 0.05)
    async with aiohttp.ClientSession() as session:
        for count, faults in enumerate([Faults(), Faults(status=503), Faults(), Faults()], 1):
            warmth.server.faults = faults
            await until(lambda count=count: _prewarm(warmth, session) == count)  # type: ignore[misc]
            await until(lambda: not warmth.server.open_streams)
        await warmth.dialer.aclose()


def _prewarm(warmth: Warmth, session: aiohttp.ClientSession) -> int:
    """Asks for a connection, and returns how many handshakes the server has seen."""
    warmth.dialer.prewarm(session, Options)
    return len(warmth.server.handshakes)


# Another event loop.

SPOKEN = Script([say(0.1, TurnStart("")), say(0.1, TurnEnd("", "hello"))])


async def end(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Town:
    """A server that is there in each loop anew, at the same address, and one STT for all of them."""

    def __init__(self) -> None:
        self._port = 0
        self.server = self._server(self._port)
        self.stt: cartesia_turns.STT | None = None
        self._left: set[asyncio.Task[Any]] = set()

    def _server(self, port: int) -> LocalServer:
        return LocalServer(port=port, key="the only key", script=SPOKEN)

    def run(self, work: Callable[[LocalServer, cartesia_turns.STT], Awaitable[None]], *, orderly: bool = True) -> None:
        """Runs it in a loop that is closed after it: as `asyncio.run` does, or with all that is left over in it."""
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._work(work))
            left = asyncio.all_tasks(loop)
            if orderly:
                loop.run_until_complete(end(left))
            else:
                self._left |= left
        finally:
            loop.close()

    def bury(self) -> None:
        """Ends what was left over: Python complains of whatever waits for ever, when it lets go of it."""
        for task in self._left:
            # asyncio would write of it after the last test.
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # a name of asyncio's own
            for _ in range(10):
                with contextlib.suppress(RuntimeError, APIError):
                    task.get_coro().close()

    async def _work(self, work: Callable[[LocalServer, cartesia_turns.STT], Awaitable[None]]) -> None:
        async with self._server(self._port) as self.server, aiohttp.ClientSession():
            self._port = urlsplit(self.server.url).port or 0
            if self.stt is None:
                self.stt = cartesia_turns.STT(base_url=self.server.url, api_key=self.server.key)
            async with utils.http_context.open():
                await work(self.server, self.stt)


async def prewarm(server: LocalServer, owner: cartesia_turns.STT) -> None:
    owner.prewarm()
    await until(lambda: server.connections)


async def begin_a_call(server: LocalServer, owner: cartesia_turns.STT) -> None:
    stream = owner.stream()
    stream.push_frame(silent_frame(0.1))
    await until(lambda: owner.stats.turns)
    LEFT_OVER.append(stream)


LEFT_OVER: list[cartesia_turns.SpeechStream] = []


async def hear(server: LocalServer, owner: cartesia_turns.STT) -> None:
    """A whole turn, with all that an STT does to its streams meanwhile."""
    async with talking(owner) as call:
        owner.update_options(turn_end_timeout_ms=3000)
        with owner.turn_profile("digits"):
            call.push(0.3)
            await until(lambda: "END" in call.log)
        assert call.log == ["START", "FINAL hello", "END"]
        assert not call.errors
    await owner.aclose()


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("orderly", [True, False])
@pytest.mark.parametrize("before", [prewarm, begin_a_call])
def test_what_is_left_of_an_stt_in_a_loop_that_is_closed_harms_nobody_in_the_next_one(
    before: Callable[[LocalServer, cartesia_turns.STT], Awaitable[None]], *, orderly: bool
) -> None:
    town = Town()
    town.run(before, orderly=orderly)
    town.run(prewarm)
    assert len(town.server.connections) == 1
    town.run(hear)
    town.bury()


async def test_what_is_prewarmed_in_another_thread_is_left_to_it_and_closed_there(warmth: Warmth) -> None:
    async def make() -> Prewarmer:
        async with aiohttp.ClientSession() as session:
            made = Prewarmer(partial(warmth._open, session), Options)
            ready.set_result(made)
            await until(made._task.done)
        return made

    ready: Future[Prewarmer] = Future()
    elsewhere = asyncio.create_task(asyncio.to_thread(asyncio.run, make()))
    prewarmer = await asyncio.wrap_future(ready)
    await until(lambda: warmth.server.open_streams)
    assert not prewarmer.is_of_this_loop
    await prewarmer.aclose()
    await until(lambda: not warmth.server.open_streams)
    await elsewhere
