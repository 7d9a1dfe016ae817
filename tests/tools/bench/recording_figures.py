"""Measures what recording costs: python tests/tools/bench/recording_figures.py.

The same calls with a recorder and without, in short rounds one after the other in one process, over a local server in
another: the processor time of all threads (the median of the rounds, and of what each recorded one took more than the
one before it, less what pushing the audio takes by itself), and the delay from the push of a frame to the text that
answers it. It takes ten minutes. On a busy machine, look at the processor time of the thread that writes, which
varies least; `--rounds 1` gives it in a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

import aiohttp
from livekit import rtc
from livekit.plugins.cartesia_turns.recording import Recorder
from livekit.plugins.cartesia_turns.recording.audio_file import flac
from livekit.plugins.cartesia_turns.recording.writer import EVERY_S
from support.waiting import until
from tools.bench.contestants import Line, open_line
from tools.bench.figures import NOTHING, OURS, quantile
from tools.bench.processes import Process
from tools.bench.progress import parser, working_on
from tools.bench.stamps import RATE, Talk, last_word, now_ns

KINDS = {"nothing": "only the audio is made", "without": "not recorded", "with": "recorded"}
STATES = {"in a turn": True, "while nobody speaks": False}
FRAME_MS = 20
PHASES = 10
MINUTE_S = 60.0
BEGINNING_S = EVERY_S + 1.0
"""After this time each call has been written once."""


@dataclass
class Measured:
    """What the rounds of one kind of call gave."""

    cpu_s: list[float] = field(default_factory=list)
    writing_s: list[float] = field(default_factory=list)
    """Of that, in the thread that writes."""
    beginning_s: list[float] = field(default_factory=list)
    """Before that, in the thread that writes, once for each call."""
    delays_ms: list[list[float]] = field(default_factory=list)

    def heard(self, text: str, _: bool) -> None:
        """A text has come whose last word is when its frame was pushed."""
        if (pushed_ns := last_word(text)) is not None:
            self.delays_ms[-1].append((now_ns() - pushed_ns) / 1e6)


async def push(lines: Sequence[Line], seconds: float, *, speaks: bool) -> None:
    """Pushes real-time audio, each line's at its own moment of a frame's time. The server answers only speech."""
    talk, loop = Talk(FRAME_MS), asyncio.get_running_loop()
    samples = round(RATE * talk.frame_s)
    quiet = rtc.AudioFrame(bytes(2 * samples), RATE, 1, samples)
    began, tick_s = loop.time(), talk.frame_s / PHASES
    for tick in range(round(seconds / tick_s)):
        await asyncio.sleep(began + tick * tick_s - loop.time())
        for line in lines[tick % PHASES :: PHASES]:
            line.push(talk.frame(1) if speaks else quiet)


def writing_s() -> float:
    """The processor time of the thread that writes recordings, in seconds; 0 without one."""
    ids = [thread.ident for thread in threading.enumerate() if thread.name == "cartesia_turns recorder"]
    return sum(time.clock_gettime(time.pthread_getcpuclockid(each)) for each in ids if each is not None)


def compressing_s() -> float:
    """The processor time that it takes to compress a minute of audio once its call is over, in seconds."""
    talk = Talk(FRAME_MS)
    pcm = b"".join(bytes(talk.frame(number).data) for number in range(round(MINUTE_S / talk.frame_s)))
    began = time.process_time()
    flac(pcm, RATE)
    return time.process_time() - began


async def measure(
    kind: str, measured: Measured, url: str, folder: Path, options: argparse.Namespace, *, speaks: bool
) -> None:
    """One round of one kind of call."""
    measured.delays_ms.append([])
    recorder = Recorder(folder, max_size_mb=10_000.0) if kind == "with" else None
    contestant = NOTHING if kind == "nothing" else OURS
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        lines = [
            await open_line(contestant, url, session, measured.heard, recorder=recorder) for _ in range(options.calls)
        ]
        # What a call takes once, for its folder and its files, is no part of what each minute takes.
        await push(lines, BEGINNING_S, speaks=speaks)
        used_s, written_s = time.process_time(), writing_s()
        await push(lines, options.seconds, speaks=speaks)
        for values, value in (
            (measured.cpu_s, time.process_time() - used_s),
            (measured.writing_s, writing_s() - written_s),
        ):
            values.append(value * MINUTE_S / options.seconds / options.calls)
        measured.beginning_s.append(written_s / options.calls)
        for line in lines:
            await line.aclose()
    if recorder:
        with contextlib.suppress(AssertionError):
            await until(lambda: len(list(folder.glob("*/audio.flac"))) == options.calls, within_s=30)


def show(state: str, kinds: dict[str, Measured]) -> None:
    """Prints the figures of a state."""
    nothing, without, recorded = (kinds[kind].cpu_s for kind in KINDS)
    call_s = median(b - a for a, b in zip(nothing, without, strict=True))
    more_s = median(b - a for a, b in zip(without, recorded, strict=True))
    print(f"\n{state}")
    print(f"  processor time for each minute of a call   {1000 * call_s:.0f} ms")
    print(f"  more of it with a recorder                 {1000 * more_s:.1f} ms, {100 * more_s / call_s:.1f} %")
    print(f"  of that in the thread that writes          {1000 * median(kinds['with'].writing_s):.1f} ms")
    beginning_s = median(kinds["with"].beginning_s)
    print(
        f"  there, once as a call begins               {1000 * beginning_s:.1f} ms, the first {BEGINNING_S:g} s with it"
    )
    pairs = list(zip(kinds["without"].delays_ms, kinds["with"].delays_ms, strict=True))
    for number, kind in enumerate(("without", "with")):
        if delays := [delay for pair in pairs for delay in pair[number]]:
            parts = ", ".join(f"{100 * part:g} % within {quantile(delays, part):.2f} ms" for part in (0.5, 0.95, 0.99))
            print(f"  delay of an event, {KINDS[kind]:<23} {parts} ({len(delays)} events)")
    if later := [median(recorded) - median(not_recorded) for not_recorded, recorded in pairs if recorded]:
        told = f"{median(later):.2f} ms later ({min(later):.2f} to {max(later):.2f})"
        print(f"  the median of a round, recorded            {told}")


async def main(options: argparse.Namespace) -> None:
    """Measures and prints."""
    server = Process("tools.bench.local_server")
    url = server.line()
    figures = {state: {kind: Measured() for kind in KINDS} for state in STATES}
    rounds = [(state, kind) for _ in range(options.rounds) for state in STATES for kind in KINDS]
    with tempfile.TemporaryDirectory() as scratch:
        for number, (state, kind) in enumerate(rounds):
            working_on(f"{state}, {KINDS[kind]}", number, len(rounds))
            folder = Path(scratch) / str(number)
            await measure(kind, figures[state][kind], url, folder, options, speaks=STATES[state])
    server.close()
    for state, kinds in figures.items():
        show(state, kinds)
    squeezed_s = median(compressing_s() for _ in range(options.rounds))
    print(f"\nafter the call, to compress a minute of audio  {1000 * squeezed_s:.1f} ms")


if __name__ == "__main__":
    asked = parser(__doc__)
    asked.add_argument("--calls", type=int, default=25, help="calls at once (default: %(default)s)")
    asked.add_argument("--seconds", type=float, default=10.0, help="of each round (default: %(default)s)")
    asked.add_argument("--rounds", type=int, default=6, help="of each kind (default: %(default)s)")
    asyncio.run(main(asked.parse_args()))
