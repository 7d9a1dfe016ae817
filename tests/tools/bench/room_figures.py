"""Measures how many rooms one core serves, as the documentation shows it: python tests/tools/bench/room_figures.py.

It starts a real livekit-server and a real worker with a process for each room. In each room a guest plays recorded
speech. The sessions have only an STT. A local server in another process sends the same turns at the same audio times
to each session. The figure is the CPU time of the worker and all its processes, over a time in which every room
listens. For comparison it also runs livekit-plugins-cartesia, if it is installed (`make vendors`), and an STT that
drops the audio: the CPU time above that is the STT's share. They alternate, round by round. If a room does not get each
final transcript, word for word, the benchmark fails.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[3] / "examples"))

import psutil
from room.guest import Guest
from room.stage import ARTIFACTS, KEY, SpeechServer
from roomkit.grants import LivekitAccess, issue
from roomkit.livekit_server import LivekitServer
from roomkit.worker import Worker
from tools.bench.progress import parser, working_on
from tools.bench.room_call import EndlessCall
from tools.bench.room_worker import REPORT_EVERY_S, report

WORKER = Path(__file__).with_name("room_worker.py")
OURS, OFFICIAL = "livekit.plugins.cartesia_turns", "livekit.plugins.cartesia"
WARM_UP_S = 5.0
"""Each room listens for so long before the window opens."""
LATE_S = 10.0
"""How long after the window a final transcript may come."""


@dataclass(frozen=True)
class Ears:
    """A column: what hears, and what it is to hear. `module` is the plugin's, empty to drop the audio."""

    name: str
    module: str
    finals: list[str]
    options: dict[str, object] = field(default_factory=dict)
    busy: list[float] = field(default_factory=list)
    """Seconds of processor time for each second of a room, one for each round."""
    memory_mb: list[float] = field(default_factory=list)
    """What a room's process alone holds, one for each round."""

    def note(self, busy: float, memory_mb: float) -> None:
        print(f"  {self.name}: {1000 * busy:.1f} ms/s, {memory_mb:.0f} MB", file=sys.stderr, flush=True)
        self.busy.append(busy)
        self.memory_mb.append(memory_mb)


class Speaker(Guest):
    """A guest who waits for the agent before the microphone is on."""

    def __init__(self, access: LivekitAccess) -> None:
        grant = issue(access, f"bench-{secrets.token_hex(4)}")
        super().__init__("", room=grant.room)
        self._url, self._token = access.url, grant.token

    async def __aenter__(self) -> Speaker:
        self.room.register_text_stream_handler("lk.transcription", self._on_text)
        await self.room.connect(self._url, self._token)
        await self.agent_is_here()
        return self

    async def begin(self, recording: Path) -> None:
        """Turn the microphone on; the first thing it hears is the recording."""
        self.speak(recording)
        await self.publish()

    async def expect(self, finals: list[str]) -> None:
        """Fail where these are not the first that the room was told."""
        told = self.diary.said
        await self.until(lambda: len(told("user")) >= len(finals), LATE_S, f"{len(finals)} final transcripts came")
        assert told("user")[: len(finals)] == finals, f"of {finals} came {self.diary.finals}"


class Tree:
    """The processor time of a process and all its descendants from now on."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._processes = self._present()
        self._began_s, self._used_s = time.monotonic(), self._total_s()

    def busy(self) -> float:
        """Seconds of user and system time for each second."""
        assert self._processes == self._present(), "a process came or went, and its time with it"
        return (self._total_s() - self._used_s) / (time.monotonic() - self._began_s)

    def memory_mb(self) -> list[float]:
        """What each room's process alone holds: it would be free again if it ended."""
        # The worker's own children are helpers; one of them forks the rooms' processes.
        jobs = [process for process in self._processes[1:] if process.ppid() != self._root.pid]
        return [process.memory_full_info().uss / 1e6 for process in jobs]

    def _present(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]

    def _total_s(self) -> float:
        used = [process.cpu_times() for process in self._processes]
        return sum(float(times.user + times.system) for times in used)


