"""One socket after another: how they are opened, what they bring, how they end and what follows."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from livekit.agents import APIConnectOptions, APIStatusError, APITimeoutError
from livekit.plugins.cartesia_turns import ServerError
from livekit.plugins.cartesia_turns.core import backoff as backoff_module
from livekit.plugins.cartesia_turns.core import limiter as limiter_module
from livekit.plugins.cartesia_turns.core import liveness as liveness_module
from livekit.plugins.cartesia_turns.core import retry as retry_module
from livekit.plugins.cartesia_turns.errors import DroppedError
from livekit.plugins.cartesia_turns.server import Faults, Line, LocalServer, Script, say
from livekit.plugins.cartesia_turns.wire.messages import Connected, ErrorMessage, TurnEnd, TurnStart, TurnUpdate
from support.calls import calling
from support.proxy import Proxy, Welcome
from support.script import SAYS_NOTHING, playing
from support.waiting import holds, until

START, UPDATE, END = TurnStart(""), TurnUpdate("", "a"), TurnEnd("", "a b")


# Errors in-band.


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
async def test_an_in_band_error_that_can_not_pass_surfaces_at_once(status: int) -> None:
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


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_an_in_band_error_that_may_pass_is_told_and_survived(status: int) -> None:
    error = ErrorMessage("Busy.", "Later", status)
    scripts = [playing(START, UPDATE, error), playing(START, UPDATE, END)]
    async with LocalServer(script=scripts) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
    assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]
    assert not call.errors
    told = call.named("connection_error")
    assert [(event.error.status_code, event.error.retryable) for event in told] == [(status, True)]


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


# Sockets.


async def test_a_socket_that_is_lost_in_mid_turn_is_told_as_an_error_that_costs_no_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry_module, "STEADY_AFTER_S", 0.0)
    scripts = [playing(START, UPDATE), playing(START, END)]
    async with LocalServer(script=scripts) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await server.drop_all(1011)
        await until(lambda: "END" in call.log)
    told = call.named("connection_error")
    assert [(type(event.error), event.retry_in_s) for event in told] == [(DroppedError, 0.0)]
    assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]


async def test_a_socket_that_is_lost_between_turns_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_module, "STEADY_AFTER_S", 0.0)
    async with LocalServer(script=[playing(START, END), SAYS_NOTHING]) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
        await server.drop_all(1001)
        call.push(0.2)
        await until(lambda: len(call.named("connected")) == 2)
        assert len(call.named("disconnected")) == 1
        assert not call.named("connection_error")


@pytest.fixture
def soon_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that does not answer is dead after 0.4 s, one that served for 0.3 s a success; 0.3 s are long."""
    monkeypatch.setattr(liveness_module, "PING_EVERY_S", 0.1)
    monkeypatch.setattr(liveness_module, "DEAD_AFTER_S", 0.4)
    monkeypatch.setattr(retry_module, "DEAD_AFTER_S", 0.4)
    monkeypatch.setattr(retry_module, "STEADY_AFTER_S", 0.3)
    monkeypatch.setattr(backoff_module, "LATER_DELAY_S", 0.3)


@pytest.mark.usefixtures("soon_dead")
async def test_servers_that_die_long_after_each_other_do_not_add_up() -> None:
    options = APIConnectOptions(max_retry=1)
    async with (
        LocalServer(script=SAYS_NOTHING) as server,
        Proxy(server.url) as proxy,
        calling(server, via=proxy.url, conn_options=options) as call,
    ):
        for deaths in range(3):
            call.push(0.1)
            await until(lambda deaths=deaths: len(call.named("connected")) > deaths)  # type: ignore[misc]
            await holds(lambda: not call.is_over, for_s=0.5)
            proxy.freeze()
            await until(lambda deaths=deaths: call.stream.stats.dead_peers > deaths)  # type: ignore[misc]
        call.push(0.1)
        await until(lambda: len(call.named("connected")) == 4)
        assert [event.retry_in_s < 0.2 for event in call.named("connection_error")] == [True] * 3


@pytest.mark.usefixtures("soon_dead")
async def test_servers_that_die_one_after_the_other_surface() -> None:
    options = APIConnectOptions(max_retry=1)
    server = LocalServer(script=SAYS_NOTHING, faults=Faults(half_open_at_s=0.0))
    async with server, calling(server, conn_options=options) as call:
        call.speak(0.2)
        await call.over()
        assert len(server.handshakes) == 2
    assert isinstance(call.raised, APITimeoutError)


