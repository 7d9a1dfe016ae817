"""Runs the local server from the command line: python -m livekit.plugins.cartesia_turns.server."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence

from .app import TODAY, LocalServer
from .recognition.recognizer import RecognizerMissingError
from .script import Script

USAGE_ERROR = 2
EPILOG = """\
Each line of a script has a message and the time to send it, in seconds of received audio:
  {"at": 0.4, "send": {"type": "turn.start"}}
  {"at": 0.9, "send": {"type": "turn.update", "transcript": "What time"}}
  {"at": 1.8, "send": {"type": "turn.end", "transcript": "What time is it?"}}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until Ctrl-C. Returns the exit code: 0, or 2 where it can't start."""
    options = _parser().parse_args(arguments)
    try:
        server = LocalServer(
            host=options.host,
            port=options.port,
            key=options.key,
            script=[Script.load(path) for path in options.script] or None,
            vendor=options.vendor,
            max_streams=options.max_streams,
            idle_timeout_s=options.idle_timeout,
        )
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(server))
    except (RecognizerMissingError, OSError, OverflowError, ValueError) as error:
        sys.stderr.write(f"error: {_reason(error)}\n")
        return USAGE_ERROR
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m livekit.plugins.cartesia_turns.server",
        description="A local server with the protocol of Cartesia's turn-based speech-to-text.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8765, help="port; 0 takes a free one (default: %(default)s)")
    parser.add_argument("--key", help="the only key that is accepted (default: a random one, printed)")
    parser.add_argument(
        "--max-streams",
        type=int,
        default=32,
        help="maximum number of open streams; further ones are refused with 429 (default: %(default)s)",
    )
    parser.add_argument(
        "--idle-timeout",
        type=float,
        default=TODAY.idle_close_s,
        help="seconds without a message after which a socket is closed (default: %(default)s)",
    )
    parser.add_argument(
        "--vendor",
        metavar="WHEN",
        default="today",
        help="play Cartesia as of this day or month, such as 2026-05 (default: %(default)s)",
    )
    parser.add_argument(
        "--script",
        action="append",
        default=[],
        metavar="FILE",
        help="file of JSON lines to play instead of recognizing speech; if given several times, each connection gets "
        "the next file, and the last one repeats",
    )
    return parser


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


async def _serve(server: LocalServer) -> None:
    async with server:
        sys.stdout.write(
            f"listening on {server.url}, key {server.key}\n"
            f'plugin:  cartesia_turns.STT(base_url="{server.url}", api_key="{server.key}")\n'
            "Ctrl-C ends it.\n"
        )
        sys.stdout.flush()
        stop = asyncio.Event()
        for kind in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows: asyncio.run turns Ctrl-C into KeyboardInterrupt
                asyncio.get_running_loop().add_signal_handler(kind, stop.set)
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
