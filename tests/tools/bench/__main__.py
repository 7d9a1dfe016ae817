"""This plugin beside its peers: make bench, or python -m tools.bench --help in tests."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import report
from .check import missing, worse
from .contestants import present
from .figures import OFFICIAL
from .runner import Run
from .scales import SCALES

ROUNDS = 5
FOLDER = Path(__file__).parents[3] / ".artifacts" / "bench"


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measures this plugin beside livekit-plugins-cartesia (`make vendors` installs it) and a bare"
        " websocket. Prints a table, and writes it, its JSON and a plot. Takes about 24 minutes; the machine should"
        " have nothing else to do.",
    )
    parser.add_argument("--only", default=",".join(SCALES), help="comma-separated scales (default: %(default)s)")
    parser.add_argument("--rounds", type=int, help=f"rounds (default: {ROUNDS}; with --quick 1)")
    parser.add_argument("--quick", action="store_true", help="run only the smallest cell of each scale, as a trial")
    parser.add_argument(
        "--long",
        action="store_true",
        help="also measure calls of ten minutes and recognized speech; takes over an hour",
    )
    parser.add_argument("--check", type=Path, metavar="FILE", help="compare with the JSON file of an earlier run")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="folder for the results")
    options = parser.parse_args(given)
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(SCALES):
        parser.error(f"no scale is called {', '.join(sorted(unknown))}")
    options.rounds = options.rounds or (1 if options.quick else ROUNDS)
    return options


def say(line: str) -> None:
    """Tells of progress."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def measured(options: argparse.Namespace, command: str) -> report.Report:
    """A whole run."""
    contestants = present()
    if OFFICIAL not in contestants:
        say(f"{OFFICIAL} is not installed: `make vendors` does that")
    cells = [cell for name in options.only for cell in SCALES[name].cells(quick=options.quick, long=options.long)]
    begun, load = time.monotonic(), os.getloadavg()[0]
    run = Run(cells, contestants, options.rounds, say)
    figures = run.all_rounds()
    result = report.Report(command, options.rounds, figures, run.failures, packages=report.versions())
    result.seconds, result.load = time.monotonic() - begun, (load, os.getloadavg()[0])
    return result


def save(result: report.Report, folder: Path) -> None:
    """Writes the files."""
    folder.mkdir(parents=True, exist_ok=True)
    result.save(folder / "bench.json")
    (folder / "bench.md").write_text(f"{result.text()}\n", encoding="utf-8")
    report.plot(result.figures, folder / "bench.svg")


def compared(result: report.Report, earlier: Path) -> bool:
    """Prints what got worse; says whether anything did."""
    before = report.read(earlier)
    for name in missing(result.figures, before):
        print(f"not measured now: {name}")
    found = worse(result.figures, before)
    for sentence in found:
        print(f"WORSE: {sentence}")
    if not found:
        print("nothing got worse by more than the noise")
    return bool(found)


def main(given: Sequence[str] | None = None) -> int:
    """Runs the benchmark. Returns the exit code: 1 if a job failed or something got worse."""
    options = arguments(given)
    if options.check:
        # Before the minutes that a run takes: a wrong name is told at once.
        report.read(options.check)
    words = sys.argv[1:] if given is None else given
    result = measured(options, " ".join(["make bench", *([f'ARGS="{" ".join(words)}"'] if words else [])]))
    save(result, options.out)
    print(result.text(), flush=True)
    print(f"\nIn {options.out}: bench.json, bench.md, bench.svg")
    got_worse = options.check is not None and compared(result, options.check)
    return 1 if got_worse or result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
