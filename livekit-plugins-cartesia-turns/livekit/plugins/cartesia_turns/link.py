"""One socket's life, without the socket: what may be sent on it and when, and when it has to go.

All times are monotonic seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from .liveness import Liveness
from .options import Options, merge, turn_change
from .protocol import ClientMessage, Close, Config, TurnSettings
from .replay import Chunk, ReplayBuffer

DRAIN_S = 5.0
"""How long the server may be silent after it was asked to finish."""
CATCH_UP_SPEED = 8.0
"""How many times faster than real time a backlog is sent, so that the server keeps up with what it is sent."""
BURST_S = 2.0
"""Audio that may go out at once."""


class HangUp(Enum):
    """Why a socket is to be closed. The value is a static text for logs and errors."""

    NOT_CONNECTED = "the server took the socket and did not say `connected` in time"
    DEAD = "the server does not answer pings any more"
    ROTATE = "a new socket is wanted"
    DRAINED = "the server did not close the socket in time"


@dataclass(frozen=True, slots=True)
class Ping:
    """A websocket ping to send."""

    payload: bytes


Outgoing: TypeAlias = Chunk | ClientMessage | Ping


class Pacer:
    """Lets audio out in real time or faster, but not without bound."""

    def __init__(self, now: float) -> None:
        self._credit_s = BURST_S
        self._at = now

    def spend(self, seconds: float, now: float) -> None:
        """Audio went out."""
        self._credit_s = min(BURST_S, self._credit_s + (now - self._at) * CATCH_UP_SPEED) - seconds
        self._at = now

    @property
    def ready_at(self) -> float:
        """When audio may go out next."""
        return self._at if self._credit_s > 0 else self._at - self._credit_s / CATCH_UP_SPEED


class Link:
    """The state of one open socket.

    Args:
        options: what it was opened with.
        connect_timeout_s: how long the server may take to say `connected`, in seconds.
        now: the present.
    """

    def __init__(self, options: Options, connect_timeout_s: float, now: float) -> None:
        self.options = options
        """What the server goes by: changes with each config sent."""
        self.liveness = Liveness(now)
        self.close_sent = False
        """The server was asked to finish."""
        self.hang_up: HangUp | None = None
        """Set when the socket has to go."""
        self._pacer = Pacer(now)
        self._connected_by = now + connect_timeout_s
        self._drain_by = math.inf

    @property
    def is_connected(self) -> bool:
        """The server said `connected`."""
        return self._connected_by == math.inf

    @property
    def deadline(self) -> float:
        """When to call `check`."""
        return math.inf if self.hang_up else min(self._connected_by, self._drain_by, self.liveness.dead_at)

    def check(self, now: float) -> None:
        """Hangs up if the server took too long over anything."""
        if now < self.deadline:
            return
        if now >= self.liveness.dead_at:
            self.hang_up = HangUp.DEAD
        else:
            self.hang_up = HangUp.DRAINED if now >= self._drain_by else HangUp.NOT_CONNECTED

    def heard(self, now: float) -> None:
        """A message came in."""
        self.liveness.heard(now)
        self._connected_by = math.inf
        if self.close_sent:
            self._drain_by = now + DRAIN_S

    def send_at(self, buffer: ReplayBuffer) -> float:
        """When `outgoing` may have something to send although nothing else happens."""
        if self.hang_up:
            return math.inf
        waits = buffer.has_backlog and not self.close_sent
        return min(self.liveness.ping_at, self._pacer.ready_at if waits else math.inf)

    def outgoing(self, buffer: ReplayBuffer, wanted: Options, now: float, *, ending: bool) -> Outgoing | None:
        """What to send next: a ping that is due, changed turn settings, audio, and the close when no more audio comes.

        Args:
            buffer: the audio.
            wanted: the options that should be in force.
            now: the present.
            ending: no more audio comes.
        """
        if self.hang_up:
            return None
        if now >= self.liveness.ping_at:
            return Ping(self.liveness.next_payload)
        if self.close_sent:
            return None
        if (change := turn_change(self.options.turn, wanted.turn)) != TurnSettings():
            return Config(change)
        if (chunk := buffer.peek()) is not None:
            return chunk if now >= self._pacer.ready_at else None
        return Close() if ending else None

    def sent(self, item: Outgoing, now: float) -> None:
        """What `outgoing` returned is with the socket."""
        if isinstance(item, Chunk):
            self._pacer.spend(item.seconds, now)
        elif isinstance(item, Ping):
            self.liveness.ping_sent(now)
        elif isinstance(item, Config):
            self.options = replace(self.options, turn=merge(self.options.turn, item.turn))
        else:
            self.close_sent = True
            self._drain_by = now + DRAIN_S
