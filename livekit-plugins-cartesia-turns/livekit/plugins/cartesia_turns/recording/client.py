"""A client that notes each call of its shell, so that a replay can make the same calls again.

Otherwise it does what TurnsClient does.
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.chunk import Chunk
from ..core.client import TurnsClient
from ..core.events import ClientEvent, Kind, TurnEvent, Usage
from ..core.limits import Limits
from ..core.link import Outgoing, Ping
from ..core.pacing import Pace
from ..wire.messages import ErrorMessage, ServerMessage
from ..wire.options import Options
from .journal import Journal
from .schema import (
    ANSWERED,
    ASKED,
    BOOKED,
    LIVE,
    OFFERED,
    PINGED,
    PUSHED,
    SENT,
    TICKED,
    Fields,
    error_to,
    item_to,
    number_to,
    options_to,
    stats_to,
)

LONGEST_NUMBER = 16
"""A pong with more digits answers none of our pings."""


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
        self._noted = 0
        """How many of the events that wait to be taken are noted already."""
        self._noted_live = 0
        """How many pieces of live audio that are not booked yet are noted already."""
        self._live_steps, self._live_count = "", 0
        """The letters of the steps with the first pieces that are not noted yet, and how many pieces those and the
        noted ones are."""
        self._offered_at: float | None = None
        """When `outgoing` returned a ping that is neither confirmed nor noted yet."""

    def take_events(self) -> list[ClientEvent]:
        """As TurnsClient."""
        self._noted = 0
        return super().take_events()

    # These calls come with each frame, so they do no more than they must.

    def push_audio(self, pcm: bytes, now: float) -> None:
        """As TurnsClient."""
        self._note_waiting()
        super().push_audio(pcm, now)
        self._journal.push(PUSHED, [pcm], [now])
        self._note_events(now)

    def outgoing(self, now: float) -> Outgoing | None:
        """As TurnsClient."""
        # If nothing waits to be sent, the question changes nothing, and a ping changes nothing until it is sent.
        matters = not self.live.is_open and self.sockets.may_send
        item = super().outgoing(now)
        if item is None:
            if matters:
                self._journal.add((ASKED, now, None))
        elif isinstance(item, Chunk):
            self._journal.add((OFFERED, now, (item.start, len(item.pcm), item.injected)))
        elif isinstance(item, Ping):
            self._offered_at = now
        else:
            self._note("outgoing", now, lambda: {"item": item_to(item)})
        return item

    def sent(self, item: Outgoing, now: float) -> None:
        """As TurnsClient."""
        if isinstance(item, Ping):
            if not self._follows_live(now):
                # If anything else was noted since the ping was offered, so was the ping.
                steps = SENT if self._offered_at is None else PINGED + SENT
                self._note_live()
                self._journal.add((steps, now, None))
            self._offered_at = None
            super().sent(item, now)
            return
        super().sent(item, now)
        if isinstance(item, Chunk):
            self._journal.add((SENT, now, None))
        else:
            self._note("sent", now, dict)

    def pong(self, payload: bytes, now: float) -> None:
        """As TurnsClient."""
        self._note_waiting()
        if payload == b"0" or (payload.isdigit() and payload[:1] != b"0" and len(payload) < LONGEST_NUMBER):
            self._journal.add((ANSWERED, now, int(payload)))
        else:
            self._note("pong", now, lambda: {"payload": payload.decode("latin-1")})
        super().pong(payload, now)

    def tick(self, now: float) -> None:
        """As TurnsClient."""
        self._note_waiting()
        super().tick(now)
        self._journal.add((TICKED, now, None))
        self._note_events(now)

    def live_sent(self, now: float) -> None:
        """As TurnsClient."""
        self._note_live()
        self._journal.add((BOOKED, now, None))
        super().live_sent(now)

    def book_live(self) -> None:
        """As TurnsClient. It is not noted, since a replay books this audio in the same call."""
        if self.live.samples:
            self._note_live()
            self._noted_live = self._live_count = 0
            super().book_live()

    def _follows_live(self, now: float) -> bool:
        """Whether a ping went out right behind a piece of live audio. It is noted with that audio then."""
        times, count = self.live.pieces.times, self._live_count
        if len(times) == count or now != times[-1]:
            return False
        self._live_count = len(times)
        self._live_steps += LIVE * (len(times) - count) + PINGED + SENT
        return True

    def _note_live(self) -> None:
        """Notes the live audio that was taken and is not noted yet, with the pings in it."""
        noted = self._noted_live
        if pcm := self.live.pieces.pcm[noted:]:
            count = noted + len(pcm)
            letters = self._live_steps + LIVE * (count - self._live_count)
            self._journal.push(letters, pcm, self.live.pieces.times[noted:])
            self._live_steps, self._live_count, self._noted_live = "", count, count

    def _note_waiting(self) -> None:
        """Notes what came before this call and is not noted yet: live audio, or a ping that is on its way."""
        self._note_live()
        if self._offered_at is not None:
            self._journal.add((PINGED, self._offered_at, None))
            self._offered_at = None

    # The others.

    def report_usage(self, now: float) -> None:
        """As TurnsClient."""
        self._note("report_usage", now, dict)
        super().report_usage(now)
        self._note_events(now)

    def end_input(self) -> None:
        """As TurnsClient."""
        self._note("end_input", self._clock(), dict)
        super().end_input()

    def flush(self, now: float) -> None:
        """As TurnsClient."""
        self._note("flush", now, dict)
        super().flush(now)
        self._note_events(now)

    def update(self, options: Options) -> None:
        """As TurnsClient."""
        self._note("update", self._clock(), lambda: {"options": options_to(options)})
        super().update(options)

    def link_opened(self, options: Options, now: float) -> None:
        """As TurnsClient."""
        pace = self._pace_known()
        self._note("link_opened", now, lambda: {"options": options_to(options), "pace": pace})
        super().link_opened(options, now)

    def link_lost(self, now: float, *, clean: bool = False, leaving: bool = False, abrupt: bool = False) -> None:
        """As TurnsClient."""
        how: Fields = {"clean": clean, "leaving": leaving, "abrupt": abrupt, "pace": self._pace_known()}
        how["hang_up"] = hang_up.name.lower() if (hang_up := self.sockets.hang_up) else None
        self._note("link_lost", now, lambda: how)
        super().link_lost(now, clean=clean, leaving=leaving, abrupt=abrupt)
        self._note_events(now)

    def attempt_failed(self, error: ErrorMessage | None = None, asked: Options | None = None) -> None:
        """As TurnsClient."""
        now = self._clock()
        options = asked or self.sockets.options
        self._note("attempt_failed", now, lambda: {"error": error_to(error), "options": options_to(options)})
        super().attempt_failed(error, asked)
        self._note_events(now)

    def receive(self, message: ServerMessage, now: float) -> None:
        """As TurnsClient."""
        self._note_waiting()
        self._journal.note(now, message)
        super().receive(message, now)
        self._note_events(now)

    def close_turn(self, now: float) -> None:
        """As TurnsClient."""
        self._note("close_turn", now, dict)
        super().close_turn(now)
        self._note_events(now)

    # Small parts.

    def _note(self, method: str, now: float, arguments: Callable[[], Fields]) -> None:
        """Notes a call. The other thread writes the arguments out later, which is safe as they never change."""
        self._note_waiting()
        self._journal.note(now, lambda: {"call": method, **arguments()})

    def _note_events(self, now: float) -> None:
        """Notes the client's events since the last time, and its counters after usage and ends of turns."""
        if len(self._events) == self._noted:
            return
        events = self._events[self._noted :]
        self._noted = len(self._events)
        self._journal.note(now, events)
        for event in events:
            if isinstance(event, Usage) or (isinstance(event, TurnEvent) and event.kind is Kind.END):
                self._journal.note(now, {"stats": stats_to(self.stats)})
                break

    def _pace_known(self) -> list[float | str | None]:
        limit, until = self._known_pace.known
        return [number_to(limit), number_to(until)]
