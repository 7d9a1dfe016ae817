"""Runs recorded calls again: python -m livekit.plugins.cartesia_turns replay CALL..."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from .files import calls_in, calls_of
from .player import replay
from .schema import SchemaError
from .server import RecordedServer

DIFFERENT = 1
USAGE_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Replays each call and says what differs, or plays one to an agent until Ctrl-C.

    Returns:
        The exit code: 0 if nothing differs, 1 if something does, 2 if a call can't be replayed.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.server:
        return max([_replay_all(path) for path in options.call])
    try:
        calls = calls_of(options.call)
    except (OSError, SchemaError) as error:
        return _failed(error)
    if len(calls) > 1:
        parser.error(f"--server plays one call, and these are {len(calls)}: name one of them, such as {calls[0]}")
    return _play(calls[0], options.host, options.port, options.key)


def _replay_all(path: Path) -> int:
    """Replays the calls in a folder, and returns the exit code."""
    try:
        calls = calls_in(path)
    except (OSError, SchemaError) as error:
        return _failed(error)
    return max([_replay(call) for call in calls])


def _replay(call: Path) -> int:
    try:
        outcome = replay(call)
    except (OSError, SchemaError) as error:
        return _failed(error)
    sys.stdout.write(f"{call}: {outcome}\n")
    return 0 if outcome.is_same else DIFFERENT


def _play(call: Path, host: str, port: int, key: str | None) -> int:
    try:
        asyncio.run(_serve(RecordedServer(call, host=host, port=port, key=key, tell=_say)))
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        raise
    except (OSError, OverflowError, ValueError) as error:
        return _failed(error)
    return 0


async def _serve(server: RecordedServer) -> None:
    async with server:
        call = server.recording
        _say(f"{call.folder} is played at base_url={server.url}, with the STT")
        _say(f"    cartesia_turns.STT({', '.join(f'{name}={value!r}' for name, value in server.arguments.items())})")
        if not call.header.get("transcripts", True):
            _say("The words were not recorded: each of their letters is an x.")
        if not call.is_complete:
            _say("The recording was cut off: what came after it is missing.")
        _say("Ctrl-C ends it.")
        await asyncio.Event().wait()


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def _failed(error: Exception) -> int:
    sys.stderr.write(f"error: {error}\n")
    return USAGE_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m livekit.plugins.cartesia_turns replay",
        description="Feeds what was recorded to the installed version, without any server, and compares what it does."
        " With --server it plays the call to an agent of yours instead.",
        epilog="Exit code: 0 the same, 1 something differs, 2 a call can't be replayed.",
    )
    parser.add_argument("call", type=Path, nargs="+", help="the folder of a call, or a folder of calls")
    agents = parser.add_argument_group("for an agent of yours")
    agents.add_argument(
        "--server",
        action="store_true",
        help="listen as the server of the call, which says what it said and fails where it failed in the agent's audio",
    )
    agents.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    agents.add_argument("--port", type=int, default=8765, help="port; 0 takes a free one (default: %(default)s)")
    agents.add_argument("--key", help="the only key that is accepted (default: a random one, printed)")
    return parser
