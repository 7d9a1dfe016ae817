"""Fuzzes the parsers and the client's message path: only documented exceptions may leave them.

`python -m tools.fuzz SECONDS`, from `tests/`, runs until the time is over or something fails; the tests run a few.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections import deque

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core.chunk import Chunk
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.events import Kind, TurnEvent
from livekit.plugins.cartesia_turns.core.link import Outgoing, Ping
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.core.settling import PROBE_S
from livekit.plugins.cartesia_turns.wire.messages import Connected, TurnEnd, TurnStart
from livekit.plugins.cartesia_turns.wire.options import Options
from livekit.plugins.cartesia_turns.wire.protocol import ProtocolError, parse, parse_client, parse_error_body, serialize
from support.messages import frames, server_messages

ROUND = 2000
"""Examples between two looks at the clock."""

steps = st.lists(
    st.one_of(
        frames,
        server_messages.map(serialize),
        st.sampled_from(["audio", "silence", "live", "live", "open", "lost", "closed", "pong", "flush", "tick", "end"]),
        st.floats(0, 12),
    ),
    max_size=40,
)
"""A life of a client: frames that come in, what else happens, and how long it takes until the next, in seconds."""


talks = st.tuples(
    st.sampled_from([8000, 11025, 16000, 44100, 48000]),
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from([5, 10, 20, 30, 50, 60, 100, 210, 250, 600]), st.integers(1, 60), st.booleans()),
            st.sampled_from(["start", "end", "full", "room", "update", "gap"]),
        ),
        min_size=1,
        max_size=12,
    ),
)
"""A sample rate and what happens on one socket: frames (how long each is in ms, how many, and whether they are loud),
turns, a socket that takes no more for a while, and gaps in the audio."""


def check_parsers(frame: str | bytes) -> None:
    """Feeds all parsers; anything but ProtocolError is a bug, and so is a message that can't be written again."""
    for reader in (parse, parse_client):
        with contextlib.suppress(ProtocolError):
            serialize(reader(frame))
    parse_error_body(frame, 500)


def check_client(life: list[str | bytes | float]) -> None:
    """Lets a client live this life: no exception, STARTs and ENDs in turn, bounded memory."""
    client = TurnsClient(Options(sample_rate=8000), Limits(buffer_s=2.0), 0.0)
    now, opened, pings = 0.0, False, deque[bytes]()
    for step in life:
        now += step if isinstance(step, float) else 0.0
        if not isinstance(step, float):
            _happens(client, step, pings, now)
        for _ in range(50):
            if (item := client.outgoing(now)) is None:
                break
            client.sent(item, now)
            if isinstance(item, Ping):
                pings.append(item.payload)
        if now >= client.deadline:
            client.tick(now)
        for event in client.take_events():
            opened = _follow(event, opened)
        assert client.turn.is_open == opened
        assert client.stats.held_s <= 2.0


def _happens(client: TurnsClient, step: str | bytes, pings: deque[bytes], now: float) -> None:
    """What comes of one step of a life that takes no time: an incident by its name, or else a frame that comes in."""
    match step:
        case "lost" | "closed":
            if client.stats.connections:
                client.link_lost(now, clean=step == "closed")
        case "open" if client.sockets.wants_link:
            client.link_opened(client.sockets.options, now)
            pings.clear()
        case "audio" | "silence" | "live":
            pcm = (bytes(4) if step == "silence" else b"\0\x30\0\xd0") * (80 if step == "live" else 800)
            if step == "live" and client.live.take(pcm, now):
                if client.live.wants_ping and (ping := client.outgoing(now)):
                    client.sent(ping, now)
                if client.live.is_full:
                    client.live_sent(now)
            else:
                client.push_audio(pcm, now)
        case "pong":
            client.pong(pings.popleft() if pings else b"0", now)
        case "flush":
            client.flush(now)
        case "end":
            client.end_input()
        case _:
            with contextlib.suppress(ProtocolError):
                client.receive(parse(step), now)


def _follow(event: object, opened: bool) -> bool:
    if not isinstance(event, TurnEvent):
        return opened
    assert (event.kind is Kind.START) != opened
    return event.kind is not Kind.END


