"""The command line of the doctor: python -m livekit.plugins.cartesia_turns doctor."""

from __future__ import annotations

import argparse
import asyncio
import io
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..wire.checks import credential
from ..wire.options import check_model, endpoint
from .calls import Server
from .examine import Plan, examine
from .recording import UnreadableError, load
from .report import as_json, is_well, lines, summary
from .session import NotFoundError, find
from .verdict import Verdict

WELL, PROBLEM, USAGE_ERROR = 0, 1, 2
EPILOG = """\
The key is read from CARTESIA_API_KEY. Keys and tokens are never printed; the recognized words are.
It sends about 22 seconds of audio, which Cartesia bills; --silent sends none.

To check the local server, which prints its key:
  python -m livekit.plugins.cartesia_turns.server
  CARTESIA_API_KEY=... python -m livekit.plugins.cartesia_turns doctor --base-url http://127.0.0.1:8765

exit codes: 0 no problem was found (there may be warnings), 1 there was a problem, 2 the arguments can't be used.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks all that the arguments ask for, prints it, and returns the exit code."""
    _prepare_output()
    options = _parser().parse_args(arguments)
    try:
        plan = _plan(options)
    except (UnreadableError, NotFoundError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE_ERROR
    verdicts = asyncio.run(_run(plan, quiet=options.json))
    _say(as_json(verdicts) if options.json else f"\n{summary(verdicts)}")
    return WELL if is_well(verdicts) else PROBLEM


async def _run(plan: Plan, *, quiet: bool) -> list[Verdict]:
    verdicts = []
    async for verdict in examine(plan):
        verdicts.append(verdict)
        if not quiet:
            _say(lines(verdict))
    return verdicts


def _plan(options: argparse.Namespace) -> Plan:
    """What the arguments ask for.

    Raises:
        ValueError: the address, the model or a number can't be right.
        UnreadableError: the recording can't be read.
        NotFoundError: there is no such function.
    """
    endpoint(options.base_url, allow_plaintext=options.allow_plaintext)
    if not 0 < options.timeout <= 120:
        raise ValueError("--timeout must be more than 0 and at most 120 seconds")
    if not 0 <= options.calls <= 100:
        raise ValueError("--calls must be from 0 to 100")
    server = Server(options.base_url, options.allow_plaintext, options.model, _token(options), options.timeout)
    if options.model is not None:
        check_model(options.model)
    return Plan(
        server=server,
        token_variable=options.token_variable,
        recording=load(options.audio) if options.audio else None,
        session=find(options.session) if options.session else None,
        calls=options.calls,
        speaks=not options.silent,
    )


def _token(options: argparse.Namespace) -> str | None:
    """The token, None where it can't be used: the report says what is wrong with it."""
    if options.token_variable is None:
        return None
    try:
        return credential(options.token_variable, os.environ.get(options.token_variable))
    except ValueError:
        return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m livekit.plugins.cartesia_turns doctor",
        description="Checks everything that a call needs, and says what to do about each problem.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--base-url", default="https://api.cartesia.ai", metavar="URL", help="the server (default: %(default)s)")
    add("--allow-plaintext", action="store_true", help="accept an unencrypted address that is not on this machine")
    add("--model", help="the model to ask for (default: the plugin's)")
    add(
        "--token-variable", metavar="NAME", help="the environment variable with a short-lived token, instead of the key"
    )
    add("--audio", type=Path, metavar="FILE", help="a recording to examine, and to send instead of the sample")
    add("--session", metavar="MODULE:FUNCTION", help="inspect the AgentSession that this function returns")
    add("--calls", type=int, default=0, metavar="N", help="test whether N calls work at once")
    add("--silent", action="store_true", help="send no audio")
    add("--timeout", type=float, default=10.0, metavar="S", help="seconds for each step (default: %(default)s)")
    add("--json", action="store_true", help="print one JSON object at the end, and nothing else")
    return parser


def _prepare_output() -> None:
    """Keeps the plugin's log out of the report, and replaces characters that the terminal can't show."""
    logging.getLogger("livekit").addHandler(logging.NullHandler())
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
