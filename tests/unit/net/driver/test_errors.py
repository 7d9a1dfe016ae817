"""An error that the server sends over an open socket."""

from __future__ import annotations

import pytest
from livekit.agents import APIStatusError
from livekit.plugins.cartesia_turns import ServerError
from livekit.plugins.cartesia_turns.server import Line, LocalServer, Script, say
from livekit.plugins.cartesia_turns.wire.messages import ErrorMessage
from support.calls import calling
from support.script import START, end, playing, update
from support.waiting import until

UPDATE = update("a")
END = end("a b")


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_an_in_band_error_about_the_key_or_the_endpoint_surfaces_at_once(status: int) -> None:
    error = ErrorMessage("Not so.", "Refused", status, "nope", "r-1", "https://docs/x")
    async with LocalServer(script=playing(error)) as server, calling(server) as call:
        call.push(0.2)
        await call.over()
        assert len(server.handshakes) == 1
    assert isinstance(call.raised, ServerError)
    assert isinstance(call.raised, APIStatusError)
    assert (call.raised.status_code, call.raised.request_id, call.raised.title) == (status, "r-1", "Refused")
    assert (call.raised.error_code, call.raised.doc_url) == ("nope", "https://docs/x")
    assert "Refused: Not so." in call.raised.message
    assert [error.recoverable for error in call.errors] == [False]
    assert call.named("connection_error")[0].retry_in_s is None


@pytest.mark.parametrize("status", [400, 408, 409, 422, 429, 500, 503])
async def test_any_other_in_band_error_is_told_and_survived(status: int) -> None:
    error = ErrorMessage("Busy.", "Later", status)
    scripts = [playing(START, UPDATE, error), playing(START, UPDATE, END)]
    async with LocalServer(script=scripts) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
    assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]
    assert not call.errors
    told = call.named("connection_error")
    assert [(event.error.status_code, event.retry_in_s is None) for event in told] == [(status, False)]


async def test_an_in_band_error_that_comes_again_and_again_surfaces_in_the_end() -> None:
    error = ErrorMessage("Not so.", "Refused", 400)
    async with (
        LocalServer(script=playing(START, UPDATE, error)) as server,
        calling(server, outage_timeout=0.5) as call,
    ):
        call.push(0.2)
        await call.over()
    assert isinstance(call.raised, ServerError)
    assert call.raised.status_code == 400
    told = [event.retry_in_s is None for event in call.named("connection_error")]
    assert len(told) > 1
    assert told == [*[False] * (len(told) - 1), True]


@pytest.mark.parametrize("fields", [{}, {"message": None, "status_code": "soon"}, {"message": 7, "request_id": []}])
async def test_an_in_band_error_without_usable_fields_is_one_of_a_failing_server(fields: dict[str, object]) -> None:
    odd = Script([say(0.1, START), Line(0.1, {"type": "error", **fields})])
    async with LocalServer(script=[odd, playing(START, UPDATE, END)]) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
    assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]
    told = call.named("connection_error")
    assert [(event.error.status_code, event.error.retryable) for event in told] == [(500, True)]


async def test_an_in_band_error_whose_status_is_text_is_read_all_the_same() -> None:
    odd = Script([Line(0.1, {"type": "error", "status_code": "402"})])
    async with LocalServer(script=odd) as server, calling(server) as call:
        call.push(0.2)
        await call.over()
    assert isinstance(call.raised, ServerError)
    assert (call.raised.status_code, call.raised.retryable) == (402, False)


async def test_an_error_closes_an_open_turn_before_it_surfaces() -> None:
    script = playing(START, UPDATE, ErrorMessage("No.", "Refused", 403))
    async with LocalServer(script=script) as server, calling(server) as call:
        call.push(0.2)
        await call.over()
    assert call.log == ["START", "INTERIM a", "FINAL a", "END"]
    assert isinstance(call.raised, ServerError)
