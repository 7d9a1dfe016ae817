"""Runs recorded calls again: python -m livekit.plugins.cartesia_turns replay CALL..."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .player import replay
from .schema import SchemaError

DIFFERENT = 1
USAGE_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Replays each call and says what differs.

    Returns:
        The exit code: 0 if nothing differs, 1 if something does, 2 if a call can't be replayed.
    """
    calls: list[Path] = _parser().parse_args(arguments).call
    codes = [_replay(call) for call in calls]
    return max(codes)


def _replay(call: Path) -> int:
    try:
        outcome = replay(call)
    except (OSError, SchemaError) as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE_ERROR
    sys.stdout.write(f"{call}: {outcome}\n")
    return 0 if outcome.is_same else DIFFERENT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m livekit.plugins.cartesia_turns replay",
        description="Feeds what was recorded to the installed version, without any server, and compares what it does.",
        epilog="Exit code: 0 the same, 1 something differs, 2 a call can't be replayed.",
    )
    parser.add_argument("call", type=Path, nargs="+", help="the folder of a call")
    return parser