@pytest.mark.parametrize("ends_input", [True, False])
async def test_each_connected_has_its_disconnected_however_the_stream_ends(*, ends_input: bool) -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: call.named("connected"))
        assert not call.named("disconnected")
        if ends_input:
            call.stream.end_input()
            await call.over()
        else:
            await call.stream.aclose()
        assert [event.request_id for event in call.named("disconnected")] == [call.named("connected")[0].request_id]
        assert call.named("disconnected")[0].reason


# Connecting.


async def test_audio_goes_out_before_the_server_said_connected() -> None:
    async with LocalServer(script=SAYS_NOTHING, faults=Faults(no_connected=True)) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: server.connections and server.connections[0].audio_s == 0.2)
        assert not call.named("connected")


async def test_a_server_that_never_says_connected_is_tried_again() -> None:
    faults = [Faults(no_connected=True), Faults(no_connected=True)]
    options = APIConnectOptions(timeout=0.2)
    scripts = [SAYS_NOTHING, SAYS_NOTHING, playing(START, END)]
    async with LocalServer(script=scripts, faults=faults) as server, calling(server, conn_options=options) as call:
        call.speak(0.2)
        await until(lambda: "END" in call.log)
    failed = call.named("connection_error")
    assert [(type(event.error), event.error.retryable) for event in failed] == [(APITimeoutError, True)] * 2
    assert call.log == ["START", "FINAL a b", "END"]


async def test_audio_that_was_pushed_and_ended_before_the_socket_was_up_is_still_heard() -> None:
    faults = Faults(handshake_delay_s=0.2)
    async with LocalServer(script=playing(START, END), faults=faults) as server, calling(server) as call:
        call.push(0.2)
        call.stream.end_input()
        await call.over()
        assert server.connections[0].audio_s == 0.2
    assert call.log == ["START", "FINAL a b", "END"]
    assert call.raised is None


async def test_a_stream_that_never_had_audio_ends_at_once_when_its_input_does() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        call.stream.end_input()
        await call.over(within_s=1)
    assert (call.log, call.raised) == ([], None)


async def test_an_end_with_nothing_left_to_say_waits_for_no_pause() -> None:
    faults = Faults(status=429, status_headers={"Retry-After": "8"})
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server, calling(server) as call:
        await until(lambda: call.named("connection_error"))
        call.stream.end_input()
        await call.over(within_s=1)
    assert (call.log, call.raised) == ([], None)


async def test_an_end_with_nothing_left_to_say_waits_for_no_handshake() -> None:
    async with (
        LocalServer(script=SAYS_NOTHING) as server,
        Proxy(server.url) as proxy,
        calling(server, via=proxy.url) as call,
    ):
        proxy.welcome = [Welcome.IGNORE]
        await until(lambda: proxy.accepted)
        call.stream.end_input()
        await call.over(within_s=1)
        await until(lambda: not proxy.open_links)
    assert (call.log, call.raised) == ([], None)


@pytest.mark.parametrize("drops", [1, 3])
async def test_a_server_that_keeps_dropping_is_not_stormed(drops: int) -> None:
    faults = [Faults(drop_at_s=0.1, drop_code=1011)] * drops
    script = Script([say(0.1, START), say(0.1, UPDATE), say(0.2, END)])
    async with LocalServer(script=script, faults=faults) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log, within_s=30)
        times = [handshake.at_s for handshake in server.handshakes]
    assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]
    assert len(times) == drops + 1
    waits = [later - before for before, later in itertools.pairwise(times)]
    assert waits[0] < 0.5
    assert all(wait >= 0.99 for wait in waits[1:])


@pytest.mark.parametrize("code", [1000, 1001, 1011])
async def test_a_server_that_keeps_closing_an_idle_socket_is_not_stormed(code: int) -> None:
    faults = Faults(drop_at_s=0.0, drop_code=code)
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server, calling(server) as call:
        began = time.monotonic()
        for _ in range(50):
            call.push(0.02)
            await asyncio.sleep(0.02)  # audio that flows
        assert 1 < len(server.handshakes) <= 2 + (time.monotonic() - began)


@pytest.mark.parametrize("code", [1000, 1001, 1011])
async def test_a_server_that_keeps_closing_while_a_backlog_of_silence_waits_is_not_stormed(code: int) -> None:
    faults = Faults(drop_at_s=0.5, drop_code=code)
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server, calling(server) as call:
        call.push(5.0)
        await until(lambda: len(server.handshakes) == 3)
        times = [handshake.at_s for handshake in server.handshakes]
        assert times[2] - times[1] >= 0.99


