"""A socket that is closed, or refused, in place of `connected`."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns import ServerError
from livekit.plugins.cartesia_turns.errors import DroppedError
from livekit.plugins.cartesia_turns.server import Faults, LocalServer, Script, say
from livekit.plugins.cartesia_turns.wire.messages import ErrorMessage
from support.calls import calling
from support.script import SAYS_NOTHING, START, end, playing, update
from support.waiting import until

UPDATE = update("a")
END = end("a b")


async def test_a_first_socket_closed_as_not_allowed_before_connected_is_final() -> None:
    faults = Faults(no_connected=True, drop_at_s=0.0, drop_code=1008)
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server, calling(server) as call:
        call.push(0.2)
        await call.over()
        assert len(server.handshakes) == 1
    assert isinstance(call.raised, DroppedError)
    assert call.raised.code == 1008
    assert "settings" in str(call.raised)


async def test_an_error_in_place_of_connected_surfaces_with_what_it_says() -> None:
    error = ErrorMessage("No such model.", "Bad request", 400, "invalid_request", "r-1")
    script = Script([say(0.0, error)])
    faults = Faults(no_connected=True, drop_at_s=0.1, drop_code=1008)
    async with LocalServer(script=script, faults=faults) as server, calling(server) as call:
        call.push(0.2)
        await call.over()
        assert len(server.handshakes) == 1
    assert isinstance(call.raised, ServerError)
    assert (call.raised.status_code, call.raised.error_code) == (400, "invalid_request")
    assert "Bad request: No such model." in call.raised.message


IN_PLACE = Faults(no_connected=True, drop_at_s=0.0, drop_code=1008)


def refused(status: int) -> Script:
    return Script([say(0.0, ErrorMessage("Not now.", "Bad request", status, "invalid_request"))])


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_in_a_call_an_error_in_place_of_connected_is_tried_again_as_any_odd_answer(status: int) -> None:
    scripts = [playing(START, UPDATE), refused(status), playing(START, END)]
    async with LocalServer(script=scripts, faults=[Faults(), IN_PLACE]) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await server.drop_all()
        await until(lambda: "END" in call.log)
        assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]
        assert len(server.handshakes) == 3
        assert not call.errors


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_in_a_call_the_servers_own_refusal_in_place_of_connected_ends_it(status: int) -> None:
    scripts = [playing(START, UPDATE), refused(status)]
    async with LocalServer(script=scripts, faults=[Faults(), IN_PLACE]) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await server.drop_all()
        await call.over()
        assert len(server.handshakes) == 2
    assert isinstance(call.raised, ServerError)
    assert call.raised.status_code == status
