"""The client's side of the conversation without any I/O: audio and messages in, audio and turn events out.

A shell pumps it: whatever `outgoing` returns is sent and confirmed with `sent`, what comes in goes to `receive` or
`pong`, and `tick` is called at `deadline`. One client outlives many sockets. All times are monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from ..wire.messages import Config, Connected, ErrorMessage, ServerMessage, TurnEnd, TurnMessage, Unknown
from ..wire.options import Options
from .audio_queue import UNHEARD_S, Chunk
from .configs import Rejected, refused, settings_of, without
from .feed import Feed
from .flush import FLUSH_SILENCE_S, Flushed, FlushRule
from .link import HangUp, Link, Outgoing
from .pacing import CATCH_UP_SPEED, Pace
from .settling import SERVER_LAG_S
from .speech import SpeechTimes
from .stats import Stats
from .timeouts import STALLED_AFTER_S, DeafRule, RescueRule, StallRule, Watchdog
from .turn import Kind, State, Turn, TurnEvent

REFUSALS = frozenset({401, 402, 403})
"""Statuses that tell of the key, whatever was sent."""
MOST_LOST_ENDS = 2
"""How often a socket is replaced that is lost after the end of the input, while no turn is open."""
REPLACED_EVERY_S = 30.0
"""A socket whose server has stalled is replaced no more often than that."""


class Notice(Enum):
    """Something the user of the stream may want to know. The value is a static text for the log."""

    FEEDING = "audio stopped in mid-turn: sending silence until it comes back or the turn ends"
    OVERDUE = "silence did not end the turn: closing it with the text so far"
    NO_WORDS = "the server is in a turn and has no words for it: closing the turn and listening on"
    STALLED = "the server sends no events in mid-turn: closing the turn with the text so far"
    NOT_RESUMED = "the replayed audio did not bring the turn back: closing it with the text so far"
    NOT_RECONNECTED = "there is no connection in time: closing the turn with the text so far"
    SLOWER = "the server did not take a backlog at this speed: sending it slower from now on"
    AUDIO_LOST = "more audio waits than the buffer holds: dropping silence first, then the oldest"


@dataclass(frozen=True, slots=True)
class Usage:
    """So much audio was sent since the last report, beside what the ends of turns tell."""

    seconds: float


ClientEvent: TypeAlias = TurnEvent | Flushed | Notice | Rejected | Usage
"""What `take_events` gives. A TurnEvent has the request id, the time of its speech and the usage up to it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a client; times are in seconds."""

    watchdog_min_timeout_s: float = 0.5
    buffer_s: float = 60.0
    connect_timeout_s: float = 10.0
    catch_up_speed: float = CATCH_UP_SPEED
    """How many times faster than real time a backlog is sent at most."""
    early_preflight: int = 0
    """Speculative texts in a turn, when a whole sentence may be one; 0 leaves them to turn.eager_end."""


class TurnsClient:
    """All state of a stream.

    Args:
        options: what sockets are opened with.
        limits: bounds.
        now: the present.
        pace: how fast the server takes a backlog, as is known from other streams.
    """

    def __init__(self, options: Options, limits: Limits, now: float, pace: Pace | None = None) -> None:
        self._options = options
        self._limits = limits
        self._pace = pace or Pace()
        self._link: Link | None = None
        self._turn = Turn(limits.early_preflight)
        self._feed = Feed(options.sample_rate, limits.buffer_s, now)
        self._buffer = self._feed.buffer
        self._watchdog = Watchdog(limits.watchdog_min_timeout_s)
        self._stall = StallRule()
        self._deaf = DeafRule()
        self._stats = Stats()
        self._rescue = RescueRule()
        self._flush = FlushRule()
        self._flushed_to = self._closed_to = 0
        self._replaced_at = -math.inf
        self._doubt = (0, "", False)
        """Up to where the audio held may belong to the turn told last, its text, and whether it may be all of it."""
        self._ending = self._drained = self._owes_voice = False
        self._ends_in_doubt = 0
        self._taken: Config | None = None
        self._events: list[ClientEvent] = []
        self._times = SpeechTimes(self._feed.activity)
        self._live: list[tuple[bytes, float]] = []
        self._live_left = 0
        self.tries_again: bool = False
        """The last socket ended for something that the next one does without: the speed of a backlog, or options."""
        self.request_id: str = ""
        """The vendor's name for the present socket, or the last."""

    # What the shell asks.

    @property
    def options(self) -> Options:
        """What the next socket is opened with."""
        return self._options

    @property
    def turn(self) -> Turn:
        """The current turn; for reading."""
        return self._turn

    @property
    def hang_up(self) -> HangUp | None:
        """Why the present socket has to go, if it has to."""
        return self._link.hang_up if self._link else None

    @property
    def failure(self) -> ErrorMessage | None:
        """The error by which the present socket is over, if it is."""
        return self._link.failure if self._link else None

    @property
    def last_error(self) -> ErrorMessage | None:
        """What the server said was wrong, if the present socket ends now."""
        return self._link.last_error if self._link else None

    @property
    def is_connected(self) -> bool:
        """A socket is open and the server said so."""
        return self._link is not None and self._link.is_connected

    @property
    def is_idle(self) -> bool:
        """No turn is open and no speech waits for one."""
        self._book_live()
        return not self._turn.is_open and not self._buffer.has_voice

    @property
    def may_send(self) -> bool:
        """Whether `outgoing` may have something to say before `send_at`: audio, changed settings, the end."""
        if self._link is None:
            return False
        return self._buffer.has_backlog or self._ending or not self._link.configs.is_settled(self._options)

    @property
    def wants_link(self) -> bool:
        """A socket is needed: at the start, and whenever something waits for one."""
        if self._drained:
            return False
        return self._has_news() or (not self._stats.connections and not self._ending)

    @property
    def finished(self) -> bool:
        """The input has ended and all that could come of it has come."""
        return self._drained or (self._ending and self._link is None and not self._has_news())

    @property
    def stats(self) -> Stats:
        """A snapshot of the counters."""
        self._book_live()
        return self._feed.count(self._stats)

    def take_events(self) -> list[ClientEvent]:
        """What happened since the last call, in order. To be asked for after each call that takes the time."""
        events, self._events = self._events, []
        return events

    # Input.

    def push_audio(self, pcm: bytes, now: float) -> None:
        """The user's audio: signed 16-bit little-endian mono PCM at the rate of the options, of any length."""
        self._close_live()
        if self._feed.push(pcm, now):
            self._events.append(Notice.AUDIO_LOST)

    def push_live(self, pcm: bytes, now: float) -> bool:
        """The user's audio, as `push_audio`, which the shell sends at once where this returns True.

        That is where nothing waits and no decision is due. False means that nothing was taken. Live audio is booked a
        few pieces at a time, and whatever else is asked of this client books it first: a piece costs next to nothing.
        """
        if len(pcm) > self._live_left or (self._live and len(pcm) != len(self._live[0][0])):
            return False
        self._live_left -= len(pcm)
        self._live.append((pcm, now))
        return True

    def end_input(self) -> None:
        """No more audio comes."""
        self._close_live()
        self._ending = True

    def flush(self, now: float) -> None:
        """The user is done for now: what was said is to be final at once, within FLUSH_S at most."""
        self._close_live()
        is_waiting = self._turn.is_open or self._flush.is_waiting
        if not is_waiting and self._buffer.sound_end <= max(self._flushed_to, self._buffer.begins):
            self._events.append(Flushed())
            return
        self._flushed_to = self._buffer.ends
        if not self._flush.is_waiting:
            # Sent ahead of its time: the watchdog has nothing to add until then.
            silence_s = self._feed.push_silence(FLUSH_SILENCE_S, for_good=True)
            self._watchdog.silence_sent(silence_s, now + FLUSH_SILENCE_S)
        self._flush.begin(now)

    def update(self, options: Options) -> None:
        """Other options: what a config can change goes out at once, the rest with a new socket, taken between turns."""
        self._close_live()
        self._options = options
        self._rotate_if_stale()

    # The socket.

    def link_opened(self, options: Options, now: float) -> None:
        """A socket is open that was asked for with these options, which may have changed since."""
        speed = self._pace.speed(self._limits.catch_up_speed, now)
        self._link = Link(options, self._limits.connect_timeout_s, now, speed=speed)
        self.tries_again = False
        self._owes_voice = False
        self._stall.heard(now)
        self._deaf.heard()
        self._rescue.linked(now)
        # While there was no socket, more of the turn's audio may have gone.
        self._turn.lost(self._feed.text_gone())
        self._count(connections=1)
        self._rotate_if_stale()

    def link_lost(self, now: float, *, clean: bool = False, leaving: bool = False, abrupt: bool = False) -> None:
        """The socket is gone.

        Args:
            now: the present.
            clean: the server closed it in the ordinary way.
            leaving: it said that it goes away, which is no answer to a request to finish.
            abrupt: it was lost without a word from the server.
        """
        self._close_live()
        link, self._link = self._link, None
        if link and link.close_sent and self._drains(link, clean=clean and not leaving):
            self._drained = True
            self.close_turn(now)
            return
        self._count_loss(link, clean=clean)
        if link:
            self._find_reason(link, now, clean=clean, abrupt=abrupt)
        if self._turn.is_open and self._turn.state is not State.RESUMING:
            self._rescue.lost(now)
        self._turn.lost(self._feed.text_gone())
        doubt_to, told, is_whole = self._doubt
        self._turn.expect_echo(told if self._buffer.begins < doubt_to else "", is_whole=is_whole)
        if self._feed.rewind():
            self._events.append(Notice.AUDIO_LOST)
        # With no more audio to come, nothing but digital silence is sure to hold no word.
        self._owes_voice = self._buffer.has_sound if self._ending else self._buffer.has_voice

    def attempt_failed(self, error: ErrorMessage | None = None) -> None:
        """A socket could not be opened; `error` is what the server said, if it said anything."""
        self._count(failed_attempts=1)
        self._do_without(refused(settings_of(self._options), self._taken, error))

    def receive(self, message: ServerMessage, now: float) -> None:
        """A message from the server."""
        self._book_live()
        if self._link is None or isinstance(message, Unknown):
            return
        if isinstance(message, ErrorMessage):
            self._link.failed(message, now)
            return
        was_in_turn = self._link.in_turn
        self._link.heard(message, now)
        if self._link.in_turn != was_in_turn:
            self._close_live()
        if self._link.in_turn and not was_in_turn:
            self._feed.turn_started(self._link.receipts, now, finishing=self._link.close_sent)
            self._stall.heard(now)
        self._feed.flows()
        self.request_id = message.request_id or self.request_id
        if not isinstance(message, Connected):
            self._receive_turn(message, now)

    def pong(self, payload: bytes, now: float) -> None:
        """The answer to a ping: while no turn is open, what was sent before that ping need not be kept for long."""
        self._book_live()
        if self._link is None:
            return
        ping_at = self._link.pong(payload, now)
        self._stats = replace(self._stats, rtt_s=self._link.liveness.rtt_s)
        is_between_turns = self._link.is_connected and not (self._turn.is_open or self._link.in_turn)
        received = self._link.receipts.received
        # A server that does not hear has received it all the same: that is for the next one.
        is_given_up = self._link.hang_up or self._deaf.is_proven
        if ping_at is None or received is None or not is_between_turns or is_given_up:
            return
        unheard_since = ping_at - SERVER_LAG_S - UNHEARD_S
        self._feed.forget_idle(received, unheard_since, is_in_doubt=self._deaf.is_in_doubt)
        self._forget_closed()

    @property
    def send_at(self) -> float:
        """When to ask `outgoing` again although nothing else happened."""
        return self._link.send_at(self._buffer) if self._link else math.inf

    def outgoing(self, now: float) -> Outgoing | None:
        """What to send next, if anything may be sent now."""
        self._book_live()
        return self._link.outgoing(self._buffer, self._options, now, ending=self._ending) if self._link else None

    def sent(self, item: Outgoing, now: float) -> None:
        """What `outgoing` returned is with the socket."""
        self._close_live()
        if self._link is None:
            return
        if not isinstance(item, Chunk):
            self._link.sent(item, self._buffer, now)
            return
        self._audio_sent(item, now)
        self._link.sent(item, self._buffer, now)
        if len(item.pcm) <= self._feed.longest_live:
            self._open_live(now)

    # Time.

    @property
    def deadline(self) -> float:
        """When to call `tick`, unless something else happens before."""
        self._book_live()
        times = [
            self._link.deadline if self._link else math.inf,
            self._feed.usage_at,
            self._rescue.deadline if self._turn.state is State.RESUMING else math.inf,
            self._flush.deadline,
            self._stalled_at(),
            self._deaf.deadline,
            self._silence_at(),
        ]
        return min(times)

    def tick(self, now: float) -> None:
        """Does what is due."""
        self._close_live()
        if now >= self._feed.usage_at:
            self.report_usage(now)
        rejected = self._link.check(now) if self._link else None
        if rejected is not None:
            self._keep_what_is_in_force(rejected)
        elif now >= self._stalled_at():
            self._leave_stalled(now)
        elif now >= self._deaf.deadline:
            self._count(stalls=1)
            self._events.append(Notice.STALLED)
            self._replace(now)
        elif self._turn.state is State.RESUMING and now >= self._rescue.deadline:
            self._give_up_replay(now)
        elif now >= self._flush.deadline:
            if not self.close_turn(now):
                self._events += self._flush.turn_ended([])
        elif now >= self._silence_at():
            self._feed_silence(now)

    def report_usage(self, now: float) -> None:
        """Tells how much audio was sent since the last report; due every USAGE_EVERY_S and at the end."""
        self._book_live()
        if seconds := self._feed.take_usage(now):
            self._events.append(Usage(seconds))

    def close_turn(self, now: float) -> bool:
        """Ends an open turn with the text so far; returns whether there was one."""
        self._close_live()
        events = self._turn.close()
        if not events:
            return False
        self._count(turns_closed_by_us=1)
        self._closed_to = self._feed.text_end
        self._say(events, now)
        self._turn_ended(events)
        return True

    # Inside.

    def _book_live(self) -> None:
        """Takes into account what went out by `push_live`."""
        if not self._live:
            return
        pieces, self._live = self._live, []
        now = pieces[-1][1]
        chunks = self._feed.push_sent(pieces)
        self._note_sent(chunks, now)
        self._watchdog.audio_sent(self._feed.pushed_s, now)
        if self._link:
            self._link.live_sent(chunks, now)

    def _close_live(self) -> None:
        """Takes it into account, and has the next piece take the long way: something has changed."""
        self._book_live()
        self._live_left = 0

    def _open_live(self, now: float) -> None:
        """Lets pieces of live audio out by `push_live`, as many as need no decision."""
        if self._link is None or self._buffer.has_backlog or self._ending or self._flush.is_waiting:
            return
        self._live_left = round(self._link.live_s(self._options, now) * self._options.sample_rate) * 2

    def _drains(self, link: Link, *, clean: bool) -> bool:
        """Whether nothing more comes after the end of a socket that was asked to finish."""
        in_turn = self._turn.is_open
        all_told = link.has_finished or not self._buffer.has_voice
        if link.hang_up is HangUp.DRAINED or (clean and not in_turn and all_told):
            return True
        if in_turn and not clean:
            return False
        # A clean close in mid-turn, or with nothing told of what was heard, may be somebody else's (a server that
        # restarts), and a socket lost while no turn is open the server's way to close: what is left is tried again,
        # though not for ever.
        self._ends_in_doubt += 1
        return self._ends_in_doubt > (1 if clean else MOST_LOST_ENDS)

    def _has_news(self) -> bool:
        return self._buffer.has_unsent or self._owes_voice or self._turn.is_open

    def _count(self, **changes: float) -> None:
        self._stats = replace(self._stats, **{name: getattr(self._stats, name) + by for name, by in changes.items()})

    def _say(self, events: Sequence[TurnEvent], now: float) -> None:
        """Passes on steps of a turn, with all that a reader needs."""
        for event in events:
            at, usage_s = None, 0.0
            if event.kind is Kind.START:
                at = self._times.turn_started(now)
            else:
                self._times.turn_went_on(event.transcript, now)
            if event.kind is Kind.END:
                at, usage_s = self._times.turn_ended(now), self._feed.take_usage(now)
            self._events.append(replace(event, request_id=self.request_id, at=at, usage_s=usage_s))

    def _find_reason(self, link: Link, now: float, *, clean: bool, abrupt: bool) -> None:
        """Takes note of what the next socket has to do without."""
        if not link.is_connected:
            self._do_without(refused(link.configs.in_force, self._taken, link.last_error))
            return
        self._taken = link.configs.in_force
        if clean and link.close_sent:
            # It was asked for.
            self.tries_again = False
        else:
            self._go_slower(link, now, abrupt=abrupt)

    def _do_without(self, rejected: Rejected | None) -> None:
        self.tries_again = rejected is not None
        if rejected:
            self._keep_what_is_in_force(rejected)

    def _go_slower(self, link: Link, now: float, *, abrupt: bool) -> None:
        """Takes note of it if the server may have ended a socket since audio came too fast."""
        error = link.last_error
        is_other = error is not None and error.status_code in REFUSALS
        if link.hang_up or is_other or not link.pacer.is_blamed(now):
            return
        self.tries_again = self._pace.was_too_fast(link.pacer.speed, now, for_certain=not abrupt)
        if self.tries_again:
            self._events.append(Notice.SLOWER)

    def _count_loss(self, link: Link | None, *, clean: bool) -> None:
        if link and link.hang_up is HangUp.DEAD:
            self._count(dead_peers=1)
        elif link and link.hang_up is None:
            is_idle_close = clean and link.is_connected and not self._turn.is_open
            self._count(**{"idle_closes" if is_idle_close else "drops": 1})

    def _receive_turn(self, message: TurnMessage, now: float) -> None:
        events = self._turn.receive(message)
        self._deaf.heard(settles=self._turn.is_open or isinstance(message, TurnEnd))
        if events:
            self._say(events, now)
        if self._turn.text:
            # Without words a turn is not kept open by messages that have none either.
            self._stall.heard(now)
        if started := sum(event.kind is Kind.START for event in events):
            self._count(turns=started)
            self._watchdog.turn_opened(now)
        if isinstance(message, TurnEnd):
            ended = next((event for event in events if event.kind is Kind.END), None)
            self._settle(now, ended.transcript if ended else message.transcript, is_news=ended is not None)
            if not self._turn.is_open:
                self._turn_ended(events)
        else:
            self._feed.text_known(self._turn.length)

    def _settle(self, now: float, told: str, *, is_news: bool) -> None:
        """The server ended a turn, which is told with this text or was before: its words and audio are done with."""
        if self._link is None:
            return
        doubt_to = self._feed.settle(self._link.receipts, now, finishing=self._link.close_sent)
        if is_news or self._buffer.begins >= self._doubt[0]:
            # An echo does not take the place of the turn that it is of: it may be heard once more.
            # As the server finishes, a turn is cut in the midst of a word, which may sound whole.
            is_whole = self._link.close_sent or self._buffer.begins <= self._feed.settling.onset
            self._doubt = (doubt_to or 0, told, is_whole)
        self._forget_closed()

    def _forget_closed(self) -> None:
        """Once the audio is gone of a turn that was closed by us, no replay can bring its words again."""
        if self._buffer.begins >= self._closed_to:
            self._turn.forget(self._turn.length)

    def _turn_ended(self, events: Sequence[TurnEvent]) -> None:
        self._rotate_if_stale()
        self._events += self._flush.turn_ended(events)

    def _audio_sent(self, chunk: Chunk, now: float) -> None:
        self._feed.sent(chunk, now)
        self._note_sent([chunk], now)
        if not chunk.injected:
            self._watchdog.audio_sent(self._feed.pushed_s, now)

    def _note_sent(self, chunks: Sequence[Chunk], now: float) -> None:
        limit_s = self._stall_limit_s if self._deaf.is_in_doubt else math.inf
        for chunk in chunks:
            self._stall.audio_sent(chunk.seconds)
            self._deaf.audio_sent(chunk.seconds, now, voiced=chunk.voiced, power=chunk.power, limit_s=limit_s)

    def _rotate_if_stale(self) -> None:
        if self._link is None or self._turn.is_open or self._ending:
            return
        if not self._link.configs.serves(self._options):
            self._link.hang_up = HangUp.ROTATE

    def _keep_what_is_in_force(self, rejected: Rejected) -> None:
        self._count(rejected_configs=1)
        self._options = without(self._options, rejected)
        self._rotate_if_stale()
        self._events.append(rejected)

    def _server_turn_is_open(self) -> bool:
        return self._link is not None and self._link.in_turn and not self._link.hang_up

    def _end_timeout_s(self) -> float:
        """The longest that the server may wait after speech stopped, in seconds."""
        return self._link.configs.end_timeout_s if self._link else math.inf

    def _stalled_at(self) -> float:
        if not self._server_turn_is_open():
            return math.inf
        at = self._stall.stalled_at(self._stall_limit_s)
        # A peer that does not answer pings either is dead rather than stalled, and its turn can go on elsewhere.
        return at if self._answers(at) else math.inf

    @property
    def _stall_limit_s(self) -> float:
        return self._end_timeout_s() + STALLED_AFTER_S

    def _silence_at(self) -> float:
        is_due = self._server_turn_is_open() and not self._buffer.has_backlog and not self._ending
        return self._watchdog.deadline() if is_due else math.inf

    def _feed_silence(self, now: float) -> None:
        if self._answers(now) and self._watchdog.gives_up(self._end_timeout_s()):
            self._count(overdue=1)
            self._events.append(Notice.OVERDUE)
            self._give_up_turn(now)
        elif not self._watchdog.postpone(now):
            if not self._watchdog.silence_s:
                self._events.append(Notice.FEEDING)
            self._watchdog.silence_sent(self._feed.push_silence(self._watchdog.due_s(now)), now)

    def _answers(self, now: float) -> bool:
        return self._link is not None and now <= self._link.liveness.answers_until

    def _give_up_replay(self, now: float) -> None:
        """Closes a turn that has waited for its replay for too long."""
        self._events.append(Notice.NOT_RESUMED if self._link else Notice.NOT_RECONNECTED)
        self.close_turn(now)
        if self._link and self._link.is_connected and self._answers(now) and not self._buffer.has_backlog:
            # The server has had all of it and made nothing of it: what it tells next is new.
            self._feed.forget_idle(self._buffer.sent_to, now - SERVER_LAG_S - UNHEARD_S)
            self._turn.forget(self._turn.length)

    def _leave_stalled(self, now: float) -> None:
        """Closes a turn in which the server says nothing more; where it never had words, that may be right."""
        if self._turn.text:
            self._count(stalls=1)
            self._events.append(Notice.STALLED)
            self._give_up_turn(now)
            return
        if self._link:
            self._link.in_turn = False
            self._deaf.turn_left(max(now, self._replaced_at + REPLACED_EVERY_S))
        self._events.append(Notice.NO_WORDS)
        self.close_turn(now)

    def _give_up_turn(self, now: float) -> None:
        """Closes a turn that the server does not end, and leaves the rest of it behind with the socket."""
        if now >= self._replaced_at + REPLACED_EVERY_S:
            self._replace(now)
        elif self._link:
            self._link.in_turn = False
            self._deaf.turn_left(self._replaced_at + REPLACED_EVERY_S, is_deaf=True)
        self.close_turn(now)

    def _replace(self, now: float) -> None:
        self._replaced_at = now
        self._deaf.heard()
        if self._link:
            self._link.hang_up = HangUp.STALLED
