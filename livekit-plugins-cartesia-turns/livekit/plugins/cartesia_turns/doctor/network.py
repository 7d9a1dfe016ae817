"""The way to the server, one step at a time: proxy, name, TCP, TLS. No key is needed, and none is sent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Coroutine
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
from livekit.agents import APIError, APITimeoutError

from ..net.causes import NO_ANSWER, as_api_error
from ..net.tasks import finish
from ..wire.options import is_loopback
from .verdict import Level, Verdict, ok, printable, problem, skipped, warning

PORTS = {"ws": 80, "wss": 443}
NOT_REACHED = "An earlier step failed."
BY_PROXY = "The proxy does this; the handshake shows how it went."
SLOW_STEP_S = 1.0
"""A step that takes longer than this is slow."""


async def check(endpoint: str, timeout_s: float) -> list[Verdict]:
    """Takes one step after the other to the server, until one fails.

    Args:
        endpoint: the websocket's address, without a query.
        timeout_s: for each step, in seconds.
    """
    parts = urlsplit(endpoint)
    proxy = proxy_for(parts)
    first = _direct() if proxy is None else await _to_proxy(proxy, timeout_s)
    verdicts = [_address(parts), first]
    if proxy is not None:
        why = BY_PROXY if first.level is Level.OK else NOT_REACHED
        return [*verdicts, *(skipped(name, why) for name in ("dns", "tcp", "tls"))]
    for name, step in (("dns", _look_up), ("tcp", _connect), ("tls", _encrypt)):
        failed = any(verdict.level is Level.PROBLEM for verdict in verdicts)
        verdicts.append(skipped(name, NOT_REACHED) if failed else await step(parts, timeout_s))
    return verdicts


def proxy_for(parts: SplitResult) -> str | None:
    """The address of the proxy that the environment names for this address; None where the way is direct.

    As the plugin does outside a job: HTTPS_PROXY also counts for wss, and no proxy for this machine.
    """
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get(parts.scheme.replace("ws", "http", 1)) or None


def words_of(error: APIError) -> tuple[str, str]:
    """What an error says, and what it advises. Neither has any of the server's own text."""
    what, _, advice = error.message.partition(". ")
    return f"{what[:1].upper()}{what[1:]}.", f"{advice}." if advice else ""