def check_live(talk: tuple[int, list[tuple[int, int, bool] | str]]) -> None:
    """Lets a shell send this: all audio is counted, none stays out of the books, and in a turn pings follow closely."""
    rate, steps = talk
    shell = _Shell(rate)
    for step in steps:
        if isinstance(step, str):
            shell.happens(step)
            continue
        length_ms, count, is_loud = step
        size = rate * length_ms // 1000
        frame = ((b"\0\x30\0\xd0" if is_loud else bytes(4)) * size)[: 2 * size]
        for _ in range(count):
            shell.push(frame)
    shell.happens("gap")
    assert not shell.client.live.samples, "live audio that is never booked"


class _Shell:
    """Does what `net.driver` does, on one socket."""

    def __init__(self, rate: int) -> None:
        self.client = TurnsClient(Options(sample_rate=rate), Limits(), 0.0)
        self._rate, self._now, self._is_full = rate, 0.0, False
        self._waiting: Outgoing | None = None
        self._given = self._unasked = self._longest = 0
        self.client.link_opened(self.client.sockets.options, 0.0)
        self.client.receive(Connected("r"), 0.0)

    def push(self, frame: bytes) -> None:
        client, size = self.client, len(frame) // 2
        self._now += size / self._rate
        self._longest = max(self._longest, size)
        if not self._is_full and client.live.take(frame, self._now):
            self._count(size)
            if client.live.wants_ping:
                ping = client.outgoing(self._now)
                assert isinstance(ping, Ping)
                self._give(ping)
            if client.live.is_full:
                client.live_sent(self._now)
        else:
            client.push_audio(frame, self._now)
            self._send()
        if self._now >= min(client.deadline, client.sockets.send_at):
            self._step()
        self._check()

    def happens(self, what: str) -> None:
        client = self.client
        match what:
            case "start" | "end":
                client.receive(TurnStart("r") if what == "start" else TurnEnd("r", "so"), self._now)
                self._unasked = 0
            case "update":
                client.update(Options(sample_rate=self._rate, keyterms=("Ada",)))
            case "full":
                self._is_full = True
            case _:
                self._is_full = False
                waiting, self._waiting = self._waiting, None
                if waiting is not None:
                    self._confirm(waiting)
                for _ in range(80 if what == "gap" else 1):
                    self._now += 0.1
                    self._step()
                self._unasked = 0
        self._check()

    def _step(self) -> None:
        if self._now >= self.client.deadline:
            self.client.tick(self._now)
            assert not self.client.live.samples, "live audio that is not booked at a deadline"
        self._send()

    def _send(self) -> None:
        while self._waiting is None and (item := self.client.outgoing(self._now)) is not None:
            self._give(item)

    def _give(self, item: Outgoing) -> None:
        if self._is_full:
            self._waiting = item
        else:
            self._confirm(item)

    def _confirm(self, item: Outgoing) -> None:
        self.client.sent(item, self._now)
        if isinstance(item, Chunk):
            self._count(item.samples)
        elif isinstance(item, Ping):
            self._unasked = 0
            self.client.pong(item.payload, self._now)

    def _count(self, samples: int) -> None:
        self._given += samples
        self._unasked += samples

    def _check(self) -> None:
        client = self.client
        client.take_events()
        assert round(client.stats.sent_s * self._rate) == self._given
        if client.sockets.link and client.sockets.link.in_turn and not client.stats.backlog_s:
            assert self._unasked <= PROBE_S * self._rate + self._longest


def main() -> None:
    """Fuzzes for a given time."""
    parser = argparse.ArgumentParser(description="Fuzzes the parsers and the client.")
    parser.add_argument("seconds", type=float, nargs="?", default=60.0, help="how long (default: %(default)s)")
    seconds = parser.parse_args().seconds
    run = settings(max_examples=ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    until, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        run(given(frames)(check_parsers))()
        run(given(steps)(check_client))()
        run(given(talks)(check_live))()
        rounds += 1
    print(f"{3 * rounds * ROUND} lives and frames, nothing found")


if __name__ == "__main__":
    main()
