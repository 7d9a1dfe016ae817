"""The client's side of the conversation without any I/O: audio and messages in, audio and turn events out.

A shell drives it; the package's docstring states what the shell must do, and each method what follows from it. One
client outlives many sockets. All times are monotonic seconds.
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
from .changes import Rejected
from .chunk import Chunk
from .chunking import LONGEST_CHUNK_S, LONGEST_SLICE_S
from .counters import Counters
from .events import ClientEvent, Flushed, Kind, Notice, TurnEvent, Usage
from .feed import Feed
from .flush import FLUSH_SILENCE_S, FlushRule
from .hangs import Hang, Hangs, answers
from .input_end import InputEnd
from .last_turn import LastTurn
from .link import HangUp, Link, Outgoing
from .live_lane import LiveLane
from .measures import EndedBy
from .next_socket import NextSocket
from .pacing import CATCH_UP_SPEED, Pace
from .stats import Stats
from .telling import Telling
from .transitions import State
from .turn import Turn


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a client; times are in seconds."""

    watchdog_min_timeout_s: float = 0.5
    buffer_s: float = 60.0
    connect_timeout_s: float = 10.0
    catch_up_speed: float = CATCH_UP_SPEED
    """A backlog is sent at most this many times faster than real time."""
    early_preflight: int = 0
    """How many speculative texts a turn may have if whole sentences make them too; with 0 only turn.eager_end does."""


