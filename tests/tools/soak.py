"""Many calls for a long time, with everything going wrong at random: make soak ARGS=--help.

Real sockets, real time; the audio carries frame numbers, so lost and repeated words are counted one by one. All
counts but those of the faults must be zero, and the memory flat. Some of the calls are recorded, and must replay the
same.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import logging
import random
import sys
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from livekit.agents import APIConnectOptions, stt
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.core.hangs import REPLACED_EVERY_S
from livekit.plugins.cartesia_turns.recording import Recorder, load, replay
from livekit.plugins.cartesia_turns.server import LocalServer, StreamRequest
from support.faults import NOISY, ODD_FRAMES
from support.numbered import NO_NOISE, Ear, Microphone
from support.peers import SocketCount, counted_session
from support.proxy import Proxy
from support.waiting import holds, until

PIECES_S = (0.16, 0.05, 0.1, 0.16, 0.1, 0.02, 0.16, 0.1, 0.05, 0.01)
"""The pieces in which the calls push their audio, in turn: the shortest are the most work."""
FAULTS_PER_STREAM_S = 0.05
"""Faults in a second and stream."""
SETTLE_S = REPLACED_EVERY_S + 30.0
"""At the end, how long after its last event a call may still have something under way: a server that has fallen silent
has to be noticed, its time has to come, and all that was said to it meanwhile is sent again, at real time at worst."""
MEMORY_SLACK = 1.15
"""Growth over the second half of the time that counts as flat: Python's heap is never quite still."""


class PassingEars:
    """Makes the responders of a server and forgets those of closed connections."""

    def __init__(self) -> None:
        self.open: weakref.WeakSet[Ear] = weakref.WeakSet()

    def __call__(self, stream: StreamRequest) -> Ear:
        ear = Ear(stream, keeps_numbers=False, is_strict=False)
        self.open.add(ear)
        return ear

    def in_turn(self) -> list[Ear]:
        """Those in the middle of a turn."""
        return [ear for ear in self.open if ear.in_turn and not ear.mute]


