"""What goes wrong on purpose: faults of one connection, set from Python."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

ROUNDING_S = 1e-6
"""Far less than a sample: sums of floats are not exact."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Faults of one connection. Times are seconds of the connection's audio; 0.0 is before any audio.

    Pass them to the server's constructor, or set `server.faults` at any time for new connections:

        LocalServer(faults=Faults(status=503))                    # every handshake fails
        LocalServer(faults=[Faults(refuse=True), Faults()])       # the first one fails, later ones don't
        server.faults = Faults(drop_at_s=2.0, drop_code=1011)     # close after two seconds of audio
        server.faults = lambda index: Faults(stall_at_s=1.0 if index % 2 else None)

    You can combine several faults. `server.handshakes` and `server.connections` record what the client did.
    `server.drop_all()` and `server.pause_accepting()` take effect at once.

    Attributes:
        refuse: reset the TCP connection instead of answering the handshake. If the client's library repeats the
            request, as aiohttp does, the repetition is refused too, and both count as one.
        status: answer the handshake with this HTTP status, e.g. 503.
        status_headers: headers of that answer, e.g. {"Retry-After": "2"}.
        handshake_delay_s: seconds to wait (by the clock) before the handshake is answered.
        no_connected: never send `connected`.
        drop_at_s: drop the connection at this audio time.
        drop_code: the close frame's code; None drops without a close frame, by a TCP reset.
        stall_at_s: from this audio time on send no events, but continue to read and to answer pings.
        half_open_at_s: from this audio time on neither read nor answer pings, but keep the socket open.
        garbage_at_s: the audio time at which the `garbage` is sent.
        garbage: the frames to send: str as a text frame, bytes as a binary frame.
        slow_read_bytes_per_s: read at most this fast.
        never_close: answer `close` with all events as usual, but keep the socket open.
        reject_config: answer each `config` with an error, do not apply it, and keep the socket open.
        max_pace: send an error and close with 1008 if audio arrives faster than this many times real time.
        pace_burst_s: seconds of audio that a client may be ahead of that pace.
        pace_status: the `status_code` of that error; Cartesia's is not known.
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
"""One `Faults` for every connection; or a list with one for each of the first connections, and none for later ones; or
a function that returns the faults for a connection's index. The index counts all handshakes, including refused ones."""


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


class PaceLimit:
    """Notices audio that comes faster than it is taken. Pure: time and the length of audio are arguments.

    The vendor's server takes "one second of audio data per second" (its documentation, read 2026-11-25); how much more
    is too much is not known.

    Args:
        pace: seconds of audio that are taken in a second.
        burst_s: how far ahead of that a client may be at any time. Having sent less before gives it no credit.
    """

    def __init__(self, pace: float, burst_s: float) -> None:
        self._pace = pace
        self._burst_s = burst_s
        self._ahead_s = 0.0
        self._last_s: float | None = None

    def exceeded_by(self, audio_s: float, now_s: float) -> bool:
        """Takes audio that has come now; returns whether it is too much."""
        since_s = 0.0 if self._last_s is None else now_s - self._last_s
        self._last_s = now_s
        self._ahead_s = max(0.0, self._ahead_s - self._pace * since_s) + audio_s
        return self._ahead_s > self._burst_s + ROUNDING_S