class TurnsClient:
    """All state of a stream.

    Args:
        options: what the first socket is opened with.
        limits: bounds.
        now: the present.
        pace: how fast the server takes a backlog; streams to the same server share it.
    """

    def __init__(self, options: Options, limits: Limits, now: float, pace: Pace | None = None) -> None:
        self._limits = limits
        self._next = NextSocket(options, pace or Pace(), limits.catch_up_speed)
        self._sample_rate = options.sample_rate
        self._longest_live = 2 * round(LONGEST_SLICE_S * options.sample_rate)
        self._link: Link | None = None
        self._turn = Turn(limits.early_preflight)
        self._feed = Feed(options.sample_rate, limits.buffer_s, now)
        self._buffer = self._feed.buffer
        self._hangs = Hangs(limits.watchdog_min_timeout_s)
        self._watchdog = self._hangs.watchdog
        self._counters = Counters()
        self._flush = FlushRule()
        self._flushed_to = self._closed_to = 0
        self._last = LastTurn()
        self._input = InputEnd()
        self._owes_voice = False
        self._events: list[ClientEvent] = []
        self._telling = Telling(self._feed.activity)
        self._live = LiveLane()
        self.request_id: str = ""
        """The vendor's name for the present socket, or for the last one."""

    # What the shell asks.

    @property
    def options(self) -> Options:
        """What the shell opens the next socket with."""
        return self._next.options

    @property
    def tries_again(self) -> bool:
        """The next socket leaves out what the last one ended for, so the shell may open it without a wait."""
        return self._next.tries_again

    @property
    def turn(self) -> Turn:
        """The current turn. The shell reads it and never changes it."""
        return self._turn

    @property
    def hang_up(self) -> HangUp | None:
        """Why the shell must close the present socket and report `link_lost`; None while it may stay."""
        return self._link.hang_up if self._link else None

    @property
    def failure(self) -> ErrorMessage | None:
        """The server's error that ended the present socket: the shell must close it and report `link_lost`."""
        return self._link.failure if self._link else None

    @property
    def last_error(self) -> ErrorMessage | None:
        """The error to give as the reason if the present socket ends now. To be read before `link_lost`."""
        return self._link.last_error if self._link else None

    @property
    def is_connected(self) -> bool:
        """A socket is open and the server said `connected`."""
        return self._link is not None and self._link.is_connected

    @property
    def is_idle(self) -> bool:
        """No turn is open and no speech waits for one."""
        self.book_live()
        return not self._turn.is_open and not self._buffer.has_voice

    @property
    def may_send(self) -> bool:
        """Whether the shell must call `outgoing` after what it reported: there may be audio, settings or the close."""
        if self._link is None:
            return False
        return self._buffer.has_backlog or self._input.has_come or not self._link.configs.is_settled(self._next.options)

    @property
    def wants_link(self) -> bool:
        """The shell must have a socket open, or open one: at the start, and whenever something waits to be sent."""
        if self._input.is_answered:
            return False
        return self._has_news() or (not self._counters.stats.connections and not self._input.has_come)

    @property
    def finished(self) -> bool:
        """The input has ended and no more events can come of it: the shell closes the socket and stops."""
        return self._input.is_answered or (self._input.has_come and self._link is None and not self._has_news())

    @property
    def stats(self) -> Stats:
        """A snapshot of the counters."""
        return self._feed.count(self._counters.stats, self._live.samples)

    def take_events(self) -> list[ClientEvent]:
        """The events since the last call, in order.

        The shell takes them after each call that reports something, and passes them on. `push_live`, `live_sent`,
        `outgoing`, `sent` and `pong` add none.
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

    def push_live(self, pcm: bytes, now: float) -> bool:
        """Takes the user's audio as `push_audio` does, if it can be sent without a decision.

        It can while nothing waits to be sent and no ping, setting or other decision is due. The client books several
        pieces of live audio at a time, before it is asked anything that depends on them, so that a piece costs next to
        nothing.

        Returns:
            True: the shell must give these bytes to the socket at once, and then call `live_sent` in place of `sent`.
            False: the client took nothing, and the shell calls `push_audio`.
        """
        return self._live.take(pcm, now)

    def live_sent(self, now: float) -> bool:
        """The socket has taken what `push_live` took.

        Returns:
            Whether the client has booked live audio: the shell does as after any other report then.
        """
        if not self._live.is_full:
            return False
        self.book_live()
        self._open_live(now)
        return True

    def book_live(self) -> None:
        """Takes what went out by `push_live` into account. The client does so by itself where it must."""
        if not (pieces := self._live.clear()):
            return
        now = pieces[-1][1]
        stretches = self._feed.push_sent(pieces)
        self._hangs.audio_sent(stretches, now, self._link)
        self._watchdog.audio_sent(self._feed.pushed_s, now)
        if self._link:
            self._link.live_sent(stretches, now)

    def end_input(self) -> None:
        """No more audio comes. `outgoing` then returns the rest of the audio and a `Close`."""
        self._close_live()
        self._input.has_come = True

    def flush(self, now: float) -> None:
        """The user is done for now: the open turn ends at once, after FLUSH_S at most.

        The answer is an END with text, or a `Flushed` where there is none. The silence that makes the server end the
        turn comes out of `outgoing`.
        """
        self._close_live()
        is_waiting = self._turn.is_open or self._flush.is_waiting
        if not is_waiting and self._buffer.sound_end <= max(self._flushed_to, self._buffer.begins):
            self._events.append(Flushed())
            return
        self._flushed_to = self._buffer.ends
        if not self._flush.is_waiting:
            # This silence is sent ahead of its time, so the watchdog need not send more until that time.
            silence_s = self._feed.push_silence(FLUSH_SILENCE_S, for_good=True)
            self._watchdog.silence_sent(silence_s, now + FLUSH_SILENCE_S)
        self._flush.begin(now)

    def update(self, options: Options) -> None:
        """Changes the options.

        What a config can change comes out of `outgoing` at once. Anything else takes a new socket: `hang_up` is set as
        soon as no turn is open.
        """
        self._close_live()
        self._next.options = options
        self._rotate_if_stale()

    # The socket.

    def link_opened(self, options: Options, now: float) -> None:
        """The shell has opened a socket.

        Args:
            options: what it was asked for with. `update` may have changed the client's own since.
            now: the present.
        """
        self._link = Link(options, self._limits.connect_timeout_s, now, speed=self._next.speed(now))
        self._next.tries_again = False
        self._owes_voice = False
        self._hangs.socket_opened(now)
        # While there was no socket, more of the turn's audio may have been dropped.
        self._turn.lost(self._feed.text_gone())
        self._counters.add(connections=1)
        self._rotate_if_stale()

    def link_lost(self, now: float, *, clean: bool = False, leaving: bool = False, abrupt: bool = False) -> None:
        """The socket has ended, whichever side ended it. `wants_link` and `finished` then say what follows.

        Args:
            now: the present.
            clean: the server closed it in the ordinary way.
            leaving: the server closed it since it goes away, which does not answer a request to finish.
            abrupt: it was lost without a close from the server.
        """
        self._close_live()
        link, self._link = self._link, None
        in_turn = self._turn.is_open
        if link:
            has_voice = self._buffer.has_voice
            self._input.socket_ended(link, clean=clean and not leaving, in_turn=in_turn, has_voice=has_voice)
            if self._input.is_answered:
                self.close_turn(now)
                return
            self._counters.socket_lost(link, clean=clean, in_turn=in_turn)
            self._learn_from(link, now, clean=clean, abrupt=abrupt)
        if self._turn.is_open and self._turn.state is not State.RESUMING:
            self._hangs.socket_lost(now)
        self._telling.measuring.lost()
        self._turn.lost(self._feed.text_gone())
        echo, is_whole = self._last.echo(self._buffer.begins)
        self._turn.expect_echo(echo, is_whole=is_whole)
        if self._feed.rewind():
            self._events.append(Notice.AUDIO_LOST)
        # At the end of the input any sound may hold a last word. Only digital silence certainly holds none.
        self._owes_voice = self._buffer.has_sound if self._input.has_come else self._buffer.has_voice

    def attempt_failed(self, error: ErrorMessage | None = None) -> None:
        """The shell could not open a socket; `tries_again` then says whether the next attempt may follow at once.

        Args:
            error: what the server said, if it said anything.
        """
        self._counters.add(failed_attempts=1)
        if (rejected := self._next.refused(error)) is not None:
            self._keep_what_is_in_force(rejected)

    def receive(self, message: ServerMessage, now: float) -> None:
        """Takes a message of the server. If it sets `failure` or `hang_up`, the shell must close the socket."""
        if self._link is None or isinstance(message, Unknown):
            return
        if isinstance(message, ErrorMessage):
            self._link.failed(message, now)
            return
        was_in_turn = self._link.in_turn
        if not (was_in_turn and isinstance(message, TurnUpdate | TurnEagerEnd)):
            # New text in a turn is told before live audio is booked, since it does not depend on that audio.
            self.book_live()
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
        """Takes the answer to a ping: the server has received all audio that was sent before that ping.

        While no turn is open, that audio is forgotten, except the pre-roll and speech that may yet start a turn. The
        shell then looks at `may_send`, since a backlog may have waited for this answer.
        """
        if self._link is None:
            return
        ping_at = self._link.pong(payload, now)
        self._counters.round_trip(self._link.liveness.rtt_s)
        is_between_turns = self._link.is_connected and not (self._turn.is_open or self._link.in_turn)
        received = self._link.receipts.received
        # A deaf server has received the audio too, but the next socket needs it.
        is_given_up = self._link.hang_up or self._hangs.is_deaf
        if ping_at is None or received is None or not is_between_turns or is_given_up:
            return
        self.book_live()
        self._feed.forget_idle(received, ping_at, is_in_doubt=self._hangs.may_be_deaf)
        self._forget_closed()

    @property
    def send_at(self) -> float:
        """When the shell must call `outgoing` again even if nothing else happens; inf where it need not."""
        return self._link.send_at(self._buffer) if self._link else math.inf

    def outgoing(self, now: float) -> Outgoing | None:
        """What the shell must give to the socket now; None where nothing may go out.

        The shell confirms each item with `sent` before it calls this again.
        """
        self.book_live()
        return (
            self._link.outgoing(self._buffer, self._next.options, now, ending=self._input.has_come)
            if self._link
            else None
        )

    def sent(self, item: Outgoing, now: float) -> None:
        """The socket has taken what `outgoing` returned. The shell then calls `outgoing` for the next item."""
        self._close_live()
        if self._link is None:
            return
        if isinstance(item, Chunk):
            self._audio_sent(item, now)
        self._link.sent(item, self._buffer, now, has_words=bool(self._turn.text))
        if not isinstance(item, Chunk) or len(item.pcm) <= self._longest_live:
            self._open_live(now)

    # Time.

    @property
    def deadline(self) -> float:
        """When the shell must call `tick`. Any call to the client may move it."""
        self.book_live()
        return min(
            self._link.deadline if self._link else math.inf,
            self._feed.usage_at,
            self._flush.deadline,
            self._hangs.deadline(self._link, is_resuming=self._is_resuming, waits_for_audio=self._waits_for_audio),
        )

    def tick(self, now: float) -> None:
        """Does what is due by now, such as silence in place of missing audio or the end of a turn that hangs.

        The shell then does as after any other report: events, `hang_up`, `outgoing`, the next `deadline`.
        """
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
        """Adds an event with how much audio was sent since the last report.

        `tick` does so every USAGE_EVERY_S; the shell calls it at the end of the stream.
        """
        self.book_live()
        if seconds := self._feed.take_usage(now):
            self._events.append(Usage(seconds))

    def close_turn(self, now: float) -> bool:
        """Ends an open turn with the text so far, without waiting for the server; returns whether one was open."""
        self._close_live()
        events = self._turn.close()
        if not events:
            return False
        self._counters.add(turns_closed_by_us=1)
        self._closed_to = self._feed.text_end
        self._say(events, now, ended_by=EndedBy.PLUGIN)
        self._turn_ended(events)
        return True

    # Inside.

    def _close_live(self) -> None:
        """Books live audio, and sends the next piece through `push_audio`, since something has changed."""
        self.book_live()
        self._live.open(0)

    def _open_live(self, now: float) -> None:
        """Works out how much audio may go out by `push_live` before the next decision or booking."""
        if self._link is None or self._buffer.has_backlog or self._input.has_come or self._flush.is_waiting:
            self._live.open(0)
        else:
            seconds = min(self._link.live_s(self._next.options, now), LONGEST_CHUNK_S)
            self._live.open(round(seconds * self._sample_rate) * 2)

    def _has_news(self) -> bool:
        return self._buffer.has_unsent or self._owes_voice or self._turn.is_open

    def _say(self, events: Sequence[TurnEvent], now: float, *, ended_by: EndedBy = EndedBy.SERVER) -> None:
        """Adds the steps of a turn to the events, with what belongs to each."""
        if any(event.kind in {Kind.START, Kind.END} for event in events):
            self.book_live()
        for event in events:
            if event.kind is Kind.START:
                told = self._telling.started(event, now)
            elif event.kind is Kind.END:
                told = self._end_of(event, now, ended_by)
            else:
                told = self._telling.went_on(event, now)
            self._events.append(replace(told, request_id=self.request_id))

    def _end_of(self, event: TurnEvent, now: float, ended_by: EndedBy) -> TurnEvent:
        heard_until = self._link.receipts.heard_until(now) if self._link and ended_by is EndedBy.SERVER else math.inf
        return self._telling.ended(
            event,
            now,
            self._what_ended(ended_by),
            usage_s=self._feed.take_usage(now),
            heard_until=heard_until,
            voice_waits=self._buffer.has_unsent_voice,
        )

    def _what_ended(self, ended_by: EndedBy) -> EndedBy:
        """What ended a turn that is told now: `ended_by`, unless somebody asked for the end."""
        if self._flush.is_waiting:
            return EndedBy.FLUSH
        is_finishing = self._input.is_answered or (self._link is not None and self._link.close_sent)
        return EndedBy.END_OF_INPUT if is_finishing else ended_by

    def _learn_from(self, link: Link, now: float, *, clean: bool, abrupt: bool) -> None:
        """Notes what the next socket must leave out: rejected settings, or the speed of the backlog."""
        rejected = self._next.ended(link, now, clean=clean, abrupt=abrupt)
        if rejected is not None:
            self._keep_what_is_in_force(rejected)
        elif self._next.tries_again:
            self._events.append(Notice.SLOWER)

    def _receive_turn(self, message: TurnMessage, now: float) -> None:
        events = self._turn.receive(message)
        settles = self._turn.is_open or isinstance(message, TurnEnd)
        self._hangs.heard(now, has_text=bool(self._turn.text), settles=settles)
        if events:
            self._say(events, now)
        if self._turn.is_open:
            has_news = any(event.kind in {Kind.UPDATE, Kind.EAGER_END} for event in events)
            is_eager = self._turn.state is State.EAGER_ENDED
            self._telling.measuring.heard(message, now, is_eager=is_eager, has_news=has_news)
        if started := sum(event.kind is Kind.START for event in events):
            self._counters.add(turns=started)
            self._watchdog.turn_opened(now)
        if isinstance(message, TurnEnd):
            ended = next((event for event in events if event.kind is Kind.END), None)
            self._settle(now, ended.transcript if ended else message.transcript, is_news=ended is not None)
            if not self._turn.is_open:
                self._turn_ended(events)
        else:
            self._feed.text_known(self._turn.length, self._live.samples)

    def _settle(self, now: float, told: str, *, is_news: bool) -> None:
        """The server ended a turn: its audio is settled and no longer kept for a replay.

        Args:
            now: the present.
            told: the turn's text.
            is_news: this turn.end ended a turn for the consumer. Otherwise it was the echo of a turn told before.
        """
        if self._link is None:
            return
        doubt_to = self._feed.settle(self._link.receipts, now, finishing=self._link.close_sent)
        begins = self._buffer.begins
        if is_news or self._last.is_gone(begins):
            # An echo does not replace the turn that it repeats, since a further replay may bring that turn again.
            # A server that finishes may cut the turn inside a word, so what is left may sound like the whole turn.
            is_whole = self._link.close_sent or self._feed.settling.may_be_whole(begins)
            self._last.told(told, doubt_to, is_whole=is_whole)
        self._forget_closed()

    def _forget_closed(self) -> None:
        """Forgets the words of a turn that the client closed, once its audio is gone: no replay brings them again."""
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
        if self._link is None or self._turn.is_open or self._input.has_come:
            return
        if not self._link.configs.serves(self._next.options):
            self._hang_up(HangUp.ROTATE)

    def _keep_what_is_in_force(self, rejected: Rejected) -> None:
        self._counters.add(rejected_configs=1)
        self._next.drop(rejected)
        self._rotate_if_stale()
        self._events.append(rejected)

    @property
    def _is_resuming(self) -> bool:
        return self._turn.state is State.RESUMING

    @property
    def _waits_for_audio(self) -> bool:
        return not self._buffer.has_backlog and not self._input.has_come

    def _mend(self, hang: Hang, now: float) -> None:
        """Acts on a hang, and adds a notice of it."""
        match hang:
            case Hang.NO_AUDIO:
                self._feed_silence(now)
            case Hang.OVERDUE:
                self._counters.add(overdue=1)
                self._events.append(Notice.OVERDUE)
                self._leave_turn(now)
            case Hang.STALLED if not self._turn.text:
                # A server that never had words may be right about that: the socket stays, and only the turn is closed.
                self._events.append(Notice.NO_WORDS)
                self._leave_turn(now, is_deaf=False)
            case Hang.STALLED:
                self._counters.add(stalls=1)
                self._events.append(Notice.STALLED)
                self._leave_turn(now)
            case Hang.DEAF:
                self._counters.add(stalls=1)
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
        """Closes a turn that the server does not end; `is_deaf` as for `Hangs.turn_left`."""
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
            # The server has received the whole replay and found no turn in it, so whatever it tells next is new.
            self._feed.forget_idle(self._buffer.sent_to, now)
            self._turn.forget(self._turn.length)

    def _hang_up(self, reason: HangUp) -> None:
        if self._link:
            self._link.hang_up = reason