def trust() -> ssl.SSLContext:
    """What this machine trusts, as the framework's sessions do: the system, else the certificates of certifi.

    SSL_CERT_FILE and SSL_CERT_DIR replace both.

    Raises:
        OSError: the file or folder can't be read, or has no certificates.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    context = ssl.create_default_context(cafile=file or None, capath=folder or None)
    if file or folder:
        return context
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or paths.capath):
        context.load_verify_locations(cafile=certifi.where())
    return context


def _address(parts: SplitResult) -> Verdict:
    shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if parts.scheme == "ws" and not is_loopback(parts.hostname or ""):
        what = f"{shown} is not encrypted: others in the network can read the key and hear the call."
        return warning("address", what, "Use an https or wss address.")
    return ok("address", f"{shown}.")


def _direct() -> Verdict:
    return ok("proxy", "No proxy is set for this address: connections are direct.")


async def _to_proxy(proxy: str, timeout_s: float) -> Verdict:
    """Whether the proxy can be reached. A user name and a password in its address are not shown."""
    try:
        parts = urlsplit(proxy)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        host, port = "", 0
    advice = "Check HTTPS_PROXY and HTTP_PROXY; NO_PROXY lists the hosts that are reached without a proxy."
    if not host or parts.scheme != "http":
        return problem("proxy", "The proxy's address can't be used: it must be http://host:port.", advice)
    opened = await _attempt(_open(host, port), timeout_s)
    if isinstance(opened, APIError):
        return problem("proxy", f"The proxy {host}:{port} can't be reached. {words_of(opened)[0]}", advice)
    opened.transport.abort()
    what = f"Connections go through the proxy {host}:{port}. Jobs use their worker's http_proxy instead."
    return ok("proxy", what)


async def _look_up(parts: SplitResult, timeout_s: float) -> Verdict:
    host = parts.hostname or ""
    began = time.monotonic()
    found = await _attempt(_addresses(host), timeout_s)
    if isinstance(found, APIError):
        what, advice = words_of(found)
        return problem("dns", f"{host}: {what}", advice or "Check the name servers of this machine.")
    shown = ", ".join(found[:4])
    what = f"{host} is {shown}." if found != [host] else f"{host} is an address already."
    return _timed("dns", what, time.monotonic() - began, "lookup_s", "Check the name servers of this machine.")


async def _connect(parts: SplitResult, timeout_s: float) -> Verdict:
    host, port = parts.hostname or "", _port(parts)
    began = time.monotonic()
    opened = await _attempt(_open(host, port), timeout_s)
    if isinstance(opened, APIError):
        what, advice = words_of(opened)
        return problem("tcp", f"{host}:{port}: {what}", advice or "Check for a firewall on the way.")
    opened.transport.abort()
    what = f"{host}:{port} accepts connections."
    return _timed("tcp", what, time.monotonic() - began, "connect_s", "Check the network, and a VPN if there is one.")


async def _encrypt(parts: SplitResult, timeout_s: float) -> Verdict:
    if parts.scheme == "ws":
        return skipped("tls", "The address is not encrypted.")
    host = parts.hostname or ""
    try:
        trusted = trust()
    except OSError:
        what = "The file or folder of SSL_CERT_FILE or SSL_CERT_DIR can't be read, or contains no certificates."
        return problem("tls", what, "Set it to the certificates that this machine trusts, or unset it.")
    opened = await _attempt(_open(host, _port(parts), ssl=trusted, server_hostname=host), timeout_s)
    if isinstance(opened, APIError):
        what, advice = words_of(opened)
        return problem("tls", what, advice or "Check that the port is that of the server.")
    tls: ssl.SSLObject = opened.get_extra_info("ssl_object")
    certificate = tls.getpeercert() or {}
    opened.transport.abort()
    until = certificate.get("notAfter", "an unknown day")
    return ok("tls", f"{tls.version()}, certificate by {_issuer(certificate)}, valid until {until}.")


def _issuer(certificate: Any) -> str:
    """Who made the server's certificate: the proxy of a company that decrypts the traffic shows here."""
    names = {name: value for part in certificate.get("issuer", ()) for name, value in part}
    return printable(names.get("organizationName") or names.get("commonName") or "an unnamed issuer")


def _timed(name: str, what: str, took_s: float, figure: str, advice: str) -> Verdict:
    if took_s > SLOW_STEP_S:
        return warning(name, f"{what} That took {took_s:.1f} s.", advice, **{figure: took_s})
    return ok(name, what, **{figure: took_s})


def _port(parts: SplitResult) -> int:
    return parts.port or PORTS[parts.scheme]


async def _open(host: str, port: int, **tls: Any) -> asyncio.StreamWriter:
    """Connects to the first of the host's addresses that accepts a connection."""
    failures: list[OSError] = []
    for address in await _addresses(host):
        try:
            _, writer = await asyncio.open_connection(address, port, **tls)
        except OSError as error:  # noqa: PERF203 - there are few addresses
            failures.append(error)
        else:
            return writer
    # One error for all addresses, as asyncio raises it, would not tell the cause.
    raise failures[0]


async def _addresses(host: str) -> list[str]:
    """The addresses of a host. A lookup can't be stopped, and in asyncio's own threads it would delay the exit."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()
    threading.Thread(target=_resolve, args=(host, loop, answer), daemon=True).start()
    return await answer


def _resolve(host: str, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[list[str]]) -> None:
    found: list[str] | Exception
    try:
        found = list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, None)))
    except (OSError, UnicodeError) as error:
        found = error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME, "Not a host's name")
    # If the loop is closed, nothing waits for the answer any more.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_answer, answer, found)


def _answer(answer: asyncio.Future[list[str]], found: list[str] | Exception) -> None:
    if answer.done():
        return
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)


async def _attempt(work: Coroutine[Any, Any, Any], timeout_s: float) -> Any:
    """What the work returns, or why it failed, as the plugin would say it."""
    task = await finish(asyncio.create_task(work), timeout_s)
    if task.cancelled():
        return APITimeoutError(NO_ANSWER)
    error = task.exception()
    return as_api_error(error) if isinstance(error, Exception) else task.result()
