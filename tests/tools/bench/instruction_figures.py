"""Measures the instructions of a call: python tests/tools/bench/instruction_figures.py.

Processor time varies by a tenth and more from one run to the next, and the instructions of a program hardly do. So this
counts them, with `callgrind` of Valgrind, which must be installed, as must the other plugin (`make vendors`). First,
calls of each plugin take one turn of their users after the other in one process, and this plugin then does so with
parts of its work left out, each time one more. Then it does so with a recorder and without, each in processes of their
own, since Python works faster while all clients are of one class. What the kernel does is not counted. It takes eight
minutes, and other programs may run meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import IO, Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[2]))

from livekit.plugins.cartesia_turns.core.speech_times import SpeechTimes
from livekit.plugins.cartesia_turns.recording import Recorder
from livekit.plugins.cartesia_turns.telemetry import Telemetry
from tools.bench.contestants import lines, present
from tools.bench.figures import FLOOR, NOTHING, OFFICIAL, OFFICIAL_AT_FRAMES, OURS, spread
from tools.bench.load import Paced, connected
from tools.bench.parts_figures import WITHOUT_KEEPING, WITHOUT_PINGS, less
from tools.bench.processes import ENVIRONMENT, Process
from tools.bench.progress import parser, working_on
from tools.bench.recording_figures import written
from tools.bench.stamps import BYTES_PER_S, CYCLE_S

CALLS = 5
TURNS = 4
"""How many turns a recorded call has: longer than the thread waits that writes."""
SETTLED_S = 0.2
"""How long the answers to the last frames may take: under `callgrind` all is slower."""
WITHOUT_TIMES = "also without the times of speech"
WITHOUT_TELEMETRY = "also without counters and spans"
RECORDED = "with a recorder"
PARTS = (WITHOUT_PINGS, WITHOUT_KEEPING, WITHOUT_TIMES, WITHOUT_TELEMETRY)
KINDS = (NOTHING, FLOOR, OFFICIAL, OFFICIAL_AT_FRAMES, OURS, *PARTS)
READY, DONE = "ready", "done"


@dataclass(frozen=True)
class Job:
    """What one process does."""

    url: str
    kinds: Sequence[str]
    rounds: int
    turns: int
    """In each round of each kind."""
    frame_ms: int
    quiet: bool
    """Nobody speaks."""


@contextlib.contextmanager
def left_out(kind: str) -> Iterator[None]:
    """Leaves out this part, and those before it."""
    parts = PARTS[: PARTS.index(kind) + 1] if kind in PARTS else ()
    with contextlib.ExitStack() as patches:
        if parts:
            patches.enter_context(less(WITHOUT_KEEPING if WITHOUT_KEEPING in parts else WITHOUT_PINGS))
        if WITHOUT_TIMES in parts:
            patches.enter_context(patch.object(SpeechTimes, "turn_started", lambda _, now: now))
            patches.enter_context(patch.object(SpeechTimes, "turn_ended", lambda _, now, *__: now))
        if WITHOUT_TELEMETRY in parts:
            for name in ("counted", "turn"):
                patches.enter_context(patch.object(Telemetry, name, lambda *_: None))
        yield


async def calls(job: Job) -> None:
    """Makes the calls, so many turns at a time. It says when these begin and end, and each time waits for a line."""
    path = f"/{job.frame_ms * BYTES_PER_S // 1000}{'/quiet' if job.quiet else ''}"
    urls, frames_ms = [job.url + path] * CALLS, [job.frame_ms] * CALLS
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        if RECORDED in job.kinds:
            # The lines are closed before that, and the folder is removed after it.
            stack.push_async_callback(written, folder, CALLS)
        opened = {}
        for kind in job.kinds:
            if kind not in PARTS:
                is_recorded = kind == RECORDED
                options: dict[str, Any] = {"recorder": Recorder(folder)} if is_recorded else {}
                line = lines(OURS if is_recorded else kind, urls, _drop, frames_ms=frames_ms, **options)
                opened[kind] = await stack.enter_async_context(line)
        await connected(job.url, CALLS * len(opened.keys() - {NOTHING}))
        for number in range(-1, job.rounds):
            for kind in job.kinds:
                with left_out(kind):
                    # The collector need not follow what is left of the other kinds.
                    gc.collect()
                    gc.freeze()
                    if number >= 0:
                        _say(READY)
                    paced = Paced(job.frame_ms, job.turns * CYCLE_S, quiet=job.quiet)
                    await paced.push(opened.get(kind) or opened[OURS])
                    await asyncio.sleep(SETTLED_S)
                    if number >= 0:
                        _say(DONE)


def count(job: Job) -> dict[str, list[float]]:
    """Has the calls made under `callgrind`; returns millions of instructions for each minute of a call."""
    counted: dict[str, list[float]] = {kind: [] for kind in job.kinds}
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out"
        worker = subprocess.Popen(
            [
                *("valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"),
                *(sys.executable, __file__, "--worker", json.dumps(asdict(job))),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        assert worker.stdin, "it was opened with a pipe"
        assert worker.stdout, "it was opened with a pipe"
        for number in range(job.rounds * len(job.kinds)):
            kind = job.kinds[number % len(job.kinds)]
            working_on(kind, number, job.rounds * len(job.kinds))
            for _ in (READY, DONE):
                _wait(worker.stdout)
                if not number:
                    _control("-i", "on", worker.pid)
                # Dumping sets the counters to 0.
                _control("-d", worker.pid)
                worker.stdin.write("\n")
                worker.stdin.flush()
            newest = max(out.parent.glob("out.*"), key=lambda path: int(path.suffix[1:]))
            found = re.search(r"^summary: (\d+)", newest.read_text(), re.MULTILINE)
            assert found, f"{newest} has no summary"
            counted[kind].append(int(found[1]) / 1e6 * 60 / CYCLE_S / job.turns / CALLS)
        worker.communicate()
    return counted


def show(counted: dict[str, list[float]]) -> None:
    """Prints the figures of the plugins and the parts."""
    print("\nmillions of instructions for each minute of a call, without what making the audio takes")
    alone = median(counted[NOTHING])
    official = median(counted[OFFICIAL_AT_FRAMES]) - alone
    for kind in KINDS[1:]:
        net = [each - alone for each in counted[kind]]
        print(f"  {kind:<34} {spread(net)}, {median(net) / official:.2f} times")
    print(f"times: as many as {OFFICIAL_AT_FRAMES}")


def show_recorder(processes: dict[str, list[float]]) -> None:
    """Prints the figures of the recorder."""
    without, recorded = processes[OURS], processes[RECORDED]
    more = median(recorded) - median(without)
    print("\nthe same of calls in processes of their own")
    print(f"  {OURS:<34} {spread(without)}")
    print(f"  {RECORDED:<34} {spread(recorded)}: {more:.0f} more, {100 * more / median(without):.1f} %")


def _control(*arguments: object) -> None:
    command = shutil.which("callgrind_control")
    subprocess.run([command or "", *map(str, arguments)], check=True, capture_output=True)


def _wait(output: IO[str]) -> None:
    if not output.readline():
        raise RuntimeError("the calls have ended before their time")


def _say(word: str) -> None:
    print(word, flush=True)
    sys.stdin.readline()


def _drop(_: str, __: bool) -> None:
    """What is heard is of no interest."""


def main(options: argparse.Namespace) -> None:
    """Counts and prints, or is the process that is counted."""
    if options.worker:
        asyncio.run(calls(Job(**json.loads(options.worker))))
        return
    if OFFICIAL_AT_FRAMES not in present():
        sys.exit("livekit-plugins-cartesia is not installed: run `make vendors` first")
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed: it counts the instructions")
    server = Process("tools.bench.endpoint")
    url = server.line()
    if "parts" in options.only:
        show(count(Job(url, KINDS, options.rounds, 1, options.frame_ms, options.quiet)))
    if "recorder" in options.only:
        processes: dict[str, list[float]] = {OURS: [], RECORDED: []}
        for kind in [*processes] * options.rounds:
            counted = count(Job(url, (NOTHING, kind), 1, TURNS, options.frame_ms, options.quiet))
            processes[kind].append(counted[kind][0] - counted[NOTHING][0])
        show_recorder(processes)
    server.close()


if __name__ == "__main__":
    asked = parser(__doc__)
    asked.add_argument("--rounds", type=int, default=4, help="of each kind (default: %(default)s)")
    asked.add_argument("--only", default="parts,recorder", help="what to count (default: %(default)s)")
    asked.add_argument("--frame-ms", type=int, default=20, help="the length of a frame (default: %(default)s)")
    asked.add_argument("--quiet", action="store_true", help="count calls in which nobody speaks")
    asked.add_argument("--worker", help=argparse.SUPPRESS)
    main(asked.parse_args())
