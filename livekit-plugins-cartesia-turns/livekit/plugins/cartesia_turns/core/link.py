"""The state of one socket, without the socket itself: what may be sent on it and when, and when to close it.

All times are monotonic seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from ..wire.messages import (
    ClientMessage,
    Close,
    Config,
    ErrorMessage,
    ServerMessage,
    SpokenMessage,
    TurnEnd,
    TurnStart,
)
from ..wire.options import Options
from .after_end import AfterEnd
from .audio_queue import ReplayBuffer
from .changes import Rejected
from .chunk import Chunk
from .configs import Configs
from .liveness import Liveness
from .pacing import CATCH_UP_SPEED, Allowance, Pacer
from .settling import Receipts
from .text import is_blank

DRAIN_S = 5.0
"""How long the server may be silent after it was asked to finish and to close the socket."""
UNTOLD_DRAIN_S = 15.0
"""The same while somebody may have spoken and the server has said no word of it: a busy server may need so long."""
LONGEST_DRAIN_S = 60.0
"""How long it may take in all while it still sends the events of a backlog."""


class HangUp(Enum):
    """Why a socket is to be closed. The value is a static text for logs and errors."""

    NOT_CONNECTED = "the server did not send `connected` in time"
    DEAD = "the server stopped answering pings"
    STALLED = "the server received audio in mid-turn but sent no events"
    ROTATE = "a new socket is needed"
    DRAINED = "the server did not close the socket in time"


@dataclass(frozen=True, slots=True)
class Ping:
    """A websocket ping to send."""

    payload: bytes


Outgoing: TypeAlias = Chunk | ClientMessage | Ping


class Link:
    """The state of one open socket.

    Args:
        options: what it was opened with.
        connect_timeout_s: how long the server may take to say `connected`, in seconds.
        now: the present.
        speed: how many times faster than real time a backlog may go out.
    """

    def __init__(
        self, options: Options, connect_timeout_s: float, now: float, *, speed: float = CATCH_UP_SPEED
    ) -> None:
        self.configs: Configs = Configs(options)
        """The settings in force, which change with each config."""
        self.liveness: Liveness = Liveness(now)
        self.close_sent: bool = False
        """The server was asked to finish."""
        self.hang_up: HangUp | None = None
        """Why the shell must close the socket, if it must."""
        self.in_turn: bool = False
        """The server is in a turn, by its own messages."""
        self.failure: ErrorMessage | None = None
        """The server's error that ended the socket."""
        self.receipts: Receipts = Receipts()
        """Which audio the server has received."""
        self.after_end: AfterEnd = AfterEnd()
        """What the server says again behind the end of a turn."""
        self.has_finished: bool = False
        """A turn ended after the server was asked to finish."""
        self.pacer: Pacer = Pacer(now, speed)
        """How fast audio goes out."""
        self._connected_by = now + connect_timeout_s
        self._drain_by = self._drain_end = math.inf
        self._drain_s = DRAIN_S
        self._asks_if_finished = False

    @property
    def is_connected(self) -> bool:
        """The server said `connected`."""
        return self._connected_by == math.inf

    @property
    def deadline(self) -> float:
        """When to call `check`."""
        if self.hang_up:
            return math.inf
        return min(self._connected_by, self._drain_by, self.liveness.dead_at, self.configs.decide_at)

    def check(self, now: float) -> Rejected | None:
        """Sets `hang_up` if the server took too long over anything; returns a change that it has rejected, if any."""
        if now < self.deadline:
            return None
        if self.liveness.is_dead(now):
            self.hang_up = HangUp.DEAD
        elif now >= self._drain_by:
            self.hang_up = HangUp.DRAINED
        elif now >= self._connected_by:
            self.hang_up = HangUp.NOT_CONNECTED
        return self.configs.decide(now)

    def heard(self, message: ServerMessage, now: float) -> None:
        """A message came in."""
        self.liveness.heard(now)
        self.receipts.greeted(now)
        self._connected_by = math.inf
        if self.close_sent:
            self._drain_by = min(now + self._drain_s, self._drain_end)
        if isinstance(message, TurnEnd):
            self.in_turn = False
            self.has_finished = self.close_sent
        elif not self.in_turn:
            is_text = isinstance(message, SpokenMessage) and not is_blank(message.transcript)
            self.in_turn = is_text or isinstance(message, TurnStart)

    def failed(self, error: ErrorMessage, now: float) -> None:
        """An error came in. It may answer a config; otherwise it ends the socket and becomes `failure`."""
        self.liveness.heard(now)
        rtt_s, shortest_rtt_s = self.liveness.rtt_s or 0.0, self.liveness.shortest_rtt_s
        if not self.is_connected or not self.configs.receive(error, now, rtt_s=rtt_s, shortest_rtt_s=shortest_rtt_s):
            self.failure = error

    @property
    def last_error(self) -> ErrorMessage | None:
        """The error to give as the reason if the socket ends now."""
        return self.failure or self.configs.error

    def pong(self, payload: bytes, now: float) -> float | None:
        """The answer to a ping came in; returns what `Liveness.pong` does."""
        sent_at = self.liveness.pong(payload, now)
        if sent_at is not None:
            self.pacer.arrived(sent_at, now)
            self.receipts.answered(sent_at, now)
        return sent_at

    def send_at(self, buffer: ReplayBuffer) -> float:
        """When `outgoing` may have something to send even if nothing else happens."""
        if self.hang_up:
            return math.inf
        # Whether a ping has waited for long is looked at when the audio may go out.
        now = -math.inf
        if self.close_sent:
            return self._ping_at(None, now)
        chunk = buffer.peek()
        return min(self._ping_at(chunk, now), self.configs.send_at, self.pacer.ready_at(chunk) if chunk else math.inf)

    def live(self, wanted: Options, now: float) -> Allowance:
        """How much live audio may go out before the next decision, and before the next ping in a turn.

        Args:
            wanted: the options that should be in force.
            now: the present.
        """
        is_busy = self.hang_up or self.close_sent or not self.is_connected or not self.configs.is_settled(wanted)
        if is_busy or now >= self.liveness.ping_at:
            return Allowance()
        return self.pacer.live(probes=self._probes(now))

    def outgoing(
        self, buffer: ReplayBuffer, wanted: Options, now: float, *, ending: bool, live_wants_ping: bool = False
    ) -> Outgoing | None:
        """What to send next: a ping that is due, changed settings, audio, or the close once no more audio comes.

        Args:
            buffer: the audio.
            wanted: the options that should be in force.
            now: the present.
            ending: no more audio comes.
            live_wants_ping: as `LiveLane.wants_ping`.
        """
        if self.hang_up:
            return None
        chunk = None if self.close_sent else buffer.peek()
        if live_wants_ping or now >= self._ping_at(chunk, now):
            return Ping(self.liveness.next_payload)
        if self.close_sent:
            return None
        if (change := self.configs.change_to(wanted, now, rtt_s=self.liveness.rtt_s or 0.0)) is not None:
            return change
        if self.pacer.leaves_out_silence and not self.in_turn:
            # In a turn all audio is sent, since the server may hear a word in what counts as silence here.
            while chunk and self.pacer.leaves_out(chunk, buffer.backlog_s - chunk.seconds):
                buffer.advance(chunk, now)
                chunk = buffer.peek()
        if chunk is not None:
            return chunk if now >= self.pacer.ready_at(chunk) else None
        return Close() if ending else None

    def sent(self, item: Outgoing, buffer: ReplayBuffer, now: float, *, has_words: bool = False) -> None:
        """The socket has taken what `outgoing` returned, and the buffer's cursor has moved past it.

        Args:
            item: what `outgoing` returned.
            buffer: the audio.
            now: the present.
            has_words: the server has said words of the open turn.
        """
        if isinstance(item, Chunk):
            self.pacer.spend(item, now, waiting_s=buffer.backlog_s)
        elif isinstance(item, Ping):
            self.ping_sent(buffer.sent_to, now)
        elif isinstance(item, Config):
            self.configs.sent(item, now)
        else:
            self.close_sent = self._asks_if_finished = True
            self._drain_s = UNTOLD_DRAIN_S if buffer.has_voice and not has_words else DRAIN_S
            # Before `connected`, nothing shows that the server heard the request, so its time does not run yet.
            self._drain_by = now + self._drain_s if self.is_connected else math.inf
            self._drain_end = now + LONGEST_DRAIN_S

    def ping_sent(self, position: int, now: float, *, live_s: float = 0.0) -> None:
        """The socket has taken a ping, behind all audio before `position`: the last `live_s` seconds are not booked."""
        self._asks_if_finished = False
        at = self.liveness.ping_sent(now)
        self.pacer.ping_sent(at, live_s)
        self.receipts.asked(position, at)

    def _ping_at(self, chunk: Chunk | None, now: float) -> float:
        # The answer to a ping that follows the close shows that the server has all audio.
        is_wanted = self._asks_if_finished or self.pacer.wants_ping(chunk, probes=self._probes(now))
        return -math.inf if is_wanted else self.liveness.ping_at

    def _probes(self, now: float) -> bool:
        """Whether pings must show what of live audio has arrived: it may belong to a turn, or wait on its way."""
        return self.in_turn or self.pacer.follows_voice or self.liveness.is_slow(now)
