"""Runs the package's commands: python -m livekit.plugins.cartesia_turns COMMAND."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

COMMANDS = {
    "doctor": ("doctor.command", "check this machine, the key, the server, a recording and your session"),
    "label": ("recording.label_command", "propose where turns ended in recorded calls, and take over corrections"),
    "replay": ("recording.replay_command", "run a recorded call again with this version, and compare"),
    "tune": ("tuning.command", "try turn settings with recorded calls, and say which suit your callers"),
    "view": ("recording.view_command", "make a page of a recorded call"),
}
"""Each command's module, whose `main(arguments)` returns the exit code, and its help. It is imported when it is run."""


USAGE_ERROR, NOT_WRITTEN, INTERRUPTED, NOT_READ = 2, 2, 130, 141
"""The exit codes of a wrong command line, of a command whose output the disk does not take, of one that Ctrl-C ended,
and of one whose reader, such as `head`, has left."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; exits with 2 if there is no such command."""
    # A shell or a service manager can start a process without them.
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    parser = _parser()
    given = sys.argv[1:] if arguments is None else arguments
    if not given:
        parser.exit(USAGE_ERROR, parser.format_help())
    chosen = parser.parse_args(given)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal may not be able to show each letter of a path or a transcript.
        sys.stdout.reconfigure(errors="replace")
    try:
        code: int = importlib.import_module(f"{__package__}.{COMMANDS[chosen.command][0]}").main(chosen.arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return NOT_READ
    except OSError as error:
        # The commands themselves say what is wrong with their files. This is the output, such as on a full disk.
        _forget_output()
        sys.stderr.write(f"error: {error}\n")
        return NOT_WRITTEN
    return code


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _forget_output() -> None:
    """Keeps Python from complaining once more when it flushes the output at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    texts = "\n".join(f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m livekit.plugins.cartesia_turns",
        usage="%(prog)s COMMAND ...",
        description=f"commands:\n{texts}",
        epilog="COMMAND --help describes each command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
