"""Tries turn settings with recorded calls: python -m livekit.plugins.cartesia_turns tune CALLS."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..doctor.calls import Server
from ..net.dialer import KEY_VARIABLE
from ..recording.labels import LabelsError
from ..recording.schema import SchemaError
from ..settings import RECORD_VARIABLE
from ..wire.checks import credential
from ..wire.options import check_model
from .chart import ChartError, check_drawing, draw, write_table
from .grid import EAGER_ENDS, ENDS, STARTS, TIMEOUTS_MS, grid
from .plan import Tuning, UsageError, read
from .progress import Progress
from .report import cost, counted, outcome, refused
from .results import Results
from .runs import RunError, run_all
from .score import frontier

DONE, FAILED, USAGE_ERROR, INTERRUPTED = 0, 1, 2, 130
MOST_AT_ONCE = 64
RESULTS_FILE, TABLE_FILE, PICTURE_FILE = "tuning.jsonl", "tuning.csv", "tuning.png"
EPILOG = f"""\
Label the calls first:  python -m livekit.plugins.cartesia_turns label calls/
The key is read from {KEY_VARIABLE}. Each setting is tried with each call, in real time, and the endpoint bills the
audio. What this costs is shown before anything is sent. Results are kept as they come, so the same command goes on
where it was stopped, and other values add to what is known.

With the local server, which prints its key, run no more than two at once for each processor core that has nothing else
to do: a busy recognizer ends turns late. It has the speech model of a test, so it can't tell you what suits Cartesia:
  python -m livekit.plugins.cartesia_turns.server
  {KEY_VARIABLE}=... python -m livekit.plugins.cartesia_turns tune calls/ --base-url http://127.0.0.1:8765

Exit code: 0 done, 1 the runs could not be finished or all were refused, 2 the arguments or the calls can't be used.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Tries all settings with all calls, and returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.getLogger("livekit").addHandler(logging.NullHandler())
    # The runs are no calls that anybody wants to have recorded.
    os.environ.pop(RECORD_VARIABLE, None)
    try:
        if not options.no_picture:
            check_drawing()
        tuning = _tuning(options)
        _check_secret(tuning, options.token_variable or KEY_VARIABLE)
        if not _is_wanted(tuning, options.at_once, is_sure=options.yes):
            return DONE
        code = _run(tuning, options.at_once)
        _tell(tuning, _folder(options), has_picture=not options.no_picture)
        if tuning.is_refused:
            sys.stderr.write("error: the endpoint refused all settings.\n")
            return FAILED
    except BrokenPipeError:
        raise
    except (OSError, ValueError, SchemaError, LabelsError, ChartError) as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE_ERROR
    return code


def _tuning(options: argparse.Namespace) -> Tuning:
    """What the arguments ask for.

    Raises:
        ValueError: they can't be used.
        SchemaError, LabelsError, OSError: a call can't be read.
    """
    if not 1 <= options.at_once <= MOST_AT_ONCE:
        raise UsageError(f"--at-once must be from 1 to {MOST_AT_ONCE}")
    if not 0 < options.timeout <= 120:
        raise UsageError("--timeout must be more than 0 and at most 120 seconds")
    if options.model is not None:
        check_model(options.model)
    settings, left_out = grid(options.start, options.eager_end, options.end, options.timeout_ms)
    if left_out:
        _say(f"{counted(left_out, 'combination')} left out: start > eager end > end must hold.")
    calls = read(options.calls)
    for remark in calls.remarks():
        _say(remark)
    variable = options.token_variable
    token = credential(variable, os.environ.get(variable)) if variable else None
    server = Server(options.base_url, options.allow_plaintext, options.model, token, options.timeout)
    return Tuning(server, calls.samples, settings, Results(_folder(options) / RESULTS_FILE))


def _check_secret(tuning: Tuning, variable: str) -> None:
    """Checks that there is a key or a token if runs are to be made.

    Raises:
        ValueError: there is none, or one that can't be sent.
    """
    if tuning.jobs and credential(variable, os.environ.get(variable)) is None:
        raise UsageError(f"there is no key or token: set {variable}")


