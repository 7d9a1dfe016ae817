"""The client's side of the conversation without any I/O: audio and messages in, audio and turn events out.

A shell drives it; the package's docstring states what the shell must do, and each method what follows from it. One
client outlives many sockets. All times are monotonic seconds.
"""

from __future__ import annotations

from ..wire.messages import ErrorMessage, ServerMessage
from ..wire.options import Options
from .chunk import Chunk
from .events import ClientEvent, Kind, Notice, Usage
from .feed import Feed
from .hangs import Hangs
from .hearing import Hearing
from .link import Outgoing, Ping
from .live_lane import LiveLane
from .mending import Mending
from .pacing import Pace
from .requests import Limits
from .sockets import Sockets
from .stats import Stats
from .turn import Turn
from .turns import Turns


class TurnsClient:
    """All state of a stream.

    Args:
        options: what the first socket is opened with.
        limits: bounds.
        now: the present.
        pace: how fast the server takes a backlog; streams to the same server share it.
    """

    def __init__(self, options: Options, limits: Limits, now: float, pace: Pace | None = None) -> None:
        self._feed = Feed(options.sample_rate, limits.buffer_s, now)
        self._buffer = self._feed.buffer
        self._hangs = Hangs(limits.watchdog_min_timeout_s)
        self._events: list[ClientEvent] = []
        self.live: LiveLane = LiveLane(options.sample_rate)
        """Takes audio that can be sent without a decision. The shell tries this first."""
        self.turn: Turn = Turn(limits.early_preflight)
        """The current turn. The shell reads it and never changes it."""
        self.sockets: Sockets = Sockets(options, limits, pace or Pace(), self.turn, self._buffer)
        """The sockets: whether to open or close one, and whether to send. The shell reads it and never changes it."""
        self._turns = Turns(self.turn, self._feed, self.sockets, self._hangs.watchdog)
        self._hearing = Hearing(self._hangs, self.turn, self._turns, self._feed, self.sockets, live=self.live)
        self._mending = Mending(self._hangs, self.turn, self._turns, self._feed, self.sockets, live=self.live)

    @property
    def is_idle(self) -> bool:
        """No turn is open and no speech waits for one."""
        self.book_live()
        return not self.turn.is_open and not self._buffer.has_voice

    @property
    def stats(self) -> Stats:
        """A snapshot of the counters."""
        return self.sockets.counters.snapshot(self._feed.counts(self.live.samples))

    def take_events(self) -> list[ClientEvent]:
        """The events since the last call, in order.

        The shell takes them after each call that may add some, which `live_sent`, `outgoing`, `sent` and `pong` do not.
        """
        events, self._events = self._events, []
        return events

    # Input.

    def push_audio(self, pcm: bytes, now: float) -> None:
        """Takes the user's audio: signed 16-bit little-endian mono PCM at the rate of the options, of any length.

        The shell then calls `outgoing`, which returns this audio when it may be sent.
        """
        self._close_live()
        if self._feed.push(pcm, now):
            self._events.append(Notice.AUDIO_LOST)

    def live_sent(self, now: float) -> None:
        """The socket has taken what `live` took, and `live.is_full`: the shell then does as after any other report."""
        self.book_live()
        self._open_live(now)

    def book_live(self) -> None:
        """Takes what `live` let out into account. The client does so by itself where it must."""
        if pieces := self.live.clear():
            stretches, link, piece_s = self._feed.push_sent(pieces), self.sockets.link, self._feed.pushed_s
            self._hangs.audio_sent(stretches, pieces.times[-1], link, piece_s=piece_s)
            if link:
                link.pacer.spend_live(stretches, self.live.lead)

    def end_input(self) -> None:
        """No more audio comes. `outgoing` then returns the rest of the audio and a `Close`."""
        self._close_live()
        self.sockets.input.has_come = True

    def flush(self, now: float) -> None:
        """The user is done for now: the open turn ends at once, after FLUSH_S at most.

        The answer is an END with text, or a `Flushed` where there is none. The silence that makes the server end the
        turn comes out of `outgoing`.
        """
        self._close_live()
        self._events += self._turns.flush(now)

    def update(self, options: Options) -> None:
        """Changes the options.

        What a config can change comes out of `outgoing` at once. Anything else takes a new socket: `hang_up` is set as
        soon as no turn is open.
        """
        self._close_live()
        self.sockets.options = options
        self.sockets.replace_if_stale()

    # The socket.

    def link_opened(self, options: Options, now: float) -> None:
        """The shell has opened a socket. It then calls `outgoing`.

        Args:
            options: what it was asked for with. `update` may have changed the client's own since.
            now: the present.
        """
        self.sockets.opened(options, now)
        self._hangs.socket_opened(now)
        self._turns.socket_opened()
        self.sockets.replace_if_stale()

    def link_lost(self, now: float, *, clean: bool = False, leaving: bool = False, abrupt: bool = False) -> None:
        """The socket has ended, whichever side ended it. `wants_link` and `finished` then say what follows.

        Args:
            now: the present.
            clean: the server closed it in the ordinary way.
            leaving: the server closed it since it goes away, which does not answer a request to finish.
            abrupt: it was lost without a close from the server.
        """
        self._close_live()
        self._events += self.sockets.lost(now, clean=clean, leaving=leaving, abrupt=abrupt)
        if self.sockets.input.is_answered:
            self._events += self._turns.close(now)
            return
        self._mending.socket_lost(now)
        self._turns.socket_lost()
        if self._feed.rewind():
            self._events.append(Notice.AUDIO_LOST)

    def attempt_failed(self, error: ErrorMessage | None = None, asked: Options | None = None) -> None:
        """The shell could not open a socket; `tries_again` then says whether the next attempt may follow at once.

        Args:
            error: what the server said, if it said anything.
            asked: what the socket was asked for with; None if nothing has changed since.
        """
        self._events += self.sockets.refused(error, asked)

    def receive(self, message: ServerMessage, now: float) -> None:
        """Takes a message of the server. If it sets `failure` or `hang_up`, the shell must close the socket."""
        if (news := self._hearing.news(message, now)) is None:
            return
        if self._hearing.needs_audio(news):
            self.book_live()
        steps = self._hearing.take(news, now)
        if any(step.kind is Kind.START or step.kind is Kind.END for step in steps):
            self.book_live()
        self._events += self._hearing.told(news, steps, now)

    def pong(self, payload: bytes, now: float) -> None:
        """Takes the answer to a ping: the server has received all audio that was sent before that ping.

        While no turn is open, that audio is forgotten, except the pre-roll and speech that may yet start a turn. The
        shell then looks at `may_send`, since a backlog may have waited for this answer.
        """
        if (ping_at := self._hearing.pong(payload, now)) is not None:
            self._hearing.forget(ping_at)

    def outgoing(self, now: float) -> Outgoing | None:
        """What the shell must give to the socket now; None where nothing may go out.

        The shell confirms each item with `sent` before it calls this again.
        """
        return self.sockets.outgoing(now, live_wants_ping=self.live.wants_ping)

    def sent(self, item: Outgoing, now: float) -> None:
        """The socket has taken what `outgoing` returned. The shell then calls `outgoing` for the next item."""
        if (link := self.sockets.link) is None:
            return
        if self.live.wants_ping and isinstance(item, Ping):
            link.ping_sent(self._buffer.sent_to + self.live.samples, now, live_s=self.live.seconds)
            self.live.ping_sent()
            return
        self._close_live()
        if isinstance(item, Chunk):
            self._feed.sent(item, now)
            self._hangs.audio_sent([item], now, link, piece_s=None if item.injected else self._feed.pushed_s)
        link.sent(item, self._buffer, now, has_words=bool(self.turn.text))
        self._open_live(now)

    # Time.

    @property
    def deadline(self) -> float:
        """When the shell must call `tick`. Any call may move it.

        While live audio is not booked, it may be too early, and what waits for a length of audio is not due yet.
        """
        return min(self.sockets.deadline, self._feed.usage_at(self.live.samples), self._mending.deadline)

    def tick(self, now: float) -> None:
        """Does what is due by now, if anything is: silence in place of missing audio, or the end of a turn that hangs.

        The shell then does as after any other report: events, `hang_up`, `outgoing`, the next `deadline`.
        """
        self.book_live()
        if now < self.deadline:
            return
        self.live.close()
        if now >= self._feed.usage_at():
            self._events.append(Usage(self._feed.take_usage(now)))
        if (rejected := self.sockets.check(now)) is not None:
            self._events.append(rejected)
        else:
            self._events += self._mending.tick(now)

    def report_usage(self, now: float) -> None:
        """Adds an event with how much audio was sent since the last report, as `tick` does. The shell then takes it."""
        self.book_live()
        if seconds := self._feed.take_usage(now):
            self._events.append(Usage(seconds))

    def close_turn(self, now: float) -> None:
        """Ends an open turn with the text so far, without the server. The shell then takes the events."""
        self._close_live()
        self._events += self._turns.close(now)

    # Inside.

    def _close_live(self) -> None:
        """Books live audio, and lets no more out without a decision, since something has changed."""
        self.book_live()
        self.live.close()

    def _open_live(self, now: float) -> None:
        """Works out how much audio `live` may let out before the next decision or booking, and before a ping."""
        if not self._turns.flushing.is_waiting:
            self.live.open(self.sockets.live(now))
