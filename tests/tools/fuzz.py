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
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.events import Kind, TurnEvent
from livekit.plugins.cartesia_turns.core.limits import Limits
from livekit.plugins.cartesia_turns.core.link import Ping
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
        rounds += 1
    print(f"{2 * rounds * ROUND} lives and frames, nothing found")


if __name__ == "__main__":
    main()
