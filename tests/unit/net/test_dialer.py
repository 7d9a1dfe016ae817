from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from livekit.agents import APIConnectionError, APIError
from livekit.plugins.cartesia_turns.core.backoff import PROBE_EVERY_S
from livekit.plugins.cartesia_turns.errors import ServerError
from livekit.plugins.cartesia_turns.net.dialer import KEY_VARIABLE, Credentials, Dialer
from livekit.plugins.cartesia_turns.server import Faults, LocalServer
from livekit.plugins.cartesia_turns.wire.options import Options, endpoint
from livekit.plugins.cartesia_turns.wire.vendor import API_VERSION
from support.exposed import exposed
from support.stage import Stage


async def token() -> str:
    return "a token"


async def failing_token() -> str:
    raise KeyError("secret")


def dialer(server: LocalServer, headers: dict[str, str] | None = None) -> Dialer:
    return Dialer(endpoint(server.url), Credentials(server.key), headers or {}, API_VERSION)


def test_a_token_goes_before_a_key_and_an_argument_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "from the environment")
    assert Credentials.resolve(None, None) == Credentials("from the environment")
    assert Credentials.resolve("an argument", None) == Credentials("an argument")
    assert Credentials.resolve("an argument", "a token") == Credentials(access_token="a token")


@pytest.mark.parametrize("around", ["{}\n", "\ufeff{}", " {}\r\n"])
def test_what_a_file_puts_around_a_key_or_token_is_left_out(around: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Credentials.resolve(around.format("key"), None) == Credentials("key")
    assert Credentials.resolve(None, around.format("token")) == Credentials(access_token="token")
    monkeypatch.setenv(KEY_VARIABLE, around.format("key"))
    assert Credentials.resolve(None, None) == Credentials("key")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((None, None), KEY_VARIABLE), (("sec\nret", None), "api_key"), ((None, "sec\0ret"), "access_token")],
)
def test_a_key_that_no_header_can_hold_is_refused_by_where_it_comes_from(
    arguments: tuple[Any, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "sec\nret")
    with pytest.raises(ValueError, match=f"^{name} ") as caught:
        Credentials.resolve(*arguments)
    assert "ret" not in str(caught.value)


@pytest.mark.parametrize("headers", [{"X-Mine": "a\nb"}, {"X Mine": "a"}, {"Upgrade": "h2c"}])
def test_headers_that_no_handshake_can_have_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^extra_headers"):
        Dialer("ws://127.0.0.1:9", Credentials("key"), headers, API_VERSION)


@pytest.mark.parametrize(
    ("header", "credentials", "argument"),
    [
        ("x-api-key", Credentials("key"), "api_key"),
        ("X-API-Key", Credentials(access_token="token"), "api_key"),
        ("authorization", Credentials(access_token="token"), "access_token"),
        ("cartesia-version", Credentials("key"), "api_version"),
    ],
)
def test_a_header_that_an_argument_gives_is_refused_by_the_arguments_name(
    header: str, credentials: Credentials, argument: str
) -> None:
    with pytest.raises(ValueError, match=rf"^extra_headers .* use {argument} ") as caught:
        Dialer("ws://127.0.0.1:9", credentials, {header: "a-secret"}, API_VERSION)
    assert "secret" not in str(caught.value)


def test_a_proxys_own_authorization_may_go_beside_the_key() -> None:
    Dialer("ws://127.0.0.1:9", Credentials("key"), {"Authorization": "Basic eDp5"}, API_VERSION)


@pytest.mark.parametrize("version", ["", "2026\n03", None])
def test_a_version_that_no_header_can_hold_is_refused(version: Any) -> None:
    with pytest.raises(ValueError, match=r"^api_version"):
        Dialer("ws://127.0.0.1:9", Credentials("key"), {}, version)


def test_neither_a_key_nor_a_token_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(ValueError, match=KEY_VARIABLE):
        Credentials.resolve(None, None)


def test_credentials_are_never_shown() -> None:
    assert "secret" not in repr(Credentials("secret")) + str(Credentials(access_token="secret"))


@pytest.mark.parametrize("credentials", [Credentials(access_token="a token"), Credentials(access_token=token)])
async def test_a_token_is_a_bearers_and_a_function_is_asked_for_it(credentials: Credentials) -> None:
    assert await credentials.header(5.0) == ("Authorization", "Bearer a token")


@dataclasses.dataclass
class Changing:
    token: str = "a token\n"

    def __call__(self) -> str:
        return self.token


@dataclasses.dataclass(frozen=True)
class Frozen:
    """It has a hash function, which fails."""

    parts: list[str] = dataclasses.field(default_factory=lambda: ["a", "token"])

    def __call__(self) -> str:
        return " ".join(self.parts)


@pytest.mark.parametrize("provider", [Changing(), Frozen()])
async def test_a_function_need_not_be_async_nor_hashable(provider: Callable[[], str]) -> None:
    credentials = Credentials(access_token=provider)
    assert await credentials.header(5.0) == ("Authorization", "Bearer a token")
    assert Dialer("ws://127.0.0.1:9", credentials, {}, API_VERSION)


@pytest.mark.parametrize("returned", [None, "", 5, b"secret", "sec\nret"])
async def test_a_function_that_returns_no_token_is_a_failed_connection_that_says_so(returned: Any) -> None:
    with pytest.raises(
        APIConnectionError, match=r"access_token returned no token: .*the (returned token|function returned)"
    ) as caught:
        await Credentials(access_token=lambda: returned).header(5.0)
    assert "sec" not in str(caught.value)


async def test_a_function_that_fails_is_a_failed_connection_without_its_text() -> None:
    with pytest.raises(APIConnectionError, match="the function raised KeyError") as caught:
        await Credentials(access_token=failing_token).header(5.0)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_the_handshake_carries_the_key_the_version_and_the_users_headers() -> None:
    async with LocalServer(responder=Stage()) as server, aiohttp.ClientSession() as session:
        connection = await dialer(server, headers={"X-Mine": "1"}).open(session, Options(), timeout_s=5.0)
        await connection.close()
        headers = server.connections[0].headers
        assert (headers["Cartesia-Version"], headers["X-Mine"]) == (API_VERSION, "1")


@pytest.mark.parametrize("faults", [Faults(status=401), Faults(refuse=True), Faults(handshake_delay_s=5.0)])
async def test_the_key_is_not_among_the_variables_of_an_error(faults: Faults) -> None:
    async with LocalServer(responder=Stage(), faults=faults) as server, aiohttp.ClientSession() as session:
        attempt = asyncio.create_task(dialer(server).open(session, Options(), timeout_s=0.3))
        await asyncio.wait([attempt])
        assert isinstance(attempt.exception(), APIError)
        assert server.key not in exposed(attempt.exception())


async def test_those_who_share_a_key_slow_down_together_when_the_server_says_so() -> None:
    busy = Faults(status=429, status_headers={"Retry-After": "1"})
    async with LocalServer(responder=Stage(), faults=[busy]) as server, aiohttp.ClientSession() as session:
        one, other = dialer(server), dialer(server)
        with pytest.raises(APIError):
            await one.open(session, Options(), timeout_s=5.0)
        begun = asyncio.get_running_loop().time()
        connection = await other.open(session, Options(), timeout_s=5.0)
        assert asyncio.get_running_loop().time() - begun > 0.5
        await connection.close()


async def test_a_turn_that_is_too_far_off_is_a_refusal_that_says_when_it_comes_and_asks_the_server_nothing() -> None:
    busy = Faults(status=429, status_headers={"Retry-After": "30"})
    async with LocalServer(responder=Stage(), faults=[busy]) as server, aiohttp.ClientSession() as session:
        one, other = dialer(server), dialer(server)
        with pytest.raises(ServerError):
            await one.open(session, Options(), timeout_s=5.0)
        with pytest.raises(ServerError) as caught:
            await asyncio.wait_for(other.open(session, Options(), timeout_s=5.0), 1.0)
        assert (caught.value.status_code, caught.value.retryable) == (429, True)
        assert caught.value.retry_after_s == pytest.approx(30, abs=5)
        assert len(server.handshakes) == 1


async def test_where_the_server_asked_for_more_than_anybody_can_wait_it_is_asked_again_now_and_then() -> None:
    busy = Faults(status=429, status_headers={"Retry-After": "3600"})
    async with LocalServer(responder=Stage(), faults=busy) as server, aiohttp.ClientSession() as session:
        streams = [dialer(server) for _ in range(5)]
        for stream in streams:
            with pytest.raises(ServerError):
                await stream.open(session, Options(), timeout_s=1.0)
        assert len(server.handshakes) == 2
        server.faults = Faults()
        await (await streams[0].open(session, Options(), timeout_s=PROBE_EVERY_S)).close()


async def test_a_stream_in_mid_turn_asks_the_server_whatever_it_said_to_another_one_and_ends_the_pause_for_all() -> (
    None
):
    busy = Faults(status=429, status_headers={"Retry-After": "3600"})
    async with LocalServer(responder=Stage(), faults=[busy]) as server, aiohttp.ClientSession() as session:
        one, other = dialer(server), dialer(server)
        with pytest.raises(ServerError):
            await one.open(session, Options(), timeout_s=1.0)
        await (await other.open(session, Options(), timeout_s=1.0, urgent=True)).close()
        await (await one.open(session, Options(), timeout_s=1.0)).close()
        assert [handshake.status for handshake in server.handshakes] == [429, 101, 101]
