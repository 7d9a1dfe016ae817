"""The faults of a network and of a server, the states of a turn they may strike in, and what comes of each pair."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket as sockets
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TypeAlias

from livekit.agents import APIConnectOptions
from livekit.plugins.cartesia_turns import Stats
from livekit.plugins.cartesia_turns.recording import Recorder
from livekit.plugins.cartesia_turns.server import Faults, LocalServer

from .calls import Call, calling
from .noise import GATED, ROOMS, Room
from .numbered import FRAME_S, NO_NOISE, Ears, Microphone
from .peers import SocketCount, counted_session
from .proxy import Proxy, Welcome
from .waiting import until

KEYTERM = "Quetzalcoatl"
HEADERS = {"X-Tenant": "tenant-of-the-call"}
ODD_FRAMES: list[str | bytes] = ["{", "[]", '{"type": "turn.dance"}', '{"type": 5}', b"\0\1"]
PATIENCE_S = 25.0
HELD_S = 5.0
BYTES_PER_S = 32_000


class State(Enum):
    """Where the turn is when the fault strikes."""

    IDLE = "between turns"
    SPEAKING = "speaking"
    EAGER = "may be over"
    DRAINING = "input ended"
    CONNECTING = "connecting"


class Promise(Enum):
    """What comes of it."""

    WHOLE = "whole"
    """One START, one END, one FINAL with every word."""
    SPLIT = "split"
    """Every word is in exactly one FINAL, but the turn may come as two."""
    SO_FAR = "so far"
    """The turn is closed with the words that the server sent."""
    UNNOTICED = "-"
    """Nothing tells it from a server that hears no speech."""


@dataclass
class Rig:
    """A call by way of a proxy to a server that reads numbered frames."""

    server: LocalServer
    proxy: Proxy
    ears: Ears
    call: Call
    mic: Microphone
    sockets: SocketCount
    gate: asyncio.Event
    """Keeps the server from answering the first `close`."""
    closing: asyncio.Event
    """The server was asked to finish."""


Strike: TypeAlias = Callable[[Rig], Coroutine[object, object, None]]


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with an open connection, and the like of it with one that is being made."""

    name: str
    answer: str
    """What the stream does about it, for the documentation."""
    strike: Strike
    promise: Promise = Promise.WHOLE
    """While a turn is open."""
    drained: Promise = Promise.WHOLE
    """After the end of the input."""
    idle: Promise = Promise.WHOLE
    greeting: Faults = field(default_factory=Faults)
    """What the first attempt to connect meets at the server."""
    welcome: Welcome = Welcome.SERVE
    """What it meets at the proxy."""
    while_connecting: Strike | None = None
    """What is done meanwhile."""
    skips_silence: bool = False
    """Long silence need not arrive."""

    def promises(self, state: State) -> Promise:
        """What comes of it in this state."""
        return {
            State.IDLE: self.idle,
            State.DRAINING: self.drained,
            State.CONNECTING: Promise.WHOLE,
        }.get(state, self.promise)


async def reset(rig: Rig) -> None:
    rig.proxy.reset()


async def end_of_stream(rig: Rig) -> None:
    rig.proxy.end()


async def close_frame(rig: Rig, *, code: int) -> None:
    await rig.server.drop_all(code)


async def fail_to_send(rig: Rig) -> None:
    await until(lambda: rig.sockets.open)
    for made in rig.sockets.made:
        if made.fileno() != -1:
            made.shutdown(sockets.SHUT_WR)


async def half_open(rig: Rig) -> None:
    rig.proxy.freeze()


async def stall(rig: Rig) -> None:
    rig.ears.all[-1].mute = True


async def outage(rig: Rig) -> None:
    await rig.proxy.refuse()
    rig.proxy.reset()
    await until(lambda: len(rig.call.named("connection_error")) >= 2)
    await rig.proxy.accept()


async def answered_oddly(rig: Rig) -> None:
    rig.proxy.welcome = [Welcome.ANSWER, Welcome.ANSWER]
    rig.proxy.answers = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    ]
    rig.proxy.reset()


async def throttle(rig: Rig) -> None:
    rig.proxy.bytes_per_s = 20_000
    asyncio.get_running_loop().call_later(2, setattr, rig.proxy, "bytes_per_s", None)


async def strict(rig: Rig, *, pace: float) -> None:
    rig.server.faults = Faults(max_pace=pace, pace_burst_s=0.5)
    rig.proxy.reset()


async def garbage(rig: Rig) -> None:
    rig.ears.all[-1].odd += ODD_FRAMES


AGAIN = "reconnects at once, replays the turn"

