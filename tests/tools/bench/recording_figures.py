"""Measures what recording costs: python tests/tools/bench/recording_figures.py.

25 calls in a process of their own, once with a recorder and once without, over and over: Python works faster while all
clients are of one class, as they are in an agent. It takes the processor time of all threads but the one that writes,
less that of making the audio, the time of that thread, and the delay from the server's text to the consumer. What it
prints are medians of the processes, the least and the greatest. It takes ten minutes, on a machine that does nothing
else. Processor time varies by more than what recording takes: `instruction_figures.py` counts that more exactly.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from livekit.plugins.cartesia_turns.recording import Recorder
from livekit.plugins.cartesia_turns.recording.audio_file import flac
from support.waiting import until
from tools.bench.contestants import Line, lines
from tools.bench.figures import NOTHING, OURS, quantile, spread
from tools.bench.load import Paced, connected
from tools.bench.processes import ENVIRONMENT, Process
from tools.bench.progress import parser, working_on
from tools.bench.scales.audio import Ear
from tools.bench.stamps import BYTES_PER_S, CYCLE_S, RATE, Talk

STATES = {"in a turn": "", "while nobody speaks": "/quiet"}
"""Each with what the server's path says of it."""
WITHOUT, WITH = "without a recorder", "with a recorder"
FRAME_MS = 20
FRAME_BYTES = FRAME_MS * BYTES_PER_S // 1000
WARM_UP_TURNS, TURNS = 2, 4
"""How many turns of audio come first and are not measured, and how many are: each longer than the thread waits that
writes. What a call takes once, for its folder and its files, is no part of what each minute takes."""
MINUTE_S = 60.0
SETTLED_S = 0.05
"""How long the answers to the last frames may take."""
PARTS = (0.5, 0.95)
"""Within which time so many of the events come."""


@dataclass(frozen=True)
class Measured:
    """What one process gave. Times are in milliseconds, those of a processor for each minute of a call."""

    call_ms: float
    """In all threads but the one that writes, without what making the audio takes."""
    writing_ms: float
    """In the thread that writes."""
    delays_ms: list[float]


def writing_s() -> float:
    """The processor time of the thread that writes recordings, in seconds; 0 without one."""
    ids = [thread.ident for thread in threading.enumerate() if thread.name == "cartesia_turns recorder"]
    return sum(time.clock_gettime(time.pthread_getcpuclockid(each)) for each in ids if each is not None)


def compressing_ms() -> float:
    """The processor time that it takes to compress a minute of audio once its call is over, in milliseconds."""
    talk = Talk(FRAME_MS)
    pcm = b"".join(bytes(talk.frame(number).data) for number in range(round(MINUTE_S / talk.frame_s)))
    began = time.process_time()
    flac(pcm, RATE)
    return 1000 * (time.process_time() - began)


async def measure(kind: str, state: str, url: str, count: int) -> Measured:
    """Makes the calls, in this process."""
    urls = [f"{url}/{FRAME_BYTES}{STATES[state]}"] * count
    ear, took_ms = Ear(), dict[str, tuple[float, float]]()
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"recorder": Recorder(folder, max_size_mb=10_000.0)} if kind == WITH else {}
        async with lines(NOTHING, urls, ear.hear) as nothing, lines(OURS, urls, ear.hear, **options) as calls:
            await connected(url, count)
            await push(calls, state, WARM_UP_TURNS)
            ear.delays_ms.clear()
            for who, opened, turns in ((NOTHING, nothing, 1), (OURS, calls, TURNS)):
                used_s, written_s = time.process_time(), writing_s()
                await push(opened, state, turns)
                used_s, written_s = time.process_time() - used_s, writing_s() - written_s
                calls_ms = 1000 * MINUTE_S / (turns * CYCLE_S) / count
                took_ms[who] = (used_s - written_s) * calls_ms, written_s * calls_ms
            delays_ms = list(ear.delays_ms)
        if kind == WITH:
            await written(folder, count)
    return Measured(took_ms[OURS][0] - took_ms[NOTHING][0], took_ms[OURS][1], delays_ms)


async def written(folder: str, count: int) -> None:
    """Waits for the end of the thread's work on so many calls: it writes to the folder until then."""
    with contextlib.suppress(AssertionError):
        await until(lambda: len(list(Path(folder).glob("*/audio.flac"))) == count, within_s=60)


async def push(opened: list[Line], state: str, turns: int) -> None:
    """Pushes audio of so many turns."""
    await Paced(FRAME_MS, turns * CYCLE_S, quiet=bool(STATES[state])).push(opened)
    await asyncio.sleep(SETTLED_S)


def measured_apart(kind: str, state: str, count: int) -> Measured:
    """The same in a process of its own, with a server of its own."""
    server = Process("tools.bench.endpoint")
    arguments = ["--worker", kind, state, server.line(), "--calls", str(count)]
    told = subprocess.run(
        [sys.executable, __file__, *arguments], env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    server.close()
    return Measured(**json.loads(told.stdout))


def show(state: str, kinds: dict[str, list[Measured]]) -> None:
    """Prints the figures of a state."""
    print(f"\n{state}")
    for kind, processes in kinds.items():
        call = spread([each.call_ms for each in processes])
        writing = spread([each.writing_ms for each in processes], 1)
        print(
            f"  {kind:<18} processor time for each minute of a call {call} ms, in the thread that writes {writing} ms"
        )
    for kind, processes in kinds.items():
        if heard := [each.delays_ms for each in processes if each.delays_ms]:
            parts = [f"{100 * part:g} % {spread([quantile(each, part) for each in heard], 2)} ms" for part in PARTS]
            print(f"  {kind:<18} delay of an event: {', '.join(parts)}")


def main(options: argparse.Namespace) -> None:
    """Measures and prints, or is the process that is measured."""
    if options.worker:
        kind, state, url = options.worker
        print(json.dumps(asdict(asyncio.run(measure(kind, state, url, options.calls)))))
        return
    figures: dict[str, dict[str, list[Measured]]] = {state: {WITHOUT: [], WITH: []} for state in STATES}
    jobs = [(state, kind) for _ in range(options.rounds) for state, kinds in figures.items() for kind in kinds]
    for number, (state, kind) in enumerate(jobs):
        working_on(f"{state}, {kind}", number, len(jobs))
        figures[state][kind].append(measured_apart(kind, state, options.calls))
    for state, kinds in figures.items():
        show(state, kinds)
    squeezed_ms = median(compressing_ms() for _ in range(5))
    print(f"\nafter the call, to compress a minute of audio  {squeezed_ms:.1f} ms")


if __name__ == "__main__":
    asked = parser(__doc__)
    asked.add_argument("--calls", type=int, default=25, help="in each process (default: %(default)s)")
    asked.add_argument("--rounds", type=int, default=4, help="of processes (default: %(default)s)")
    asked.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    main(asked.parse_args())