async def test_an_error_for_the_speed_of_silence_is_no_reason_to_give_up() -> None:
    script = [playing(ErrorMessage("Too fast.", "Refused", 400)), SAYS_NOTHING]
    options = APIConnectOptions(max_retry=0)
    async with LocalServer(script=script) as server, calling(server, conn_options=options) as call:
        call.push(3.0)
        await until(lambda: len(call.named("connected")) == 2)
        assert [event.retry_in_s > 0 for event in call.named("connection_error")] == [True]
        assert not call.is_over


async def test_a_server_that_keeps_closing_a_socket_on_which_nobody_speaks_is_forgiven() -> None:
    faults = [Faults(drop_at_s=0.1, drop_code=1001)] * 3
    options = APIConnectOptions(max_retry=0)
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server, calling(server, conn_options=options) as call:
        while len(server.handshakes) < 4:
            call.push(0.02)
            await asyncio.sleep(0.02)  # audio that flows
        await until(lambda: len(call.named("connected")) == 4)
        assert not call.is_over
        assert (call.stream.stats.idle_closes, call.stream.stats.drops) == (3, 0)


# Odd answers in a call.

LOST_ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    b"Sec-WebSocket-Accept: bm90IGEgcmlnaHQgb25l\r\n\r\n"
)
ODD_ANSWERS = {
    "a page": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "a redirect": b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    "a wrong accept key": LOST_ACCEPT,
    "conflict": b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n",
    "too early": b"HTTP/1.1 425 Too Early\r\nContent-Length: 0\r\n\r\n",
    "a gateway's forbidden": b'HTTP/1.1 403 Forbidden\r\nContent-Length: 23\r\n\r\n{"message":"Forbidden"}',
    "the proxy's password": b"HTTP/1.1 407 X\r\nContent-Length: 0\r\n\r\n",
    "a date beyond time": b"HTTP/1.1 503 X\r\nRetry-After: Fri, 31 Dec 99999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n",
    "a wait of a year": b"HTTP/1.1 429 X\r\nRetry-After: 31536000\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("answer", ODD_ANSWERS)
async def test_an_odd_answer_to_the_next_handshake_does_not_end_a_call(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff_module, "PROBE_EVERY_S", 0.2)
    scripts = [playing(START, UPDATE), playing(START, END)]
    async with (
        LocalServer(script=scripts) as server,
        Proxy(server.url) as proxy,
        calling(server, via=proxy.url) as call,
    ):
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        proxy.welcome, proxy.answers = [Welcome.ANSWER], [ODD_ANSWERS[answer]]
        proxy.reset()
        await until(lambda: "END" in call.log)
        assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]
        assert not call.errors
        assert not proxy.answers


@pytest.mark.parametrize("answer", ["a page", "a redirect", "a wrong accept key", "conflict", "too early"])
async def test_an_odd_answer_to_the_first_handshake_surfaces_at_once(answer: str) -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, Proxy(server.url) as proxy:
        proxy.welcome, proxy.answers = [Welcome.ANSWER], [ODD_ANSWERS[answer]]
        async with calling(server, via=proxy.url) as call:
            await call.over()
    assert [event.retry_in_s for event in call.named("connection_error")] == [None]


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_the_servers_own_refusal_ends_a_call(status: int) -> None:
    faults = [Faults(drop_at_s=0.2), Faults(status=status)]
    async with LocalServer(script=playing(START, UPDATE), faults=faults) as server, calling(server) as call:
        call.push(0.2)
        await call.over()
        assert len(server.handshakes) == 2
    assert isinstance(call.raised, ServerError)
    assert call.raised.status_code == status
    assert call.log == ["START", "INTERIM a", "FINAL a", "END"]


async def test_a_healthy_call_outlives_the_429_of_another_one_with_its_key() -> None:
    scripts = [playing(START, UPDATE), playing(START, END), playing(START, END)]
    async with LocalServer(script=scripts) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        server.faults = Faults(status=429, status_headers={"Retry-After": "3600"})
        async with calling(server) as other:
            await other.over()
        assert isinstance(other.raised, ServerError)
        server.faults = Faults()
        await server.drop_all()
        await until(lambda: "END" in call.log)
        assert call.log == ["START", "INTERIM a", "FINAL a b", "END"]
        # Between turns, too: the connection that was made has ended the pause.
        await server.drop_all()
        call.push(0.2)
        await until(lambda: call.log.count("END") == 2)
        assert not call.errors


