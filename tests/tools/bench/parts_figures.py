"""Measures what takes this plugin its time and memory: python tests/tools/bench/parts_figures.py.

25 calls of this plugin and 25 of livekit-plugins-cartesia with pieces of one frame, in one process, over the
benchmark's server in another. In turn, each has a whole turn of its users, which is 5 s long: this plugin as it is,
without the pings of a turn, and also without measuring and keeping the audio. Then it measures how long each plugin
works on a parsed message until the event is told, what the same parts take of the delay of events and of the age of
audio, as `make bench` measures them, and where the memory of an idle call is allocated. It takes six minutes, and needs
`make vendors` and a machine that does nothing else. A single turn varies by a fifth, so look at the medians.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[2]))

from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.link import Link
from livekit.plugins.cartesia_turns.net.driver import Driver
from livekit.plugins.cartesia_turns.wire.messages import ServerMessage
from tools.bench.cells import Place
from tools.bench.contestants import OFFICIAL_MODULE, Line, lines, present
from tools.bench.figures import CONTESTANTS, FLOOR, NOTHING, OFFICIAL_AT_FRAMES, OURS, quantile
from tools.bench.load import Paced, Wakes, connected
from tools.bench.processes import Process
from tools.bench.progress import parser, working_on
from tools.bench.scales import audio
from tools.bench.stamps import BYTES_PER_S, CYCLE_S

CALLS = 25
FRAME_MS = 20
SETTLED_S = 0.05
"""How long the answers to the last frames may take."""
IDLE_S = 4.0
"""After so long an idle call has sent its first ping, and nothing more happens."""
WITHOUT_PINGS, WITHOUT_KEEPING = "without the pings of a turn", "also without keeping audio"
PLUGINS = (OURS, OFFICIAL_AT_FRAMES)
KINDS = (NOTHING, OFFICIAL_AT_FRAMES, OURS, WITHOUT_PINGS, WITHOUT_KEEPING)
DELAYED = (FLOOR, *KINDS[1:])
TOLD = ("event delay p50, ms", *(f"age of audio p95, ms, {ms} ms frames" for ms in audio.FRAMES_MS))
PACKAGES = {
    "this plugin": "/cartesia_turns/",
    "livekit-plugins-cartesia": "/livekit/plugins/cartesia/",
    "livekit-agents": "/livekit/agents/",
    "aiohttp": "/aiohttp/",
}
"""A part of the paths of each."""


def _drop_live_audio(client: TurnsClient) -> None:
    if pieces := client.live.clear():
        # Otherwise it would send silence in a turn, in place of audio that seems to be missing.
        client._hangs.watchdog.audio_sent(len(pieces.pcm[0]) / BYTES_PER_S, pieces.times[-1])


@contextlib.contextmanager
def less(kind: str) -> Iterator[None]:
    """Leaves out what this kind leaves out."""
    with contextlib.ExitStack() as patches:
        if kind in (WITHOUT_PINGS, WITHOUT_KEEPING):
            patches.enter_context(patch.object(Link, "_probes", lambda *_: False))
        if kind == WITHOUT_KEEPING:
            patches.enter_context(patch.object(TurnsClient, "book_live", _drop_live_audio))
        yield


def handler_of(contestant: str) -> tuple[Any, str]:
    """The class and the name of what a plugin does with a message that is parsed, at the end of which it has told."""
    if contestant == OURS:
        return Driver, "_take_message"
    module = importlib.import_module(f"{OFFICIAL_MODULE}._recognize_streams.auto_finalize_recognize_stream")
    return module.AutoFinalizeRecognizeStream, "_process_stream_event"


def timed(handle: Callable[..., None], took_us: dict[str, list[float]]) -> Callable[..., None]:
    """The handler, which notes how long it takes over each kind of message."""

    def noting(stream: object, message: ServerMessage | dict[str, Any], **options: Any) -> None:
        began = time.perf_counter()
        handle(stream, message, **options)
        kind = str(message["type"] if isinstance(message, dict) else message.TYPE)  # type: ignore[union-attr]
        took_us.setdefault(kind, []).append(1e6 * (time.perf_counter() - began))

    return noting


async def delays(url: str, rounds: int) -> dict[str, list[dict[str, float]]]:
    """The delay of events and the age of audio, each round with these parts or without."""
    told: dict[str, list[dict[str, float]]] = {kind: [] for kind in DELAYED}
    for _ in range(rounds):
        for kind in DELAYED:
            with less(kind):
                place = Place(kind if kind in CONTESTANTS else OURS, url, Wakes())
                told[kind].append(await audio.ages(place, audio_s=2 * CYCLE_S))
    return told


async def memory_kib(contestant: str, urls: list[str]) -> dict[str, float]:
    """The memory of an idle call, in KiB, by the package that allocated it."""
    found: dict[str, float] = {}
    async with lines(contestant, urls[:1], _drop):
        await asyncio.sleep(1.0)
        gc.collect()
        tracemalloc.start()
        async with lines(contestant, urls, _drop):
            await asyncio.sleep(IDLE_S)
            gc.collect()
            for place in tracemalloc.take_snapshot().statistics("filename"):
                name = next((name for name, path in PACKAGES.items() if path in place.traceback[0].filename), "Python")
                found[name] = found.get(name, 0.0) + place.size / 1024 / len(urls)
        tracemalloc.stop()
    return found


async def turn_ms(opened: list[Line]) -> float:
    """The processor time of one turn of the user in all of these calls, in milliseconds for each minute of a call."""
    used_s = time.process_time()
    await Paced(FRAME_MS, CYCLE_S).push(opened)
    await asyncio.sleep(SETTLED_S)
    return 1000 * (time.process_time() - used_s) * 60 / CYCLE_S / CALLS


async def handled_us(contestant: str, opened: list[Line], turns: int) -> dict[str, list[float]]:
    """How long a plugin works on each kind of message, in microseconds."""
    took_us: dict[str, list[float]] = {}
    owner, name = handler_of(contestant)
    with patch.object(owner, name, timed(getattr(owner, name), took_us)):
        for _ in range(turns):
            await turn_ms(opened)
    return took_us


def show(used_ms: dict[str, list[float]], took_us: dict[str, dict[str, list[float]]]) -> None:
    """Prints the figures."""
    print("\nprocessor time for each minute of a call, without what making the audio takes")
    alone = used_ms[NOTHING]
    for kind in KINDS[1:]:
        net = [used - base for used, base in zip(used_ms[kind], alone, strict=True)]
        print(f"  {kind:<34} {median(net):5.0f} ms ({min(net):.0f} to {max(net):.0f})")
    print("\nfrom a parsed message to its event")
    for contestant, kinds in took_us.items():
        for kind, values in kinds.items():
            if len(values) >= CALLS:
                parts = ", ".join(f"{100 * part:g} % within {quantile(values, part):.0f} us" for part in (0.5, 0.9))
                print(f"  {contestant:<34} {kind:<14} {parts}")


def show_delays(told: dict[str, list[dict[str, float]]], memory: dict[str, dict[str, float]]) -> None:
    """Prints the other figures."""
    print("\ndelay of events and age of audio, medians of the rounds")
    for kind, rounds in told.items():
        parts = ", ".join(f"{name} {median(each[name] for each in rounds):.2f}" for name in TOLD)
        print(f"  {kind:<34} {parts}")
    print("\nmemory of an idle call, in KiB")
    for contestant, found in memory.items():
        parts = ", ".join(f"{name} {size:.1f}" for name, size in sorted(found.items(), key=lambda each: -each[1]))
        print(f"  {contestant:<34} {sum(found.values()):.0f}: {parts}")


async def main(options: argparse.Namespace) -> None:
    """Measures and prints."""
    if OFFICIAL_AT_FRAMES not in present():
        sys.exit("livekit-plugins-cartesia is not installed: run `make vendors` first")
    server = Process("tools.bench.endpoint")
    server.keep_to_first_core()
    url = server.line()
    urls, used_ms = [f"{url}/{FRAME_MS * BYTES_PER_S // 1000}"] * CALLS, {kind: list[float]() for kind in KINDS}
    async with contextlib.AsyncExitStack() as stack:
        opened = {who: await stack.enter_async_context(lines(who, urls, _drop)) for who in (NOTHING, *PLUGINS)}
        await connected(url, CALLS * len(PLUGINS))
        for number in range(-1, options.rounds):
            working_on(
                "each kind" if number >= 0 else "the first turn of each, which does not count", number, options.rounds
            )
            for kind in KINDS:
                with less(kind):
                    used = await turn_ms(opened.get(kind, opened[OURS]))
                if number >= 0:
                    used_ms[kind].append(used)
        took_us = {who: await handled_us(who, opened[who], 2) for who in PLUGINS}
    show(used_ms, took_us)
    working_on("delays, and then memory", options.rounds, options.rounds + 1)
    told = await delays(url, max(1, options.rounds // 2))
    show_delays(told, {who: await memory_kib(who, urls) for who in PLUGINS})
    server.close()


def _drop(_: str, __: bool) -> None:
    """What is heard is of no interest."""


if __name__ == "__main__":
    asked = parser(__doc__)
    asked.add_argument("--rounds", type=int, default=8, help="of each kind (default: %(default)s)")
    asyncio.run(main(asked.parse_args()))
