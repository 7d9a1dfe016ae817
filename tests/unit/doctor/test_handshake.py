"""What a handshake says, with the local server and with peers that are none, and how many calls fit at once."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from livekit.plugins.cartesia_turns.doctor import handshake
from livekit.plugins.cartesia_turns.doctor.calls import Server
from livekit.plugins.cartesia_turns.doctor.verdict import Verdict
from livekit.plugins.cartesia_turns.server import Faults
from support.localserver import server
from support.peers import ForwardProxy, tcp_peer, web_peer
from support.vendor_peer import Vendor, vendor
from support.verdicts import advised, called, levels

SECRET = "sk-the-very-secret-key"
SKIPPED = dict.fromkeys(handshake.STEPS, "skipped")
REACHED = {"handshake": "ok", "connected": "ok", "round trip": "ok", "concurrency": "ok"}


async def shaken(url: str, monkeypatch: pytest.MonkeyPatch, key: str = SECRET, **changes: float) -> list[Verdict]:
    monkeypatch.setenv("CARTESIA_API_KEY", key)
    verdicts = await handshake.check(Server(url, **{"timeout_s": 3.0, **changes}))  # type: ignore[arg-type]
    assert key not in str(verdicts)
    return verdicts


async def test_a_server_that_takes_the_key_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server() as local:
        verdicts = await shaken(local.url, monkeypatch, local.key)
        assert local.open_streams == 0
    assert levels(verdicts) == REACHED
    assert 0 < called("round trip", verdicts).figures["round_trip_s"] < 1
    assert called("connected", verdicts).figures["connect_s"] > 0
    assert "Startup 20" in called("concurrency", verdicts).what


async def test_a_token_is_sent_in_place_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server() as local:
        monkeypatch.setenv("CARTESIA_API_KEY", "another-key")
        assert levels(await handshake.check(Server(local.url, token=local.key))) == REACHED


async def test_a_key_that_is_wrong_is_a_problem_of_the_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server() as local:
        verdicts = await shaken(local.url, monkeypatch, "sk-another-key")
    level, advice = advised(called("handshake", verdicts))
    assert level == "problem"
    assert "revoked" in advice
    assert "401" in called("handshake", verdicts).what
    assert (levels(verdicts)["connected"], levels(verdicts)["round trip"]) == ("skipped", "skipped")


async def test_a_server_that_quotes_the_key_does_not_get_it_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def quote(request: web.Request) -> web.StreamResponse:
        told = f"{request.headers['X-API-Key']} is no key\x1b[2J"
        return web.json_response({"title": "Unauthorized", "message": told}, status=401)

    async with web_peer(quote) as url:
        verdict = called("handshake", await shaken(url, monkeypatch))
    assert "is no key" in verdict.what
    assert "\x1b" not in verdict.what


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "settings"),
        (402, "credit"),
        (403, "model"),
        (404, "base URL"),
        (500, "later"),
        (503, "later"),
    ],
)
async def test_each_refusal_says_what_to_do(monkeypatch: pytest.MonkeyPatch, status: int, says: str) -> None:
    async with server(faults=Faults(status=status)) as local:
        verdict = called("handshake", await shaken(local.url, monkeypatch, local.key))
    level, advice = advised(verdict)
    assert level == "problem"
    assert says in advice
    assert str(status) in verdict.what


async def test_a_full_plan_is_a_problem_of_concurrency(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(max_streams=0) as local:
        verdicts = await shaken(local.url, monkeypatch, local.key)
    assert levels(verdicts) == {**SKIPPED, "concurrency": "problem"}
    assert "Scale 60" in called("concurrency", verdicts).advice


async def test_a_server_is_reached_with_tls_through_a_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    encryption = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("cartesia.test").configure_cert(encryption)
    async with web_peer(Vendor().handle, encryption=encryption) as target, tcp_peer(ForwardProxy(target)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        assert levels(await shaken("https://cartesia.test", monkeypatch)) == REACHED


async def test_the_model_that_is_named_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", SECRET)
    async with vendor() as peer:
        assert levels(await handshake.check(Server(peer.url, model="ink-preview"))) == REACHED
        assert dict(peer.lines[0].query)["model"] == "ink-preview"


async def test_a_server_that_never_says_connected_has_opened_a_websocket(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(faults=Faults(no_connected=True)) as local:
        verdicts = await shaken(local.url, monkeypatch, local.key, timeout_s=0.3)
    assert levels(verdicts) == {**SKIPPED, "handshake": "ok", "connected": "problem"}
    assert "connected" in called("connected", verdicts).what


async def test_an_error_in_place_of_connected_is_told_with_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = [{"message": "No such model.", "title": "Bad request", "status_code": 400}, 1008]
    async with vendor(refuse=lambda _: refusal) as peer:
        verdicts = await shaken(peer.url, monkeypatch)
    level, advice = advised(called("connected", verdicts))
    assert level == "problem"
    assert "model" in advice
    assert "400" in called("connected", verdicts).what


async def test_an_answer_that_is_no_websocket_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(text="welcome")

    async with web_peer(page) as url:
        verdict = called("handshake", await shaken(url, monkeypatch))
    assert advised(verdict)[0] == "problem"


async def test_a_server_that_does_not_answer_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with tcp_peer(silent) as url:
        verdict = called("handshake", await shaken(url, monkeypatch, timeout_s=0.2))
    level, advice = advised(verdict)
    assert level == "problem"
    assert "--timeout" in advice


async def test_a_proxy_that_wants_a_password_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with tcp_peer(ForwardProxy(refusal=refusal)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        level, advice = advised(called("handshake", await shaken("https://cartesia.test", monkeypatch)))
    assert level == "problem"
    assert "HTTPS_PROXY" in advice


async def test_a_server_that_is_far_away_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "FAR_S", 0.0)
    monkeypatch.setattr(handshake, "SLOW_CONNECT_S", 0.0)
    async with server() as local:
        verdicts = await shaken(local.url, monkeypatch, local.key)
    assert advised(called("round trip", verdicts))[0] == "warning"
    assert advised(called("connected", verdicts))[0] == "warning"


async def test_pings_that_nobody_answers_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "PONG_S", 0.2)

    async def deaf(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(autoping=False)
        await ws.prepare(request)
        await ws.send_str('{"type": "connected", "request_id": "r"}')
        async for _ in ws:
            pass
        return ws

    async with web_peer(deaf) as url:
        verdict = called("round trip", await shaken(url, monkeypatch))
    assert advised(verdict)[0] == "warning"


async def test_as_many_calls_as_are_wanted_fit_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(max_streams=3) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        verdict = await handshake.check_calls(Server(local.url), 3)
        assert (advised(verdict)[0], verdict.figures) == ("ok", {"open_sockets": 3})
        assert len(local.connections) == 3
        assert local.open_streams == 0


async def test_a_plan_that_is_full_says_how_many_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(max_streams=2) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        verdict = await handshake.check_calls(Server(local.url), 10)
        assert advised(verdict)[0] == "problem"
        assert verdict.figures == {"open_sockets": 2}
        assert "plan" in verdict.advice
        assert len(local.handshakes) == 3
        assert local.open_streams == 0


async def test_another_failure_is_no_matter_of_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(faults=[Faults(), Faults(status=503)]) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        verdict = await handshake.check_calls(Server(local.url), 3)
    assert advised(verdict)[0] == "warning"
    assert "503" in verdict.what
