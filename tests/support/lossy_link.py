"""The client joined to the simulated server by a link that delays and loses: a whole call in simulated time."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from livekit.plugins.cartesia_turns.core.chunk import Chunk
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.events import ClientEvent, Kind, Notice, TurnEvent, Usage, are_inside_turn
from livekit.plugins.cartesia_turns.core.link import Outgoing, Ping
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.core.stats import Stats
from livekit.plugins.cartesia_turns.wire.messages import ClientMessage, Close, Connected, ServerMessage
from livekit.plugins.cartesia_turns.wire.options import Options

from .simulated_server import FRAME_S, RATE, SimulatedServer, Speech

LONGEST_S = 400.0
"""A call that takes longer is stuck."""
MOST_SPINS = 500
"""A client that wants to be asked so often at one moment asks for ever."""


class Break(Enum):
    """What happens to a socket."""

    RESET = "all that is under way is lost, both ways"
    CLOSED = "the server closes cleanly: what it said before arrives, what it was sent is lost"
    HALF_OPEN = "nothing arrives any more, and nobody is told"
    STALL = "a server that is in a turn says nothing any more, though it answers pings"
    NO_GREETING = "as a reset, and on the next socket the server answers pings and says nothing, not even `connected`"


@dataclass(frozen=True)
class Fault:
    """Something that happens at one moment of the call; all in seconds."""

    at_s: float
    kind: Break = Break.RESET
    notice_s: float = 0.0
    """How much later the client learns of a reset."""
    outage_s: float = 0.1
    """For how long no new socket can be had."""


@dataclass(frozen=True)
class Jam:
    """A way that carries nothing for a while, and then all of it at once; in seconds."""

    at_s: float
    length_s: float
    is_upward: bool = True


@dataclass(frozen=True)
class HoldUp:
    """The client's process does nothing for a while; in seconds. What comes meanwhile waits, the user's audio too."""

    at_s: float
    length_s: float


@dataclass(frozen=True)
class Network:
    """How long things take, in seconds."""

    up_s: float = 0.03
    down_s: float = 0.03
    jitter_s: float = 0.0
    server_s: float = 0.0
    """How long the server takes over audio; pings it answers at once."""
    connect_s: float = 0.05
    uplink_speed: float = math.inf
    """How many seconds of audio the way up carries in one second; what is more waits in line, pings too."""


@dataclass(eq=False)
class Socket:
    """One connection, seen from outside."""

    server: SimulatedServer
    line_at: float = 0.0
    up_at: float = 0.0
    heard_at: float = 0.0
    down_at: float = 0.0
    hears: bool = True
    talks: bool = True
    stalled: bool = False
    asked_to_close: bool = False
    heard_close: bool = False


@dataclass
class Outcome:
    """What came of a call."""

    events: list[tuple[float, TurnEvent]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    held_s: float = 0.0
    """The most audio that was in memory."""
    billed_s: float = 0.0
    """What the servers were sent."""
    sockets: int = 0
    stats: Stats = field(default_factory=Stats)

    @property
    def finals(self) -> list[str]:
        """The text of each turn."""
        return [event.transcript for _, event in self.events if event.kind is Kind.END]

    @property
    def text(self) -> str:
        """The words of all turns."""
        return " ".join(" ".join(self.finals).split())


class SimulatedCall:
    """Runs one call to its end. The same arguments always give the same outcome.

    Args:
        speech: what is said.
        network: how long things take.
        faults: what happens to the sockets.
        jams: when a way is stopped up.
        hold_ups: when the client's process is held up. It then looks at the clock before it reads what has come.
        limits: of the client.
        options: what sockets are opened with.
        mutes: at these moments, counted in frames, the audio stops for so many seconds.
        burst: push all the audio at once.
        at_once: so many frames of 20 ms are pushed together, as one piece.
        delay_frames: see SimulatedServer.
        seed: of the jitter.
        make_client: makes the client of these options and limits; it is given the clock of the call.
    """

    def __init__(
        self,
        speech: Speech,
        *,
        network: Network | None = None,
        faults: list[Fault] | None = None,
        jams: Sequence[Jam] = (),
        hold_ups: Sequence[HoldUp] = (),
        limits: Limits | None = None,
        options: Options | None = None,
        mutes: dict[int, float] | None = None,
        burst: bool = False,
        at_once: int = 1,
        delay_frames: int = 0,
        seed: int = 0,
        make_client: Callable[[Options, Limits, Callable[[], float]], TurnsClient] | None = None,
    ) -> None:
        self.now = 0.0
        options, limits = options or Options(sample_rate=RATE), limits or Limits()
        self.client = TurnsClient(options, limits, 0.0)
        if make_client is not None:
            self.client = make_client(options, limits, lambda: self.now)
        self.outcome = Outcome()
        self._speech = speech
        self._network = network or Network()
        self._delay_frames = delay_frames
        # Only the jitter depends on it, and it is the same each time.
        self._random = random.Random(seed)  # noqa: S311
        self._count = itertools.count()
        self._queue: list[tuple[float, bool, int, Callable[[], None]]] = []
        self._socket: Socket | None = None
        self._dialing = False
        self._no_socket_before = 0.0
        self._greets = True
        self._is_live = False
        """The last step was live audio, which needs no decision."""
        self._wake_at = math.inf
        self._hold_ups = hold_ups
        for hold_up in hold_ups:
            self._at(hold_up.at_s + hold_up.length_s, self._look_at_clock, has_waited=True)
        self._push_all(mutes or {}, burst=burst, at_once=at_once)
        for fault in faults or []:
            self._at(fault.at_s, partial(self._fail, fault))
        for jam in jams:
            self._at(jam.at_s, partial(self._stop_up, jam))

    def run(self) -> Outcome:
        """Plays the call to its end.

        Raises:
            AssertionError: it never ends, or the client asks for ever.
        """
        spins = 0
        self._pump()
        while not self.client.sockets.finished:
            before, waiting = self.now, len(self._queue)
            self._next()
            spins = spins + 1 if self.now == before and len(self._queue) >= waiting else 0
            self._pump()
            assert spins < MOST_SPINS, f"the client spins at {self.now}"
            assert self.now < LONGEST_S, "the call never ends"
        self.client.report_usage(self.now)
        self._note()
        self.outcome.stats = self.client.stats
        return self.outcome

    def _push_all(self, mutes: dict[int, float], *, burst: bool, at_once: int) -> None:
        at, piece = 0.0, b""
        for number, frame in enumerate(self._speech.frames):
            if number in mutes or len(piece) >= at_once * len(frame):
                self._in_process(at, partial(self._push, piece))
                piece = b""
            at += mutes.get(number, 0.0) + (0.0 if burst else FRAME_S)
            piece += frame
        self._in_process(at, partial(self._push, piece))
        self._in_process(at, self.client.end_input)

    def _push(self, frame: bytes) -> None:
        if self._socket and self.client.live.take(frame, self.now):
            self._send(self._socket, Chunk(frame, len(frame) / 2 / RATE))
            live = self.client.live
            self._is_live = not (live.is_full or live.wants_ping)
            if live.is_full:
                self.client.live_sent(self.now)
        else:
            self.client.push_audio(frame, self.now)
            self._note()

    def _at(self, at: float, action: Callable[[], None], *, has_waited: bool = False) -> None:
        heapq.heappush(self._queue, (at, not has_waited, next(self._count), action))

    def _in_process(self, at: float, action: Callable[[], None]) -> None:
        """As `_at`, for what the client's process does: if it is held up then, it does that as soon as it runs."""
        self._at(at, partial(self._when_running, action))

    def _when_running(self, action: Callable[[], None]) -> None:
        if self._is_held_up:
            self._at(self._runs_at(self.now), partial(self._when_running, action), has_waited=True)
        else:
            action()

    @property
    def _is_held_up(self) -> bool:
        return self._runs_at(self.now) > self.now

    def _runs_at(self, at: float) -> float:
        """The next moment from this one on in which the process runs."""
        for hold_up in self._hold_ups:
            if hold_up.at_s <= at < hold_up.at_s + hold_up.length_s:
                return self._runs_at(hold_up.at_s + hold_up.length_s)
        return at

    def _look_at_clock(self) -> None:
        """The process runs again."""

    def _next(self) -> None:
        """Goes on to whatever is due next: something outside, or the client."""
        wake = self._runs_at(self._wake_at)
        due = self._queue[0][0] if self._queue else math.inf
        assert min(wake, due) < math.inf, "nothing will ever happen again"
        if due <= wake:
            *_, action = heapq.heappop(self._queue)
            self.now = max(self.now, due)
            action()
            if self._is_live:
                # As with the shell, nothing is asked of the client then.
                return
        else:
            self.now = max(self.now, wake)
        if not self._is_held_up and self.now >= self.client.deadline:
            self.client.tick(self.now)
            self._note()

    def _pump(self) -> None:
        """What the shell does after each step."""
        if self._is_live or self._is_held_up:
            self._is_live = False
            return
        if self.client.sockets.hang_up and self._socket:
            self._lose(self._socket)
        while self._socket and (item := self.client.outgoing(self.now)) is not None:
            self._send(self._socket, item)
            self.client.sent(item, self.now)
        if self._socket is None and not self._dialing and self.client.sockets.wants_link:
            self._dialing = True
            self._in_process(max(self.now, self._no_socket_before) + self._network.connect_s, self._connect)
        self.outcome.held_s = max(self.outcome.held_s, self.client.stats.held_s)
        self._wake_at = self._due_at

    @property
    def _due_at(self) -> float:
        return min(self.client.deadline, self.client.sockets.send_at)

    def _note(self) -> list[ClientEvent]:
        events = self.client.take_events()
        for event in events:
            if isinstance(event, Notice):
                self.outcome.notices.append(event)
            elif isinstance(event, TurnEvent):
                self.outcome.billed_s += event.usage_s
                self.outcome.events.append((self.now, event))
            elif isinstance(event, Usage):
                self.outcome.billed_s += event.seconds
        return events

    # The link.

    def _connect(self) -> None:
        self._dialing = False
        if self.now < self._no_socket_before:
            self.client.attempt_failed()
            return
        self.outcome.sockets += 1
        name = f"socket {self.outcome.sockets}"
        self._socket = Socket(SimulatedServer(self._speech.samples, self._delay_frames, name), stalled=not self._greets)
        self._greets = True
        self.client.link_opened(self.client.sockets.options, self.now)
        self._answer(self._socket, [Connected(name)])

    def _send(self, socket: Socket, item: Outgoing) -> None:
        seconds = item.seconds if isinstance(item, Chunk) else 0.0
        socket.line_at = max(socket.line_at, self.now) + seconds / self._network.uplink_speed
        socket.up_at = self._later(socket.up_at, socket.line_at - self.now + self._network.up_s)
        socket.asked_to_close |= isinstance(item, Close)
        if isinstance(item, Ping):
            self._at(socket.up_at, partial(self._pinged, socket, item.payload))
        else:
            socket.heard_at = max(socket.heard_at, socket.up_at + self._network.server_s)
            self._at(socket.heard_at, partial(self._heard, socket, item))

    def _pinged(self, socket: Socket, payload: bytes) -> None:
        if socket.hears and socket.talks:
            self._tell(socket, partial(self.client.pong, payload))

    def _heard(self, socket: Socket, item: Chunk | ClientMessage) -> None:
        if not socket.hears:
            return
        if isinstance(item, Chunk):
            self._answer(socket, socket.server.hear(item.pcm))
            return
        self._answer(socket, socket.server.command(item))
        socket.heard_close |= isinstance(item, Close)
        if isinstance(item, Close) and not socket.stalled:
            self._close(socket)

    def _answer(self, socket: Socket, messages: list[ServerMessage]) -> None:
        for message in messages:
            if socket.talks and not socket.stalled:
                self._tell(socket, partial(self._receive, message))

    def _receive(self, message: ServerMessage, now: float) -> None:
        due_at = self._due_at
        self.client.receive(message, now)
        events = self._note()
        if events and are_inside_turn(events) and self.client.live.is_open:
            assert self._due_at >= due_at, "the shell does not look at the deadline then"

    def _tell(self, socket: Socket, action: Callable[[float], None]) -> None:
        """Lets something reach the client, in order, unless the socket is lost by then."""
        socket.down_at = self._later(socket.down_at, self._network.down_s)
        self._in_process(socket.down_at, partial(self._told, socket, action))

    def _told(self, socket: Socket, action: Callable[[float], None]) -> None:
        if socket is self._socket and socket.talks:
            action(self.now)

    def _later(self, last: float, delay_s: float) -> float:
        return max(last, self.now + delay_s + self._random.uniform(0, self._network.jitter_s))

    # What goes wrong.

    def _fail(self, fault: Fault) -> None:
        self._no_socket_before = max(self._no_socket_before, self.now + fault.outage_s)
        self._greets &= fault.kind is not Break.NO_GREETING
        socket = self._socket
        if socket is None:
            return
        if fault.kind is Break.STALL:
            # Between turns a server has nothing to say: one that went deaf there can't be told from one that hears
            # nobody.
            socket.stalled |= socket.server.in_turn
        elif fault.kind is Break.CLOSED:
            self._close(socket)
        else:
            socket.hears = socket.talks = False
            if fault.kind in (Break.RESET, Break.NO_GREETING):
                self._in_process(self.now + fault.notice_s, partial(self._lose, socket))

    def _stop_up(self, jam: Jam) -> None:
        if self._socket and jam.is_upward:
            self._socket.up_at = max(self._socket.up_at, self.now + jam.length_s)
        elif self._socket:
            self._socket.down_at = max(self._socket.down_at, self.now + jam.length_s)

    def _close(self, socket: Socket) -> None:
        socket.hears = False
        self._tell(socket, lambda _: self._lose(socket, clean=True))

    def _lose(self, socket: Socket, *, clean: bool = False) -> None:
        if socket is not self._socket:
            return
        self._socket = None
        socket.hears = socket.talks = False
        # A close that crosses the client's own request for one looks like its answer: nobody can tell them apart, so
        # that is left out.
        clean = clean and socket.heard_close == socket.asked_to_close
        self.client.link_lost(self.now, clean=clean)
        self._note()
