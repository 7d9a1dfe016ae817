"""The way to a server, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from aiohttp import web
from livekit.plugins.cartesia_turns.doctor import network
from livekit.plugins.cartesia_turns.doctor.verdict import Verdict
from support.peers import ForwardProxy, tcp_peer, web_peer
from support.verdicts import advised, called, levels

PATH = "/stt/turns/websocket"
PASSWORD = "the-proxys-password"


async def way_to(url: str, timeout_s: float = 5.0) -> list[Verdict]:
    return await network.check(f"{url.replace('http', 'ws', 1)}{PATH}", timeout_s)


async def nothing(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Leaves at once."""


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def page(_: web.Request) -> web.StreamResponse:
    return web.Response(text="a page")


def encryption(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


async def test_a_server_on_this_machine_is_reached_without_encryption() -> None:
    async with tcp_peer(nothing) as url:
        assert levels(await way_to(url)) == {
            "address": "ok",
            "proxy": "ok",
            "dns": "ok",
            "tcp": "ok",
            "tls": "skipped",
        }


async def test_a_port_where_nobody_listens_is_a_problem_of_tcp_and_the_rest_is_skipped() -> None:
    async with tcp_peer(nothing) as url:
        pass
    verdicts = await way_to(url)
    level, advice = advised(called("tcp", verdicts))
    assert level == "problem"
    assert "port" in advice
    assert levels(verdicts)["tls"] == "skipped"


async def test_why_a_host_with_two_addresses_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    known = socket.getaddrinfo

    def both(host: str, *rest: Any, **more: Any) -> list[Any]:
        hosts = ["127.0.0.1", "::1"] if host == "localhost" else [host]
        return [info for host in hosts for info in known(host, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    async with tcp_peer(nothing) as url:
        there = url.replace("127.0.0.1", "localhost")
        assert advised(called("tcp", await way_to(there)))[0] == "ok"
    verdict = called("tcp", await way_to(there))
    assert advised(verdict)[0] == "problem"
    assert "No server listens" in verdict.what


async def test_a_name_that_nobody_knows_is_a_problem_of_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    verdicts = await way_to("https://cartesia.test")
    level, advice = advised(called("dns", verdicts))
    assert level == "problem"
    assert "name servers" in advice
    assert (levels(verdicts)["tcp"], levels(verdicts)["tls"]) == ("skipped", "skipped")


async def test_a_name_that_can_be_none_is_a_problem_of_dns() -> None:
    verdicts = await way_to(f"https://{'a' * 70}.test")
    assert levels(verdicts)["dns"] == "problem"


async def test_name_servers_that_do_not_answer_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(30) and [])
    verdict = called("dns", await way_to("https://cartesia.test", timeout_s=0.1))
    answered.set()
    assert advised(verdict)[0] == "problem"
    assert "in time" in verdict.what


async def test_a_slow_lookup_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SLOW_STEP_S", 0.0)
    async with tcp_peer(nothing) as url:
        verdict = called("dns", await way_to(url))
    assert advised(verdict)[0] == "warning"
    assert verdict.figures["lookup_s"] > 0


async def test_a_certificate_that_this_machine_trusts_is_told_with_who_made_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with web_peer(page, encryption=encryption(authority, "127.0.0.1")) as url:
        verdict = called("tls", await way_to(url))
    assert advised(verdict)[0] == "ok"
    assert "trustme" in verdict.what
    assert "TLSv1." in verdict.what


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_certificates_that_can_not_be_read_are_a_problem_of_tls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with web_peer(page, encryption=encryption(trustme.CA(), "127.0.0.1")) as url:
        verdict = called("tls", await way_to(url))
    assert advised(verdict)[0] == "problem"
    assert "SSL_CERT_FILE" in verdict.what


async def test_a_certificate_that_nobody_vouches_for_is_a_problem_of_tls() -> None:
    async with web_peer(page, encryption=encryption(trustme.CA(), "127.0.0.1")) as url:
        level, advice = advised(called("tls", await way_to(url)))
    assert level == "problem"
    assert "SSL_CERT_FILE" in advice


async def test_a_certificate_of_another_host_is_a_problem_of_tls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with web_peer(page, encryption=encryption(authority, "elsewhere.test")) as url:
        assert levels(await way_to(url))["tls"] == "problem"


async def test_a_peer_that_does_not_answer_in_tls_is_a_problem_after_the_time_for_it() -> None:
    async with tcp_peer(silent) as url:
        verdict = called("tls", await way_to(url.replace("http", "https"), timeout_s=0.2))
    assert advised(verdict)[0] == "problem"
    assert "in time" in verdict.what


async def test_an_address_elsewhere_without_encryption_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    level, advice = advised(called("address", await way_to("http://cartesia.test", timeout_s=0.1)))
    assert level == "warning"
    assert "https" in advice


async def test_the_proxy_of_the_environment_is_reached_and_its_password_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with tcp_peer(ForwardProxy()) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.replace("://", f"://user:{PASSWORD}@"))
        verdicts = await way_to("https://cartesia.test")
    assert levels(verdicts) == {"address": "ok", "proxy": "ok", "dns": "skipped", "tcp": "skipped", "tls": "skipped"}
    assert str(urlsplit(proxy).port) in called("proxy", verdicts).what
    assert PASSWORD not in str(verdicts)
    assert "user" not in called("proxy", verdicts).what


async def test_a_proxy_that_is_not_there_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    async with tcp_peer(nothing) as proxy:
        pass
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    level, advice = advised(called("proxy", await way_to("https://cartesia.test")))
    assert level == "problem"
    assert "HTTPS_PROXY" in advice


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:1080", "http://", "http://127.0.0.1:port"])
async def test_a_proxy_whose_address_is_none_is_a_problem(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    assert advised(called("proxy", await way_to("https://cartesia.test")))[0] == "problem"


@pytest.mark.parametrize(
    ("url", "variables", "proxy"),
    [
        ("wss://cartesia.test/x", {"HTTPS_PROXY": "http://a:1"}, "http://a:1"),
        ("wss://cartesia.test/x", {"WSS_PROXY": "http://b:1", "HTTPS_PROXY": "http://a:1"}, "http://b:1"),
        ("ws://cartesia.test/x", {"HTTP_PROXY": "http://a:1"}, "http://a:1"),
        ("wss://cartesia.test/x", {"HTTP_PROXY": "http://a:1"}, None),
        ("wss://cartesia.test/x", {"HTTPS_PROXY": "http://a:1", "NO_PROXY": "cartesia.test"}, None),
        ("wss://127.0.0.1/x", {"HTTPS_PROXY": "http://a:1"}, None),
        ("wss://localhost/x", {"HTTPS_PROXY": "http://a:1"}, None),
    ],
)
def test_the_proxy_is_the_one_that_the_plugin_takes(
    monkeypatch: pytest.MonkeyPatch, url: str, variables: dict[str, str], proxy: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert network.proxy_for(urlsplit(url)) == proxy
