"""The client's side of the conversation without any I/O: audio and messages in, audio and turn events out.

A shell pumps it: whatever `outgoing` returns is sent and confirmed with `sent`, what comes in goes to `receive` or
`pong`, and `tick` is called at `deadline`. One client outlives many sockets. All times are monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..wire.messages import (
    Connected,
    ErrorMessage,
    ServerMessage,
    TurnEagerEnd,
    TurnEnd,
    TurnMessage,
    TurnUpdate,
    Unknown,
)
from ..wire.options import Options
from .audio_queue import UNHEARD_S, Chunk
from .configs import Rejected
from .events import ClientEvent, Notice, Usage
from .feed import Feed
from .flush import FLUSH_SILENCE_S, Flushed, FlushRule
from .hangs import Hang, Hangs, answers
from .link import HangUp, Link, Outgoing
from .next_socket import NextSocket
from .pacing import CATCH_UP_SPEED, Pace
from .settling import SERVER_LAG_S
from .speech import SpeechTimes
from .stats import Stats
from .turn import Kind, State, Turn, TurnEvent

MOST_LOST_ENDS = 2
"""How often a socket is replaced that is lost after the end of the input, while no turn is open."""


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
        self._limits = limits
        self._next = NextSocket(options, pace or Pace(), limits.catch_up_speed)
        self._sample_rate = options.sample_rate
        self._link: Link | None = None
        self._turn = Turn(limits.early_preflight)
        self._feed = Feed(options.sample_rate, limits.buffer_s, now)
        self._buffer = self._feed.buffer
        self._hangs = Hangs(limits.watchdog_min_timeout_s)
        self._watchdog = self._hangs.watchdog
        self._stats = Stats()
        self._flush = FlushRule()
        self._flushed_to = self._closed_to = 0
        self._doubt = (0, "", False)
        """Up to where the audio held may belong to the turn told last, its text, and whether it may be all of it."""
        self._ending = self._drained = self._owes_voice = False
        self._ends_in_doubt = 0
        self._events: list[ClientEvent] = []
        self._times = SpeechTimes(self._feed.activity)
        self._live: list[tuple[bytes, float]] = []
        self._live_left = 0
        self.request_id: str = ""
        """The vendor's name for the present socket, or the last."""

    # What the shell asks.

    @property
    def options(self) -> Options:
        """What the next socket is opened with."""
        return self._next.options

    @property
    def tries_again(self) -> bool:
        """The last socket ended for something that the next one does without: another attempt may follow at once."""
        return self._next.tries_again

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
        return self._buffer.has_backlog or self._ending or not self._link.configs.is_settled(self._next.options)

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

    def live_sent(self) -> None:
        """What `push_live` took is with the socket: it is booked now if the next piece takes the long way."""
        if self._live and self._live_left < len(self._live[-1][0]):
            self._book_live()

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
        self._next.options = options
        self._rotate_if_stale()

    # The socket.

    def link_opened(self, options: Options, now: float) -> None:
        """A socket is open that was asked for with these options, which may have changed since."""
        self._link = Link(options, self._limits.connect_timeout_s, now, speed=self._next.speed(now))
        self._next.tries_again = False
        self._owes_voice = False
        self._hangs.socket_opened(now)
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
            self._learn_from(link, now, clean=clean, abrupt=abrupt)
        if self._turn.is_open and self._turn.state is not State.RESUMING:
            self._hangs.socket_lost(now)
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
        if (rejected := self._next.refused(error)) is not None:
            self._keep_what_is_in_force(rejected)

    def receive(self, message: ServerMessage, now: float) -> None:
        """A message from the server."""
        if self._link is None or isinstance(message, Unknown):
            return
        if isinstance(message, ErrorMessage):
            self._link.failed(message, now)
            return
        was_in_turn = self._link.in_turn
        if not (was_in_turn and isinstance(message, TurnUpdate | TurnEagerEnd)):
            # New text is told at once: nothing about it depends on the last moments of audio.
            self._book_live()
        self._link.heard(message, now)
        if self._link.in_turn != was_in_turn:
            self._close_live()
        if self._link.in_turn and not was_in_turn:
            self._feed.turn_started(self._link.receipts, now, finishing=self._link.close_sent)
            self._hangs.turn_started(now)
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
        is_given_up = self._link.hang_up or self._hangs.is_deaf
        if ping_at is None or received is None or not is_between_turns or is_given_up:
            return
        unheard_since = ping_at - SERVER_LAG_S - UNHEARD_S
        self._feed.forget_idle(received, unheard_since, is_in_doubt=self._hangs.may_be_deaf)
        self._forget_closed()

    @property
    def send_at(self) -> float:
        """When to ask `outgoing` again although nothing else happened."""
        return self._link.send_at(self._buffer) if self._link else math.inf

    def outgoing(self, now: float) -> Outgoing | None:
        """What to send next, if anything may be sent now."""
        self._book_live()
        return self._link.outgoing(self._buffer, self._next.options, now, ending=self._ending) if self._link else None

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
        return min(
            self._link.deadline if self._link else math.inf,
            self._feed.usage_at,
            self._flush.deadline,
            self._hangs.deadline(self._link, is_resuming=self._is_resuming, waits_for_audio=self._waits_for_audio),
        )

    def tick(self, now: float) -> None:
        """Does what is due."""
        self._close_live()
        if now >= self._feed.usage_at:
            self.report_usage(now)
        rejected = self._link.check(now) if self._link else None
        if rejected is not None:
            self._keep_what_is_in_force(rejected)
            return
        resuming, waits = self._is_resuming, self._waits_for_audio
        hang = self._hangs.due(now, self._link, is_resuming=resuming, waits_for_audio=waits)
        if now >= self._flush.deadline and hang in {None, Hang.NO_AUDIO, Hang.OVERDUE}:
            if not self.close_turn(now):
                self._events += self._flush.turn_ended([])
        elif hang is not None:
            self._mend(hang, now)

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
        self._hangs.audio_sent(chunks, now, self._link)
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
        self._live_left = round(self._link.live_s(self._next.options, now) * self._sample_rate) * 2

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
        if any(event.kind in {Kind.START, Kind.END} for event in events):
            self._book_live()
        for event in events:
            at, usage_s = None, 0.0
            if event.kind is Kind.START:
                at = self._times.turn_started(now)
            else:
                self._times.turn_went_on(event.transcript, now)
            if event.kind is Kind.END:
                at, usage_s = self._times.turn_ended(now), self._feed.take_usage(now)
            self._events.append(replace(event, request_id=self.request_id, at=at, usage_s=usage_s))

    def _learn_from(self, link: Link, now: float, *, clean: bool, abrupt: bool) -> None:
        """Takes note of what the next socket has to do without."""
        rejected = self._next.ended(link, now, clean=clean, abrupt=abrupt)
        if rejected is not None:
            self._keep_what_is_in_force(rejected)
        elif self._next.tries_again:
            self._events.append(Notice.SLOWER)

    def _count_loss(self, link: Link | None, *, clean: bool) -> None:
        if link and link.hang_up is HangUp.DEAD:
            self._count(dead_peers=1)
        elif link and link.hang_up is None:
            is_idle_close = clean and link.is_connected and not self._turn.is_open
            self._count(**{"idle_closes" if is_idle_close else "drops": 1})

    def _receive_turn(self, message: TurnMessage, now: float) -> None:
        events = self._turn.receive(message)
        settles = self._turn.is_open or isinstance(message, TurnEnd)
        self._hangs.heard(now, has_text=bool(self._turn.text), settles=settles)
        if events:
            self._say(events, now)
        if started := sum(event.kind is Kind.START for event in events):
            self._count(turns=started)
            self._watchdog.turn_opened(now)
        if isinstance(message, TurnEnd):
            ended = next((event for event in events if event.kind is Kind.END), None)
            self._settle(now, ended.transcript if ended else message.transcript, is_news=ended is not None)
            if not self._turn.is_open:
                self._turn_ended(events)
        else:
            self._feed.text_known(self._turn.length, sum(len(pcm) for pcm, _ in self._live) // 2)

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
        self._hangs.audio_sent([chunk], now, self._link)
        if not chunk.injected:
            self._watchdog.audio_sent(self._feed.pushed_s, now)

    def _rotate_if_stale(self) -> None:
        if self._link is None or self._turn.is_open or self._ending:
            return
        if not self._link.configs.serves(self._next.options):
            self._hang_up(HangUp.ROTATE)

    def _keep_what_is_in_force(self, rejected: Rejected) -> None:
        self._count(rejected_configs=1)
        self._next.drop(rejected)
        self._rotate_if_stale()
        self._events.append(rejected)

    @property
    def _is_resuming(self) -> bool:
        return self._turn.state is State.RESUMING

    @property
    def _waits_for_audio(self) -> bool:
        return not self._buffer.has_backlog and not self._ending

    def _mend(self, hang: Hang, now: float) -> None:
        """Does what helps against a hang, and says so."""
        match hang:
            case Hang.NO_AUDIO:
                self._feed_silence(now)
            case Hang.OVERDUE:
                self._count(overdue=1)
                self._events.append(Notice.OVERDUE)
                self._leave_turn(now)
            case Hang.STALLED if not self._turn.text:
                # Where the server never had words, that may be right: it stays, and only the turn is closed.
                self._events.append(Notice.NO_WORDS)
                self._leave_turn(now, is_deaf=False)
            case Hang.STALLED:
                self._count(stalls=1)
                self._events.append(Notice.STALLED)
                self._leave_turn(now)
            case Hang.DEAF:
                self._count(stalls=1)
                self._events.append(Notice.STALLED)
                self._hangs.replaced(now)
                self._hang_up(HangUp.STALLED)
            case Hang.NOT_RESUMED:
                self._give_up_replay(now)

    def _feed_silence(self, now: float) -> None:
        if self._watchdog.postpone(now):
            return
        if not self._watchdog.silence_s:
            self._events.append(Notice.FEEDING)
        self._watchdog.silence_sent(self._feed.push_silence(self._watchdog.due_s(now)), now)

    def _leave_turn(self, now: float, *, is_deaf: bool = True) -> None:
        """Closes a turn that the server does not end; `is_deaf` as of `Hangs.turn_left`."""
        if self._hangs.turn_left(now, is_deaf=is_deaf):
            self._hang_up(HangUp.STALLED)
        elif self._link:
            self._link.in_turn = False
        self.close_turn(now)

    def _give_up_replay(self, now: float) -> None:
        """Closes a turn that has waited for its replay for too long."""
        self._events.append(Notice.NOT_RESUMED if self._link else Notice.NOT_RECONNECTED)
        self.close_turn(now)
        if self._link and self._link.is_connected and answers(self._link, now) and not self._buffer.has_backlog:
            # The server has had all of it and made nothing of it: what it tells next is new.
            self._feed.forget_idle(self._buffer.sent_to, now - SERVER_LAG_S - UNHEARD_S)
            self._turn.forget(self._turn.length)

    def _hang_up(self, reason: HangUp) -> None:
        if self._link:
            self._link.hang_up = reason
