from __future__ import annotations

import inspect

import pytest
from livekit.agents import APIConnectOptions, APIStatusError
from livekit.plugins.cartesia_turns.server import Faults
from livekit.plugins.cartesia_turns.testing import LASTING_FAULTS, PASSING_FAULTS, ScriptedServer, fault, faults, say

STATUSES = {"refused once": [0, 101], "unavailable once": [503, 101], "too many streams once": [429, 101]}
CODES = {"connection reset": 1006, "server restarts": 1012, "server error": 1011, "closed while idle": 1001}
TRACES = {"garbage": "not JSON", "config rejected": "A fault set from Python."}


def struck(name: str, server: ScriptedServer, took_s: float) -> bool:
    """Whether the server notes what this fault must leave behind."""
    codes = [record.close_code for record in server.connections]
    sent = [frame for record in server.connections for _, frame in record.messages]
    if name == "slow handshake":
        return took_s >= 0.5
    return (
        [handshake.status for handshake in server.handshakes] == STATUSES.get(name, [101] * len(codes))
        and (len(codes) == 1 if name not in CODES else codes[0] == CODES[name] and len(codes) == 2)
        and (name not in TRACES or any(TRACES[name] in str(frame) for frame in sent))
    )


@pytest.mark.parametrize("name", PASSING_FAULTS)
async def test_a_passing_fault_strikes_and_costs_no_word(name: str) -> None:
    async with ScriptedServer(faults=name) as server:
        stt = server.stt(catch_up_speed=20.0, turn_end_timeout_ms=2000)
        async with server.stream(stt, fast=True) as call:
            await call.say("my name is Ada")
            stt.update_options(turn_end_timeout_ms=3000)
            heard = await call.play(say("and I have", pause=0.4), say("a question"))
            heard.assert_turns("my name is Ada", "and I have a question")
            heard.assert_no_errors()
            assert struck(name, server, heard.turns[0].started_s), server.report


async def test_a_wrong_key_ends_the_call_at_once() -> None:
    async with ScriptedServer(faults="wrong key") as server, server.stream() as call:
        await call.until(lambda: call.heard.errors, "the error")
        assert isinstance(call.heard.errors[0], APIStatusError)
        assert call.heard.errors[0].status_code == 401


@pytest.mark.parametrize("name", ["refused", "unavailable"])
async def test_a_lasting_fault_ends_the_call_once_the_retries_are_used_up(name: str) -> None:
    once_more = APIConnectOptions(max_retry=1)
    async with ScriptedServer(faults=name) as server, server.stream(conn_options=once_more) as call:
        await call.until(lambda: call.heard.errors, "the error")
        with pytest.raises(AssertionError, match="the stream has ended"):
            await call.say("hello")
        assert not call.heard.turns
        assert len(server.handshakes) == 2


def test_each_fault_is_told_what_it_does() -> None:
    documented = inspect.getsource(faults)
    names = [*PASSING_FAULTS, *LASTING_FAULTS]
    assert len(set(names)) == len(names)
    for name in PASSING_FAULTS:
        assert documented.count(f'"{name}"') == 2, name
    assert fault("unavailable") == Faults(status=503)


@pytest.mark.parametrize("name", ["", "Refused", "dropped"])
def test_a_name_of_no_fault_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name!r} is not the name of a fault: .*refused once.*wrong key"):
        fault(name)
    with pytest.raises(ValueError, match="is not the name of a fault"):
        ScriptedServer(faults=name)
    with pytest.raises(ValueError, match="is not the name of a fault"):
        ScriptedServer().faults = name