@dataclass
class Tally:
    """What is counted over all calls."""

    turns: int = 0
    words: int = 0
    finals: int = 0
    lost_words: int = 0
    repeated_words: int = 0
    stuck_turns: int = 0
    misplaced_events: int = 0
    errors: int = 0
    leaked_tasks: int = 0
    leaked_sockets: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    megabytes: list[float] = field(default_factory=list)
    recorded: int = 0
    """Calls that were recorded."""
    differing: dict[str, str] = field(default_factory=dict)
    """The recorded calls that don't replay the same, by their folder, and how they differ."""
    held_up_s: float = 0.0
    """The longest that the event loop was: with more than a second the machine is too slow for so many streams."""

    @property
    def grew(self) -> float:
        """Memory at the end as a part of that at half time."""
        half = self.megabytes[len(self.megabytes) // 2]
        return self.megabytes[-1] / half

    @property
    def failures(self) -> dict[str, float]:
        """What should be zero and is not."""
        counts: dict[str, float] = {
            "lost words": self.lost_words,
            "repeated words": self.repeated_words,
            "stuck turns": self.stuck_turns,
            "events out of place": self.misplaced_events,
            "errors surfaced": self.errors,
            "leaked tasks": self.leaked_tasks,
            "leaked sockets": self.leaked_sockets,
            "recordings that replay otherwise": len(self.differing),
            "memory growth beyond 15 %": 0 if self.grew < MEMORY_SLACK else round(self.grew - 1, 2),
        }
        return {name: count for name, count in counts.items() if count}

    def report(self) -> str:
        """All of it, for people."""
        rows = [
            ("turns spoken", self.turns),
            ("words spoken", self.words),
            ("finals", self.finals),
            *((f"fault: {name}", count) for name, count in sorted(self.faults.items())),
            ("lost words", self.lost_words),
            ("repeated words", self.repeated_words),
            ("stuck turns", self.stuck_turns),
            ("events out of place", self.misplaced_events),
            ("errors surfaced", self.errors),
            ("leaked tasks", self.leaked_tasks),
            ("leaked sockets", self.leaked_sockets),
            ("calls recorded", self.recorded),
            ("of them replayed the same", self.recorded - len(self.differing)),
            *((f"differs: {name}", how) for name, how in sorted(self.differing.items())),
            ("event loop held up, s at most", f"{self.held_up_s:.2f}"),
            ("memory, MB (first, half, last)", " ".join(f"{mb:.0f}" for mb in self._samples())),
        ]
        return "\n".join(f"{name:<36} {value}" for name, value in rows)

    def _samples(self) -> list[float]:
        return [self.megabytes[0], self.megabytes[len(self.megabytes) // 2], self.megabytes[-1]]


class Caller:
    """One call: speaks turns and checks off the words that come back. Every second call is in a noisy room."""

    def __init__(self, owner: cartesia_turns.STT, tally: Tally, chance: random.Random, number: int) -> None:
        self._tally = tally
        self._chance = chance
        self._pending: set[int] = set()
        self._highest = -1
        self._in_turn = False
        self._heard_s = 0.0
        self.stream = owner.stream(conn_options=APIConnectOptions(timeout=2.0))
        room = NOISY[number // 2 % len(NOISY)] if number % 2 else NO_NOISE
        piece_s = PIECES_S[number // 4 % len(PIECES_S)]
        self._mic = Microphone(self.stream.push_frame, piece_s=piece_s, room=room, on_word=self._spoken)

    async def run(self, seconds: float) -> None:
        """Talks for so long, waits for what is under way, and ends."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + seconds
        reading = asyncio.create_task(self._read())
        self._mic.start()
        await asyncio.sleep(self._chance.random())  # so that the calls are not in step
        while loop.time() < until_s and not reading.done():
            with contextlib.suppress(RuntimeError):  # it has ended meanwhile, and that is counted
                await self._mic.play(self._chance.uniform(0.3, 2.0), self._chance.uniform(0.2, 4.0), 0.7)
            self._tally.turns += 1
        self._heard_s = loop.time()
        with contextlib.suppress(AssertionError):
            await holds(
                lambda: (self._pending or self._in_turn) and loop.time() - self._heard_s < SETTLE_S, for_s=seconds
            )
        self._tally.lost_words += len(self._pending)
        self._tally.stuck_turns += self._in_turn
        await self._mic.stop()
        await self.stream.aclose()
        await reading

    def _spoken(self, word: int) -> None:
        self._pending.add(word)
        self._tally.words += 1

    async def _read(self) -> None:
        try:
            async for event in self.stream:
                self._take(event)
        except Exception as error:
            self._tally.errors += 1
            sys.stderr.write(f"a call ended with {type(error).__name__}: {error}\n")

    def _take(self, event: stt.SpeechEvent) -> None:
        if event.type is not stt.SpeechEventType.RECOGNITION_USAGE:
            self._heard_s = asyncio.get_running_loop().time()
        if event.type is stt.SpeechEventType.START_OF_SPEECH:
            self._tally.misplaced_events += self._in_turn
            self._in_turn = True
        elif event.type is stt.SpeechEventType.END_OF_SPEECH:
            self._tally.misplaced_events += not self._in_turn
            self._in_turn = False
        elif event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
            self._tally.finals += 1
            self._check_off([int(word) for word in event.alternatives[0].text.split()])

    def _check_off(self, words: list[int]) -> None:
        self._tally.repeated_words += sum(word not in self._pending for word in words)
        self._tally.misplaced_events += words != sorted(words)
        self._pending.difference_update(words)


class Mischief:
    """Lets things go wrong at random."""

    def __init__(
        self, server: LocalServer, proxy: Proxy, ears: PassingEars, tally: Tally, chance: random.Random
    ) -> None:
        self._server = server
        self._proxy = proxy
        self._ears = ears
        self._tally = tally
        self._chance = chance

    async def run(self, per_s: float) -> None:
        """Commits so many faults a second, for ever."""
        faults = [self._reset, self._end, self._close, self._freeze, self._mute, self._say_odd_things, self._refuse]
        weights = [6, 4, 8, 2, 2, 4, 0.2]
        while True:
            await asyncio.sleep(self._chance.expovariate(per_s))
            (fault,) = self._chance.choices(faults, weights)
            await fault()

    def _count(self, name: str) -> None:
        self._tally.faults[name] = self._tally.faults.get(name, 0) + 1

    async def _reset(self) -> None:
        self._count("connection reset")
        self._proxy.reset(self._chance.choice)

    async def _end(self) -> None:
        self._count("end of the TCP stream")
        self._proxy.end(self._chance.choice)

    async def _freeze(self) -> None:
        self._count("half-open socket")
        # By then every client has noticed; kept for ever, it would be the proxy's memory that grows.
        self._proxy.freeze(self._chance.choice, at_most_s=15.0)

    async def _close(self) -> None:
        code = self._chance.choice([1000, 1001, 1011, 1012, 1013])
        self._count(f"close frame {code}")
        # One connection's session: the server's own `drop_all` is for all of them.
        sessions = sorted(self._server._endpoint.sessions, key=id)
        if sessions:
            self._chance.choice(sessions).drop(code)

    async def _mute(self) -> None:
        if muted := self._ears.in_turn():
            self._count("server says nothing any more")
            self._chance.choice(muted).mute = True

    async def _say_odd_things(self) -> None:
        if open_ears := list(self._ears.open):
            self._count("garbage")
            self._chance.choice(open_ears).odd += ODD_FRAMES

    async def _refuse(self) -> None:
        self._count("outage")
        await self._proxy.refuse()
        for _ in range(5):
            self._proxy.reset(self._chance.choice)
        await asyncio.sleep(self._chance.uniform(0.5, 3.0))
        await self._proxy.accept()


async def soak(streams: int, seconds: float, *, seed: int = 0, record: Path | None = None, recorded: int = 0) -> Tally:
    """Runs it.

    Args:
        streams: how many calls.
        seconds: how long each of them talks.
        seed: what goes wrong depends on it.
        record: the folder in which calls are recorded.
        recorded: how many of them are. They are replayed at the end.
    """
    recorder = Recorder(record) if record else None
    tally, chance, ears = Tally(), random.Random(seed), PassingEars()  # noqa: S311 - no secret depends on it
    before = asyncio.all_tasks()
    async with (
        LocalServer(responder=ears, max_streams=10 * streams) as server,
        Proxy(server.url) as proxy,
        counted_session(limit=0) as (session, count),
    ):
        mischief = asyncio.create_task(Mischief(server, proxy, ears, tally, chance).run(streams * FAULTS_PER_STREAM_S))
        sampling = [asyncio.create_task(_sample_memory(tally, seconds)), asyncio.create_task(_sample_delay(tally))]
        owners = [
            cartesia_turns.STT(
                base_url=proxy.url,
                api_key=server.key,
                http_session=session,
                turn_end_timeout_ms=1000,
                recorder=recorder if nth < recorded else None,
            )
            for nth in range(streams)
        ]
        callers = [Caller(owner, tally, random.Random(seed + nth), nth) for nth, owner in enumerate(owners)]  # noqa: S311
        calls = asyncio.gather(*(caller.run(seconds) for caller in callers))
        await asyncio.sleep(seconds)
        await _end(mischief, *sampling)
        await proxy.accept()
        await calls
        tally.leaked_sockets = await _left(count)
    with contextlib.suppress(AssertionError):
        await until(lambda: not asyncio.all_tasks() - before, within_s=0.2)
    tally.leaked_tasks = len(asyncio.all_tasks() - before)
    if record:
        await _replay(tally, record, recorded)
    return tally


async def _replay(tally: Tally, record: Path, recorded: int) -> None:
    """Replays the recorded calls, once they are written."""
    with contextlib.suppress(AssertionError):
        await until(lambda: len(list(record.glob("*/audio.flac"))) == recorded, within_s=60 + recorded)
    _compare(tally, record)


def _compare(tally: Tally, record: Path) -> None:
    for call in sorted(record.iterdir()):
        tally.recorded += 1
        recording = load(call)
        outcome = replay(recording)
        if not recording.is_complete:
            tally.differing[call.name] = "it was not recorded to its end"
        elif not outcome.is_same:
            tally.differing[call.name] = str(outcome)


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _left(count: SocketCount) -> int:
    try:
        await until(lambda: count.open == 0, within_s=2)
    except AssertionError:
        return count.open
    return 0


async def _sample_memory(tally: Tally, seconds: float) -> None:
    # From here on a collection looks only at what the soak makes. In a process that has run other tests it would
    # otherwise hold up the event loop for half a second, and with it the server, which must not be so late.
    gc.collect()
    gc.freeze()
    try:
        while True:
            gc.collect()
            # What the C library keeps for later is no leak, where it can be told to give it back.
            with contextlib.suppress(OSError, AttributeError, TypeError):
                ctypes.CDLL(None).malloc_trim(0)
            tally.megabytes.append(psutil.Process().memory_info().rss / 2**20)
            await asyncio.sleep(seconds / 20)
    finally:
        gc.unfreeze()


async def _sample_delay(tally: Tally) -> None:
    loop = asyncio.get_running_loop()
    while True:
        before = loop.time()
        await asyncio.sleep(0.1)
        tally.held_up_s = max(tally.held_up_s, loop.time() - before - 0.1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the soak from the command line. Returns the exit code: 1 if anything is not as it should be."""
    parser = argparse.ArgumentParser(description="Runs many calls for a long time, with random faults.")
    parser.add_argument("--streams", type=int, default=100, help="calls at once (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=600, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the random faults (default: %(default)s)")
    parser.add_argument("--record", type=int, default=10, help="calls to record and replay (default: %(default)s)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the recordings in this folder")
    options = parser.parse_args(arguments)
    logging.disable(logging.ERROR)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch) / "calls"
        folder.mkdir(parents=True)
        recorded = min(options.record, options.streams)
        tally = asyncio.run(soak(options.streams, options.seconds, seed=options.seed, record=folder, recorded=recorded))
    sys.stdout.write(f"{tally.report()}\n")
    for name, count in tally.failures.items():
        sys.stdout.write(f"NOT ZERO: {name}: {count}\n")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
