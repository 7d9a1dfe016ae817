"""Talk to the agent in a browser: `make room`, or `python examples/talk.py`.

Starts a livekit-server, a local speech-to-text server (unless CARTESIA_API_KEY is set), the agent worker and the page,
all on this machine's loopback, prints the page's address and ends everything on Ctrl-C or with its terminal.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Coroutine
from functools import cache
from pathlib import Path
from typing import Any

import espeak
from agent import speaks_with_cartesia
from aiohttp import web
from livekit.plugins.cartesia_turns.server import LocalServer, RecognizerMissingError
from printable import visible
from roomkit.endpoint import Settings, create_app
from roomkit.errors import RoomError
from roomkit.grants import LivekitAccess
from roomkit.livekit_server import LivekitServer, ensure_livekit_server
from roomkit.page import ensure_page
from roomkit.worker import Worker

PORT = 8080
LOG = Path(".artifacts") / "agent.log"
NO_VOICE = f"The agent answers in text. To make it speak: {espeak.INSTALL}."


async def serve(port: int, log: Path) -> None:
    """Serve rooms until the task is cancelled or the worker ends.

    Raises:
        RoomError: A part is missing, or did not start, or ended.
    """
    async with contextlib.AsyncExitStack() as parts:
        door = parts.enter_context(listen(port))
        binary, page = await asyncio.to_thread(prepare)
        log.parent.mkdir(parents=True, exist_ok=True)
        livekit = await parts.enter_async_context(LivekitServer(binary, log=log.with_name("livekit.log")))
        access = LivekitAccess(livekit.url, livekit.api_key, livekit.api_secret)
        ears = await recognizer(parts)
        worker = await parts.enter_async_context(Worker(access, log=log, environment=ears))
        await show(parts, Settings(access, page), door)
        print(
            f"Open http://127.0.0.1:{port} and talk. Ctrl-C stops it. The agent's log is {visible(str(log))}.",
            flush=True,
        )
        if is_silent():
            print(NO_VOICE, flush=True)
        await first_of(livekit.wait(), worker.wait())
        raise RoomError(f"livekit-server or the agent worker ended; the agent's log is {log}")


def is_silent() -> bool:
    """Whether the agent can only answer in text."""
    return not speaks_with_cartesia() and not espeak.is_installed()


async def first_of(*parts: Coroutine[Any, Any, object]) -> None:
    """Wait until one of the parts is over."""
    waits = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def prepare() -> tuple[Path, Path]:
    """Build what is not built yet: livekit-server and the page; returns where they are.

    Raises:
        RoomError: A tool is missing, or a build failed.
    """
    return ensure_livekit_server(), ensure_page()


async def recognizer(parts: contextlib.AsyncExitStack) -> dict[str, str]:
    """What tells the worker where speech is recognized: nothing where Cartesia's key is set, else a local server."""
    if os.environ.get("CARTESIA_API_KEY"):
        return {}
    local = await parts.enter_async_context(LocalServer())
    return {"CARTESIA_TURNS_URL": local.url, "CARTESIA_API_KEY": local.key}


def listen(port: int) -> socket.socket:
    """Take the page's port on loopback: a browser that comes too early waits there.

    Raises:
        RoomError: The port is taken.
    """
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        why = os.strerror(error.errno or 0)
        another = f'`make room ARGS="--port {port + 1 if port < 65535 else PORT}"`'
        raise RoomError(f"port {port} cannot be used ({why}): choose another with --port, as in {another}") from None


async def show(parts: contextlib.AsyncExitStack, settings: Settings, door: socket.socket) -> None:
    """Serve the page."""
    runner = web.AppRunner(create_app(settings), access_log=None)
    await runner.setup()
    parts.push_async_callback(runner.cleanup)
    await web.SockSite(runner, door).start()


async def until_told(port: int, log: Path) -> None:
    """Serve until the terminal or a supervisor says to end."""
    task = asyncio.create_task(serve(port, log))
    end = cache(task.cancel)  # once: a second Ctrl-C would break off the ending that the first began
    numbers = {signal.SIGINT, signal.SIGTERM}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
        numbers.add(signal.SIGHUP)
    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, end)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> int:
    parser = argparse.ArgumentParser(description="Talk to the agent in a browser, everything on this machine.")
    parser.add_argument("--port", type=int, default=PORT, help="the page's port (default: %(default)s)")
    parser.add_argument("--log", type=Path, default=LOG, help="the agent's log (default: %(default)s)")
    parser.add_argument("--prepare", action="store_true", help="build what is missing, and exit")
    arguments = parser.parse_args()
    if not 0 <= arguments.port <= 65535:
        parser.error(f"--port {arguments.port} is out of range: it must be from 0 to 65535")
    try:
        if arguments.prepare:
            prepare()
        else:
            asyncio.run(until_told(arguments.port, arguments.log))
    except (RoomError, RecognizerMissingError) as error:
        print(f"talk: {visible(str(error))}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
