"""A client that notes each call of its shell, so that a replay can make the same calls again.

Otherwise it does what TurnsClient does.
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.chunk import Chunk
from ..core.client import TurnsClient
from ..core.events import ClientEvent, TurnEvent
from ..core.link import Outgoing, Ping
from ..core.pacing import Pace
from ..core.requests import Limits
from ..wire.messages import ErrorMessage, ServerMessage, TurnUpdate
from ..wire.options import Options
from .journal import Journal
from .schema import (
    ANSWERED,
    ASKED,
    BOOKED,
    CAME,
    LIVE,
    OFFERED,
    PINGED,
    PUSHED,
    SENT,
    SILENCE,
    TICKED,
    TOLD,
    UPDATED,
    error_to,
    item_to,
    number_to,
    options_to,
)
from .steps import says_only

COUNTED_EVERY_S = 10.0
"""The counters are noted with the first events after this time, in seconds."""


class RecordedClient(TurnsClient):
    """The state of a stream that is recorded.

    Args:
        options: as TurnsClient.
        limits: as TurnsClient.
        now: as TurnsClient.
        pace: as TurnsClient.
        journal: takes the notes.
        clock: returns the monotonic time, for the calls that have no `now`.
    """

    def __init__(
        self, options: Options, limits: Limits, now: float, pace: Pace, *, journal: Journal, clock: Callable[[], float]
    ) -> None:
        super().__init__(options, limits, now, pace)
        self._journal = journal
        self._clock = clock
        self._known_pace = pace
        self._noted_events: tuple[list[ClientEvent], int] = self._events, 0
        """Events that wait to be taken, and how many of them are noted already."""
        self._noted_live = 0
        """How many pieces of live audio that are not booked yet are noted already."""
        self._counted_at = now
        self._text: TurnEvent | None = None
        """The event of the last text, if it is noted as CAME."""

    # Each call is noted before it is made, so that a recording has the one that fails. The calls that come with frames
    # and texts name the class above, since `super()` takes as long as a note.

    def push_audio(self, pcm: bytes, now: float) -> None:
        """As TurnsClient."""
        self._note_live()
        self._journal.columns.pcm.append(pcm)
        self._step(PUSHED, now)
        self._journal.audio_noted(len(pcm))
        TurnsClient.push_audio(self, pcm, now)
        self._note_events(now)

    def outgoing(self, now: float) -> Outgoing | None:
        """As TurnsClient."""
        # If nothing waits to be sent, the question changes nothing.
        matters = not self.live.is_open and self.sockets.may_send
        item = TurnsClient.outgoing(self, now)
        if isinstance(item, Ping):
            self._step(PINGED, now)
        elif isinstance(item, Chunk):
            self._journal.columns.sent.extend((item.start, len(item.pcm)))
            self._step(SILENCE if item.injected else OFFERED, now)
        elif item is not None:
            self._note("outgoing", now, item=item_to(item))
        elif matters:
            self._step(ASKED, now)
        return item

    def sent(self, item: Outgoing, now: float) -> None:
        """As TurnsClient."""
        self._step(SENT, now)
        TurnsClient.sent(self, item, now)

    def pong(self, payload: bytes, now: float) -> None:
        """As TurnsClient."""
        self._journal.columns.pongs.append(payload)
        self._step(ANSWERED, now)
        TurnsClient.pong(self, payload, now)

    def tick(self, now: float) -> None:
        """As TurnsClient."""
        self._step(TICKED, now)
        TurnsClient.tick(self, now)
        self._note_events(now)

    def live_sent(self, now: float) -> None:
        """As TurnsClient."""
        self._step(BOOKED, now)
        TurnsClient.live_sent(self, now)

    def book_live(self) -> None:
        """As TurnsClient. It is not noted, since a replay books this audio in the same call."""
        if pcm := self.live.pieces.pcm:
            self._note_live()
            self._noted_live = 0
            self._journal.audio_noted(len(pcm) * len(pcm[0]))
            TurnsClient.book_live(self)

    def receive(self, message: ServerMessage, now: float) -> None:
        """As TurnsClient."""
        update = message if isinstance(message, TurnUpdate) and not message.languages else None
        if update is None:
            self._note_live()
            self._journal.note(now, message)
        else:
            self._text = None
            self._journal.columns.updates.extend((update.request_id, update.turn_id, update.transcript))
            self._step(UPDATED, now)
        TurnsClient.receive(self, message, now)
        self._note_events(now, update)

    def note_told(self, request_id: str, text: str, language: str, now: float) -> bool:
        """Notes an interim transcript that the framework got, if it is that of the last text; returns whether it is."""
        last = self._text
        if last is None or text != last.transcript or request_id != last.request_id:
            return False
        columns = self._journal.columns
        columns.languages.append(language)
        columns.times.append(now)
        columns.letters.append(TOLD)
        return True

    def _step(self, letter: str, now: float) -> None:
        """Notes one of STEPS. What else belongs to it is in the columns already; its audio behind live audio."""
        self._note_live()
        columns = self._journal.columns
        columns.times.append(now)
        columns.letters.append(letter)

    def _note_live(self) -> None:
        """Notes the live audio that was taken and is not noted yet."""
        pcm, times = self.live.pieces
        if (count := len(pcm)) > (noted := self._noted_live):
            columns = self._journal.columns
            columns.pcm.extend(pcm[noted:])
            columns.times.extend(times[noted:])
            columns.letters.append(LIVE * (count - noted))
            self._noted_live = count

    def report_usage(self, now: float) -> None:
        """As TurnsClient."""
        self._note("report_usage", now)
        super().report_usage(now)
        self._note_events(now)

    def end_input(self) -> None:
        """As TurnsClient."""
        self._note("end_input", self._clock())
        super().end_input()

    def flush(self, now: float) -> None:
        """As TurnsClient."""
        self._note("flush", now)
        super().flush(now)
        self._note_events(now)

    def update(self, options: Options) -> None:
        """As TurnsClient."""
        self._note("update", self._clock(), options=options_to(options))
        super().update(options)

    def link_opened(self, options: Options, now: float) -> None:
        """As TurnsClient."""
        self._note("link_opened", now, options=options_to(options), pace=self._pace_known())
        super().link_opened(options, now)

    def link_lost(self, now: float, *, clean: bool = False, leaving: bool = False, abrupt: bool = False) -> None:
        """As TurnsClient."""
        how = {"clean": clean, "leaving": leaving, "abrupt": abrupt, "pace": self._pace_known()}
        self._note("link_lost", now, **how, hang_up=hang_up.name.lower() if (hang_up := self.sockets.hang_up) else None)
        super().link_lost(now, clean=clean, leaving=leaving, abrupt=abrupt)
        self._note_events(now)

    def attempt_failed(self, error: ErrorMessage | None = None, asked: Options | None = None) -> None:
        """As TurnsClient."""
        now = self._clock()
        options = asked or self.sockets.options
        self._note("attempt_failed", now, error=error_to(error), options=options_to(options))
        super().attempt_failed(error, asked)
        self._note_events(now)

    def close_turn(self, now: float) -> None:
        """As TurnsClient."""
        self._note("close_turn", now)
        super().close_turn(now)
        self._note_events(now)

    def _note(self, method: str, now: float, **arguments: object) -> None:
        """Notes a call."""
        self._note_live()
        self._journal.note(now, {"call": method, **arguments})

    def _note_events(self, now: float, update: TurnUpdate | None = None) -> None:
        """Notes the events since the last time, of a message `update` if that is noted as UPDATED."""
        events = self._events
        known, noted = self._noted_events
        new = events[noted:] if events is known else events[:]
        if not new:
            return
        self._noted_events = events, len(events)
        if update is not None and len(new) == 1 and says_only(new[0], update):
            self._step(CAME, now)
            self._text = new[0]
            return
        self._journal.note(now, new)
        if now - self._counted_at >= COUNTED_EVERY_S:
            self._counted_at = now
            self._journal.note(now, self.stats)

    def _pace_known(self) -> list[float | str | None]:
        limit, until = self._known_pace.known
        return [number_to(limit), number_to(until)]