FAULTS = [
    Fault("connection reset", AGAIN, reset, welcome=Welcome.RESET),
    Fault("end of the TCP stream", AGAIN, end_of_stream, welcome=Welcome.END),
    *(
        Fault(
            f"close frame {code}",
            AGAIN,
            partial(close_frame, code=code),
            greeting=Faults(no_connected=True, drop_at_s=0.0, drop_code=code),
        )
        for code in (1000, 1001, 1011, 1012, 1013)
    ),
    Fault(
        "send failure",
        AGAIN,
        fail_to_send,
        greeting=Faults(no_connected=True),
        while_connecting=fail_to_send,
    ),
    Fault(
        "half-open socket",
        "detects it by unanswered pings within 10 s, then does the same",
        half_open,
        drained=Promise.SO_FAR,
        welcome=Welcome.IGNORE,
    ),
    Fault(
        "server stops sending events",
        "closes the turn after its end timeout and 3 s of audio without an event, continues on a new socket",
        stall,
        promise=Promise.SPLIT,
        drained=Promise.SO_FAR,
        idle=Promise.UNNOTICED,
        greeting=Faults(no_connected=True),
    ),
    Fault(
        "outage",
        "keeps the audio, retries with growing delays, then sends the backlog",
        outage,
        while_connecting=outage,
    ),
    Fault("slow connection", "sends as fast as it can", throttle, while_connecting=throttle),
    *(
        Fault(
            f"reset, then a server that accepts {pace} x real time",
            "sends the backlog slower after each refusal, down to real time without long silence",
            partial(strict, pace=pace),
            while_connecting=partial(strict, pace=pace),
            skips_silence=True,
        )
        for pace in (1.5, 1.05)
    ),
    Fault(
        "garbage",
        "ignores it, logs it at most once a minute for each kind; in answer to a handshake: retries",
        garbage,
        welcome=Welcome.GARBAGE,
    ),
    Fault(
        "reset, then invalid answers to the handshake",
        "retries until `outage_timeout` is over",
        answered_oddly,
        greeting=Faults(status=503),
    ),
]

CELLS = [
    (fault, state)
    for fault, state in itertools.product(FAULTS, State)
    if fault.promises(state) is not Promise.UNNOTICED
]


NOISY = [*itertools.chain.from_iterable(zip(ROOMS[1:], 4 * GATED, strict=True))]
PIECES_S = (FRAME_S, 0.01, 0.05, 0.16)


