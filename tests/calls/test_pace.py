"""A server that takes a backlog no faster than it likes: every word, one turn, and the next call knows."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns import ServerError
from livekit.plugins.cartesia_turns.server import Faults, LocalServer, Script
from support.calls import Call, talking
from support.numbered import Ears, Microphone
from support.waiting import until

END_TIMEOUT_MS = 640


def owner_on(server: LocalServer, **arguments: Any) -> cartesia_turns.STT:
    return cartesia_turns.STT(base_url=server.url, api_key=server.key, turn_end_timeout_ms=END_TIMEOUT_MS, **arguments)


async def said(call: Call, mic: Microphone, *seconds: float, within_s: float) -> list[str]:
    """Speaks, loses the socket on the way, and waits until all words are final."""
    words = await mic.play(*seconds)
    expected = " ".join(map(str, words))
    with contextlib.suppress(AssertionError):
        await until(lambda: sum(map(len, call.finals)) >= len(expected) and call.log[-1] == "END", within_s=within_s)
    assert call.finals == [expected]
    return call.log


async def interrupted(server: LocalServer, call: Call, mic: Microphone, at_s: float) -> None:
    await asyncio.sleep(at_s)
    await server.drop_all(1012)


@pytest.mark.parametrize(
    ("faults", "speed"),
    [
        (Faults(max_pace=1.5), 1.4),
        (Faults(max_pace=1.05), 1.0),
        (Faults(max_pace=1.05, pace_burst_s=0.5, pace_status=429), 1.0),
    ],
)
@pytest.mark.slow(reason="a turn of some seconds is replayed in real time")
async def test_a_server_that_ends_a_socket_for_its_speed_gets_every_word_of_one_turn(
    faults: Faults, speed: float
) -> None:
    async with LocalServer(responder=Ears(), faults=faults) as server, talking(owner_on(server)) as call:
        mic = Microphone(call.stream.push_frame)
        mic.start()
        await until(lambda: call.named("connected"))
        dropping = asyncio.create_task(interrupted(server, call, mic, 3.0))
        log = await said(call, mic, 0.5, 3.5, 1.0, within_s=20.0)
        await dropping
        await mic.stop()
        assert [log.count(entry) for entry in ("START", "END")] == [1, 1]
        assert not call.errors
        assert call.stt._dialer.pace.speed(4.0, asyncio.get_running_loop().time()) == speed


async def test_what_one_call_has_learned_the_next_one_knows() -> None:
    async with LocalServer(script=Script([]), faults=Faults(max_pace=1.5)) as server:
        for failures in (2, 0):
            async with talking(owner_on(server)) as call:
                for _ in range(30):
                    call.speak(0.1)
                await until(lambda: call.stream.stats.sent_s and not call.stream.stats.backlog_s)
                assert call.stream.stats.drops == failures


async def test_an_error_for_the_speed_surfaces_only_when_slower_is_no_help() -> None:
    faults = Faults(max_pace=0.01, pace_burst_s=0.5)
    async with LocalServer(script=Script([]), faults=faults) as server:
        async with talking(owner_on(server, outage_timeout=0.0)) as call:
            for _ in range(30):
                call.speak(0.1)
            await call.over()
        assert isinstance(call.raised, ServerError)
        assert call.raised.status_code == 400
        assert [event.retry_in_s for event in call.named("connection_error")] == [0.0, 0.0, 0.0, None]


async def test_a_backlog_goes_out_at_the_speed_that_was_asked_for() -> None:
    async with LocalServer(script=Script([])) as server, talking(owner_on(server, catch_up_speed=10.0)) as call:
        began = asyncio.get_running_loop().time()
        for _ in range(10):
            call.speak(1.0)
        await until(lambda: call.stream.stats.sent_s == pytest.approx(10.0))
        assert 0.8 < asyncio.get_running_loop().time() - began < 2.5


@pytest.mark.parametrize("value", [0.9, 0, -1, float("nan"), float("inf"), "4", None, True])
def test_a_speed_below_real_time_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="catch_up_speed"):
        cartesia_turns.STT(api_key="key", catch_up_speed=value)
