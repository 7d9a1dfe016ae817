"""An event loop that is held up while the server answers: what has come is read before anything is missed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator

from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.core.requests import FLUSH_S
from livekit.plugins.cartesia_turns.server import LocalServer, Script, say
from support.calls import talking
from support.script import START, end, update
from support.waiting import until


@contextlib.contextmanager
def server_of_its_own(script: Script) -> Iterator[LocalServer]:
    """A server in an event loop of its own, which answers whatever holds up that of the client."""
    loop, server = asyncio.new_event_loop(), LocalServer(script=script)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def test_a_flush_is_answered_with_the_final_that_came_while_the_event_loop_was_held_up() -> None:
    script = Script([say(0.1, START), say(0.1, update("a")), say(0.4, end("a b c"))])
    with server_of_its_own(script) as server:
        async with talking(cartesia_turns.STT(base_url=server.url, api_key=server.key)) as call:
            call.push(0.2)
            await until(lambda: "INTERIM a" in call.log)
            call.stream.flush()
            while call.stream.stats.silent_s < 0.3:  # noqa: ASYNC110 - no event, and no time may pass
                await asyncio.sleep(0)
            time.sleep(FLUSH_S + 0.2)  # noqa: ASYNC251 - it is the event loop that is held up
            await until(lambda: "END" in call.log)
        assert call.log == ["START", "INTERIM a", "FINAL a b c", "END"]