def surroundings(fault: Fault, state: State) -> tuple[Room, float]:
    """Where a cell's call is held, and the pieces in seconds in which its audio is pushed: half of them in noise."""
    number = CELLS.index((fault, state))
    return NOISY[number // 2 % len(NOISY)] if number % 2 else NO_NOISE, PIECES_S[number // 4 % len(PIECES_S)]


@dataclass
class Outcome:
    """All that can be known of a call after its end."""

    turns: list[list[int]]
    """The words of each turn as they were spoken."""
    log: list[str]
    finals: list[list[int]]
    heard: list[list[int]]
    """The frames that each connection brought to the server, in order."""
    settled: list[int]
    """The last word that was final when each of them was opened, -1 for none."""
    heard_s: float
    """Audio that the server received, in seconds."""
    usage_s: float
    stats: Stats
    surfaced: list[object]
    """Errors that the framework was told of."""
    exposed: list[str]
    """All that its errors give away to whoever hears of them."""
    left: int
    """Sockets that outlived the call."""


@contextlib.asynccontextmanager
async def rigged(fault: Fault, state: State, recorder: Recorder | None = None) -> AsyncIterator[Rig]:
    """A call that has just been opened, its microphone on."""
    ears, gate, closing = Ears(), asyncio.Event(), asyncio.Event()
    ears.finishing = partial(_wait_at, gate, closing)
    connecting = state is State.CONNECTING
    faults = [fault.greeting] if connecting else []
    # While the microphone is held, no time passes for the turn: that is no gap to fill.
    arguments = {
        "keyterm": [KEYTERM],
        "extra_headers": HEADERS,
        "turn_end_timeout_ms": 640,
        "watchdog_min_timeout": HELD_S,
        "recorder": recorder,
    }
    async with (
        LocalServer(responder=ears, faults=faults) as server,
        Proxy(server.url) as proxy,
        counted_session() as (session, count),
    ):
        proxy.welcome = [fault.welcome] if connecting else []
        options = APIConnectOptions(timeout=1.0)
        async with calling(server, conn_options=options, via=proxy.url, http_session=session, **arguments) as call:
            ears.last_final = lambda: int(call.finals[-1].split()[-1]) if call.finals else -1
            room, piece_s = surroundings(fault, state)
            mic = Microphone(call.stream.push_frame, piece_s=piece_s, room=room)
            mic.start()
            try:
                yield Rig(server, proxy, ears, call, mic, count, gate, closing)
            finally:
                await mic.stop()


async def _wait_at(gate: asyncio.Event, closing: asyncio.Event) -> None:
    closing.set()
    await gate.wait()


async def run(fault: Fault, state: State, recorder: Recorder | None = None) -> Outcome:
    """Plays a call of two turns (one, where the input ends) in which the fault strikes in this state."""
    async with rigged(fault, state, recorder) as rig:
        turns = [await _PLAYS[state](rig, fault)]
        if state is not State.DRAINING:
            turns.append(await _turn(rig, turns[0]))
        else:
            await rig.call.over(within_s=PATIENCE_S)
        await rig.mic.stop()
        await rig.call.stream.aclose()
        await rig.call.reader
        with contextlib.suppress(AssertionError):
            await until(lambda: rig.sockets.open == 0, within_s=2)
        return Outcome(
            turns=turns,
            log=rig.call.log,
            finals=[[int(word) for word in text.split()] for text in rig.call.finals],
            heard=[ear.heard for ear in rig.ears.all],
            settled=[ear.settled for ear in rig.ears.all],
            heard_s=sum(record.audio_bytes for record in rig.server.connections) / BYTES_PER_S,
            usage_s=rig.call.usage_s,
            stats=rig.call.stream.stats,
            surfaced=[*rig.call.errors, *([rig.call.raised] if rig.call.raised else [])],
            exposed=rig.call.exposed,
            left=rig.sockets.open,
        )


async def _turn(rig: Rig, before: list[int]) -> list[int]:
    """A whole turn, until its final is there."""
    # A real pause before the words, for a client that looks for one when noise follows them.
    words = await rig.mic.play(0.5, 0.5, 0.7)
    await _said(rig, [*before, *words])
    return words


async def _said(rig: Rig, words: list[int]) -> None:
    """Waits until these words are final and no turn is open, or as long as anybody would: the test says what is not."""
    length = len(" ".join(map(str, words)))
    with contextlib.suppress(AssertionError):
        await until(lambda: len(" ".join(rig.call.finals)) >= length and rig.call.log[-1] == "END", within_s=PATIENCE_S)


async def _strike_in(rig: Rig, fault: Fault, *seconds: float, until_heard: str) -> list[int]:
    """Plays speech until an event is heard, and goes on speaking while the fault strikes."""
    await until(lambda: rig.call.named("connected"))
    rig.mic.holding = True
    words = await rig.mic.play(*seconds)
    await until(lambda: any(entry.startswith(until_heard) for entry in rig.call.log))
    rig.mic.holding = False
    striking = asyncio.create_task(fault.strike(rig))
    words += await rig.mic.play(0, 0.4, 0.7)
    await striking
    await _said(rig, words)
    return words


async def _idle(rig: Rig, fault: Fault) -> list[int]:
    await until(lambda: rig.call.named("connected"))
    words = await _turn(rig, [])
    await fault.strike(rig)
    return words


async def _speaking(rig: Rig, fault: Fault) -> list[int]:
    return await _strike_in(rig, fault, 0.3, 0.4, until_heard="INTERIM")


async def _eager(rig: Rig, fault: Fault) -> list[int]:
    return await _strike_in(rig, fault, 0.3, 0.4, 0.3, until_heard="PREFLIGHT")


async def _draining(rig: Rig, fault: Fault) -> list[int]:
    await until(lambda: rig.call.named("connected"))
    rig.mic.holding = True
    words = await rig.mic.play(0.3, 0.46)
    await rig.mic.stop()
    rig.call.stream.end_input()
    await until(rig.closing.is_set)
    await fault.strike(rig)
    rig.gate.set()
    return words


async def _connecting(rig: Rig, fault: Fault) -> list[int]:
    striking = asyncio.create_task(fault.while_connecting(rig)) if fault.while_connecting else None
    words = await rig.mic.play(0, 0.6, 0.7)
    if striking:
        await striking
    await _said(rig, words)
    return words


_PLAYS = {
    State.IDLE: _idle,
    State.SPEAKING: _speaking,
    State.EAGER: _eager,
    State.DRAINING: _draining,
    State.CONNECTING: _connecting,
}


async def run_all(
    cells: list[tuple[Fault, State]], *, at_once: int = 8, record: Path | None = None
) -> dict[tuple[str, State], Outcome | BaseException]:
    """Runs the cells side by side: each takes the time of a short call. One that fails takes no other along.

    Args:
        cells: what to run.
        at_once: how many of them at a time.
        record: where each call is recorded, in the folder `recordings_of` its cell.
    """
    room = asyncio.Semaphore(at_once)
    calls = (_run_in(room, fault, state, record) for fault, state in cells)
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    return {(fault.name, state): outcome for (fault, state), outcome in zip(cells, outcomes, strict=True)}


def recordings_of(fault: Fault, state: State, record: Path) -> Path:
    """The folder with the recording of a cell."""
    return record / str(CELLS.index((fault, state)))


async def _run_in(room: asyncio.Semaphore, fault: Fault, state: State, record: Path | None) -> Outcome:
    recorder = Recorder(recordings_of(fault, state, record)) if record else None
    async with room:
        return await run(fault, state, recorder)


def table() -> str:
    """The matrix as the documentation shows it."""
    rows = [
        ["what goes wrong", "what the stream does", *(state.value for state in State)],
        ["---"] * (2 + len(State)),
        *([fault.name, fault.answer, *(fault.promises(state).value for state in State)] for fault in FAULTS),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