@dataclass(frozen=True)
class Venue:
    """What all measurements share."""

    access: LivekitAccess
    hearing: SpeechServer
    recording: Path
    rooms: int
    seconds: float

    async def measure(self, ears: Ears) -> None:
        """One worker, its rooms, and one window."""
        options = {"model": "ink-2", "base_url": self.hearing.url, "api_key": KEY, **ears.options}
        environment = {"BENCH_STT": ears.module, "BENCH_OPTIONS": json.dumps(options)}
        log = ARTIFACTS / f"room-bench-{ears.module or 'none'}.log"
        async with (
            Worker(self.access, log=log, environment=environment, script=WORKER) as worker,
            contextlib.AsyncExitStack() as visits,
        ):
            guests = [await visits.enter_async_context(Speaker(self.access)) for _ in range(self.rooms)]
            await asyncio.gather(*(guest.begin(self.recording) for guest in guests))
            await asyncio.sleep(WARM_UP_S)
            tree = Tree(worker.pid)
            await asyncio.sleep(self.seconds)
            busy, memory_mb = tree.busy(), tree.memory_mb()
            assert len(memory_mb) == self.rooms, "a room has no process of its own"
            await asyncio.gather(*(guest.expect(ears.finals) for guest in guests))
        ears.note(busy / self.rooms, statistics.mean(memory_mb))


def columns(call: EndlessCall, length_s: float) -> list[Ears]:
    """This plugin, as it comes and in the official one's pieces, the official one where it is installed, and none."""
    peer = [Ears("livekit-plugins-cartesia", OFFICIAL, call.texts)] if importlib.util.find_spec(OFFICIAL) else []
    reports = [report(number) for number in range(1, int(length_s / REPORT_EVERY_S) + 1)]
    alike = Ears("in pieces of 160 ms", OURS, call.texts, {"audio_chunk_duration_ms": 160})
    return [Ears("this plugin", OURS, call.texts), alike, *peer, Ears("audio dropped", "", reports)]


def table(candidates: list[Ears]) -> str:
    """Medians, as Markdown."""
    busy = [statistics.median(ears.busy) for ears in candidates]
    rows = [
        ["for each room", *(ears.name for ears in candidates)],
        ["---"] * (len(candidates) + 1),
        ["processor time for each second", *(f"{1000 * each:.1f} ms" for each in busy)],
        ["of it the STT's", *(f"{1000 * (each - busy[-1]):.1f} ms" for each in busy[:-1]), "-"],
        ["rooms that one core serves", *(f"{1 / each:.0f}" for each in busy)],
        ["memory", *(f"{statistics.median(ears.memory_mb):.0f} MB" for ears in candidates)],
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@contextlib.asynccontextmanager
async def opened_venue(call: EndlessCall, wanted: argparse.Namespace) -> AsyncIterator[Venue]:
    """livekit-server and the scripted server, for as long as the benchmark takes."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        recording, script = Path(folder) / "call.wav", Path(folder) / "turns.jsonl"
        call.save(recording, script)
        # The rooms of the worker before may still have their sockets.
        hearing = SpeechServer("--script", str(script), "--max-streams", str(2 * wanted.rooms))
        ends.callback(hearing.kill)
        hearing.start()
        hearing.wait_until_up()
        async with LivekitServer() as livekit:
            access = LivekitAccess(livekit.url, livekit.api_key, livekit.api_secret)
            yield Venue(access, hearing, recording, wanted.rooms, wanted.seconds)


def parse() -> argparse.Namespace:
    """Reads the command line."""
    arguments = parser(__doc__)
    arguments.add_argument("--rooms", type=int, default=4, help="rooms at once (default: %(default)s)")
    arguments.add_argument("--seconds", type=float, default=30.0, help="length of the window (default: %(default)s)")
    arguments.add_argument("--rounds", type=int, default=2, help="rounds (default: %(default)s)")
    return arguments.parse_args()


async def main() -> None:
    wanted = parse()
    length_s = WARM_UP_S + wanted.seconds
    call = EndlessCall(length_s)
    candidates = columns(call, length_s)
    async with opened_venue(call, wanted) as venue:
        rounds = [ears for _ in range(wanted.rounds) for ears in candidates]
        for number, ears in enumerate(rounds):
            working_on(f"{ears.name}, {length_s:.0f} s", number, len(rounds))
            await venue.measure(ears)
    print(table(candidates))


if __name__ == "__main__":
    asyncio.run(main())