async def test_between_turns_too_a_call_asks_the_server_whatever_it_said_to_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limiter_module, "PROBE_EVERY_S", 0.3)
    async with LocalServer(script=playing(START, END)) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "END" in call.log)
        server.faults = Faults(status=429, status_headers={"Retry-After": "3600"})
        async with calling(server) as other:
            await other.over()
        server.faults = Faults()
        await server.drop_all()
        call.push(0.2)
        await until(lambda: call.log.count("END") == 2)
        assert not call.errors


# A close in place of `connected`.


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


# What is told of it.


async def test_what_is_told_of_a_failed_attempt_says_which_failure_it_was(caplog: pytest.LogCaptureFixture) -> None:
    faults = [Faults(refuse=True), Faults(status=503)]
    async with LocalServer(script=playing(START, END), faults=faults) as server, calling(server) as call:
        call.speak(0.2)
        await until(lambda: "END" in call.log)
        assert [event.cause for event in call.named("connection_error")] == ["reset", "server"]
    logged = [record for record in caplog.records if record.message.startswith("connection failed, trying again")]
    assert [(vars(record)["cause"], vars(record).get("status_code")) for record in logged] == [
        ("reset", None),
        ("server", 503),
    ]
    assert "cut off" in logged[0].message
    assert "the server reported an error (503)" in logged[1].message


@pytest.mark.parametrize("code", [None, 1000, 1011])
async def test_a_socket_that_is_lost_in_mid_turn_is_one_warning(
    code: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with LocalServer(script=[playing(START, UPDATE), playing(START, END)]) as server, calling(server) as call:
        call.speak(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await server.drop_all(code)
        call.speak(0.2)
        await until(lambda: "END" in call.log)
    logged = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert logged == ["the socket was lost in mid-turn, going on with a new one"]


async def test_a_socket_that_is_lost_before_connected_is_told_as_a_failed_attempt_though_nobody_speaks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = [Faults(no_connected=True, drop_at_s=0.0, drop_code=1011), Faults()]
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: call.named("connection_error"))
        call.push(0.2)
        await until(lambda: call.named("connected"))
        assert [event.cause for event in call.named("connection_error")] == ["dropped"]
    logged = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [vars(record)["cause"] for record in logged] == ["dropped"]


@pytest.mark.parametrize("lives_s", [0.0, 10.0])
async def test_one_drop_in_mid_turn_is_one_warning(
    lives_s: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retry_module, "STEADY_AFTER_S", lives_s)
    scripts = [playing(START, UPDATE), playing(START, END)]
    async with LocalServer(script=scripts) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await server.drop_all(1011)
        await until(lambda: "END" in call.log)
    assert [vars(record)["code"] for record in caplog.records if record.levelname == "WARNING"] == [1011]


async def test_the_reason_of_an_end_is_a_static_text_with_the_status_and_nothing_that_the_server_said() -> None:
    script = playing(START, UPDATE, ErrorMessage("I can not hear: a", "a secret title", 503))
    async with LocalServer(script=[script, SAYS_NOTHING]) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: call.named("disconnected"))
    assert call.named("disconnected")[0].reason == "the server reported an error (503)"


async def test_settings_that_the_server_refuses_after_the_upgrade_surface_although_the_input_has_ended() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server, turn_end_timeout_ms=20) as call:
        call.push(0.2)
        call.stream.end_input()
        await call.over()
    assert isinstance(call.raised, ServerError)
    assert (call.raised.status_code, call.raised.retryable) == (400, False)
    assert "turn_end_timeout_ms=20" in str(call.raised)
    assert len(call.named("connection_error")) == 1


@pytest.mark.parametrize("spell", [str, str.upper, lambda key: quote(key, safe="")])
async def test_a_key_that_comes_back_as_an_id_is_told_to_nobody(
    spell: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    key = "sk-the/very secret key"
    echo = spell(key)
    script = Script([say(0.0, Connected(echo)), say(0.1, TurnStart(echo, echo)), say(0.1, TurnUpdate(echo, "a", echo))])
    server = LocalServer(script=[script, playing(END)], key=key, faults=[Faults(no_connected=True), Faults()])
    async with server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await server.drop_all(1011)
        await until(lambda: "END" in call.log)
    told = [call.named("connected")[0].request_id, call.events[0].request_id, call.named("turn_start")[0].request_id]
    assert told == ["***"] * 3
    shown = f"{call.events} {call.public} {[vars(record) for record in caplog.records]}"
    assert echo not in shown
