"""Serves the built page and the grants it joins with, on loopback by default, and never to pages of other origins."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from .grants import LivekitAccess, issue, room_name

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""The host names under which the page is served. Any other name may lead here by DNS rebinding."""
MAX_BODY = 4096
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
"""Sent with whatever is served, beside the Content-Security-Policy."""


@dataclass(frozen=True)
class Settings:
    """What the endpoint serves.

    Attributes:
        access: The LiveKit server that visitors are sent to, and the key to sign with.
        page: The folder with the built page.
    """

    access: LivekitAccess
    page: Path


SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
Json: TypeAlias = dict[str, object]


def create_app(settings: Settings) -> web.Application:
    """The web application: `/`, the page's files, and `POST /api/token`."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[only_known_hosts, only_possible_names])
    app[SETTINGS] = settings
    app.router.add_get("/", index)
    app.router.add_post("/api/token", token)
    app.router.add_static("/assets", settings.page / "assets")
    app.on_response_prepare.append(add_headers)
    return app


@web.middleware
async def only_known_hosts(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests addressed to another host name or sent by another origin's page."""
    try:
        host = urlsplit(f"//{request.host}").hostname
        sender = urlsplit(request.headers.get("Origin", f"//{request.host}")).netloc
    except ValueError:
        return refusal(400, "the Host or the Origin header is not an address")
    if host not in LOOPBACK:
        return refusal(403, "this address is not served here")
    if sender != request.host:
        return refusal(403, "another page's requests are not served here")
    return await handler(request)


@web.middleware
async def only_possible_names(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 404 if no file can have the name that is asked for, such as a name that is too long."""
    try:
        return await handler(request)
    except OSError:
        raise web.HTTPNotFound from None


def content_policy(livekit: str) -> str:
    """What the page may load and whom it may talk to: this server, and LiveKit at `livekit`."""
    signal = urlsplit(livekit)
    asked = signal._replace(scheme=signal.scheme.replace("ws", "http"))  # livekit-client asks there why it may not join
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "font-src 'self'",
            "img-src 'self' data:",
            f"connect-src 'self' {signal.scheme}://{signal.netloc} {asked.scheme}://{asked.netloc}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Tell the browser how far it may use the answers of this server."""
    response.headers.update(HEADERS)
    response.headers["Content-Security-Policy"] = content_policy(request.app[SETTINGS].access.url)


async def index(request: web.Request) -> web.FileResponse:
    """The page."""
    return web.FileResponse(request.app[SETTINGS].page / "index.html", headers={"Cache-Control": "no-cache"})


async def token(request: web.Request) -> web.Response:
    """A grant for the room in the body's `room`, or for a new room."""
    settings = request.app[SETTINGS]
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() != "utf-8":
        return refusal(415, "the body must be JSON in UTF-8")
    try:
        body = json.loads(await request.read() or b"{}")
    except (ValueError, RecursionError, web.RequestPayloadError):
        return refusal(400, "the body is not JSON")
    try:
        room = room_name(body.get("room") if isinstance(body, dict) else body)
    except ValueError as error:
        return refusal(400, str(error))
    grant = issue(settings.access, room)
    answer: Json = {
        "url": settings.access.url,
        "room": grant.room,
        "identity": grant.identity,
        "token": grant.token,
    }
    return web.json_response(answer, headers={"Cache-Control": "no-store"})


def refusal(status: int, why: str) -> web.Response:
    """An error the page can show."""
    return web.json_response({"error": why}, status=status, headers={"Cache-Control": "no-store"})
