"""What goes wrong on purpose: faults of one connection, set from Python."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Faults:
    """Faults of one connection. Times are seconds of the connection's audio; 0.0 is before any audio.

    Give them to a server when it is made, or set `server.faults` at any time for the connections to come:

        LocalServer(faults=Faults(status=503))                    # every handshake fails
        LocalServer(faults=[Faults(refuse=True), Faults()])       # the first one fails, later ones don't
        server.faults = Faults(drop_at_s=2.0, drop_code=1011)     # close after two seconds of audio
        server.faults = lambda index: Faults(stall_at_s=1.0 if index % 2 else None)

    Several of them may be set together. `server.handshakes` and `server.connections` say what the client did.
    `server.drop_all()` and `server.pause_accepting()` act at once.

    Attributes:
        refuse: reset the TCP connection in place of an answer to the handshake. A request that a client's library
            repeats by itself, as aiohttp does, is refused too and counts once.
        status: answer the handshake with this HTTP status, e.g. 503.
        status_headers: headers of that answer, e.g. {"Retry-After": "2"}.
        handshake_delay_s: seconds of the clock to wait before the handshake is answered.
        no_connected: never send `connected`.
        drop_at_s: drop the connection at this audio time.
        drop_code: the close frame's code; None drops without a close frame, by a TCP reset.
        stall_at_s: from this audio time on send no events, but go on reading and answer pings.
        half_open_at_s: from this audio time on neither read nor answer pings, and leave the socket open.
        garbage_at_s: the audio time at which the `garbage` is sent.
        garbage: frames sent as they are: str as a text frame, bytes as a binary one.
        slow_read_bytes_per_s: read no faster than this.
        never_close: answer `close` with every event as usual, but leave the socket open.
        reject_config: answer each `config` with an error; it changes nothing, and the socket stays open.
        max_pace: send an error and close with 1008 if audio comes faster than so many times real time.
        pace_burst_s: how many seconds of audio a client may be ahead of that pace.
        pace_status: the `status_code` of that error; the vendor's is not known.
    """

    refuse: bool = False
    status: int | None = None
    status_headers: Mapping[str, str] = field(default_factory=dict)
    handshake_delay_s: float = 0.0
    no_connected: bool = False
    drop_at_s: float | None = None
    drop_code: int | None = None
    stall_at_s: float | None = None
    half_open_at_s: float | None = None
    garbage_at_s: float | None = None
    garbage: Sequence[str | bytes] = ()
    slow_read_bytes_per_s: float | None = None
    never_close: bool = False
    reject_config: bool = False
    max_pace: float | None = None
    pace_burst_s: float = 1.0
    pace_status: int = 400


FaultPlan: TypeAlias = Faults | Sequence[Faults] | Callable[[int], Faults]
"""One `Faults` for every connection; or a list, one for each of the first connections, after which there are no
faults; or a function of the connection's index. Each handshake counts, refused ones too."""


def faults_of(plan: FaultPlan, index: int) -> Faults:
    """The faults of connection `index`, counted from 0."""
    if isinstance(plan, Faults):
        return plan
    if callable(plan):
        return plan(index)
    return plan[index] if index < len(plan) else Faults()


def reached(at_s: float | None, now_s: float) -> bool:
    """Whether a fault set for audio time `at_s` has come by `now_s`."""
    return at_s is not None and now_s >= at_s


def reset(transport: asyncio.Transport) -> None:
    """Drops a TCP connection without a word: the peer gets a reset and loses what it had not read."""
    socket = transport.get_extra_info("socket")
    # With no time to linger, closing means a reset.
    with contextlib.suppress(OSError):
        socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