def _is_wanted(tuning: Tuning, at_once: int, *, is_sure: bool) -> bool:
    """Shows what the runs cost, and asks.

    Raises:
        UsageError: there is nobody to ask.
    """
    jobs = tuning.jobs
    if not jobs:
        _say("All runs were made before.")
        return True
    _say(
        cost(
            calls=len(tuning.samples),
            turns=sum(sample.labels.turns for sample in tuning.samples),
            settings=len(tuning.settings),
            done=len(tuning.samples) * len(tuning.settings) - len(jobs),
            seconds=[job.sample.seconds for job in jobs],
            base_url=tuning.server.base_url,
            at_once=at_once,
        )
    )
    if is_sure:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask whether to send this: pass --yes")
    sys.stdout.write("Send it? [y/N] ")
    sys.stdout.flush()
    has_agreed = sys.stdin.readline().strip().lower() in ("y", "yes")
    if not has_agreed:
        _say("Nothing was sent.")
    return has_agreed


def _run(tuning: Tuning, at_once: int) -> int:
    """Makes the runs, and returns the exit code.

    Raises:
        OSError: the results can't be kept.
    """
    if not tuning.jobs:
        return DONE
    tuning.results.prepare()
    try:
        asyncio.run(run_all(tuning.server, tuning.jobs, at_once, Progress(tuning, at_once)))
    except RunError as error:
        sys.stderr.write(f"\nerror: the runs were stopped. {error}\nThe same command goes on from here.\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. The same command goes on from here.\n")
        return INTERRUPTED
    return DONE


def _tell(tuning: Tuning, folder: Path, *, has_picture: bool) -> None:
    """Writes the table and the picture, and prints the settings on the frontier.

    Raises:
        OSError: the disk does not take it.
    """
    if tuning.refused:
        _say(refused(tuning.refused))
    points = tuning.points()
    if not points:
        _say("No setting has been tried with all calls yet.")
        return
    best = frontier(points)
    _say(f"\n{outcome(points, best)}\n")
    if late := tuning.late():
        _say(
            f"{counted(len(late), 'run')} fell behind real time, by up to {max(late):.1f} s: this machine was too busy,"
            " and the delays may be too long. The same command makes these runs anew: try fewer --at-once.\n"
        )
    write_table(folder / TABLE_FILE, points, best)
    _say(f"table:   {folder / TABLE_FILE}")
    if has_picture:
        turns = counted(points[0].score.turns, "turn")
        title = f"False cut-offs against delay: {counted(len(tuning.samples), 'call')}, {turns}"
        draw(folder / PICTURE_FILE, points, best, title)
        _say(f"picture: {folder / PICTURE_FILE}")


def _folder(options: argparse.Namespace) -> Path:
    """Where the results go."""
    folder: Path = options.output or options.calls[0]
    # A call may also be given by its `call.jsonl`.
    return folder.parent if options.output is None and folder.is_file() else folder


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m livekit.plugins.cartesia_turns tune",
        description="Runs labelled calls under many turn settings, and says which settings cut callers off least and"
        " end turns soonest.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("calls", type=Path, nargs="+", help="the folder of a call, or a folder of calls")
    for name, kind, default in (
        ("start", float, STARTS),
        ("eager-end", float, EAGER_ENDS),
        ("end", float, ENDS),
        ("timeout-ms", int, TIMEOUTS_MS),
    ):
        setting = "turn_end_timeout_ms" if name == "timeout-ms" else f"turn_{name.replace('-', '_')}_threshold"
        told = f"values of {setting} to try (default: {' '.join(map(str, default))})"
        add(f"--{name}", type=kind, nargs="+", default=default, metavar="X", help=told)
    add("--yes", action="store_true", help="do not ask before audio is sent")
    add("--at-once", type=int, default=4, metavar="N", help="number of simultaneous runs (default: %(default)s)")
    add(
        "-o",
        "--output",
        type=Path,
        metavar="FOLDER",
        help="folder for the results (default: the first folder of calls)",
    )
    add("--no-picture", action="store_true", help="draw no picture, which needs matplotlib")
    add("--base-url", default="https://api.cartesia.ai", metavar="URL", help="the endpoint (default: %(default)s)")
    add("--allow-plaintext", action="store_true", help="accept an unencrypted address that is not on this machine")
    add("--model", help="the model (default: that of each call)")
    add(
        "--token-variable", metavar="NAME", help="the environment variable with a short-lived token, instead of the key"
    )
    add("--timeout", type=float, default=10.0, metavar="S", help="seconds for each connection (default: %(default)s)")
    return parser
