"""A client that notes each call of its shell, so that a replay can make the same calls again.

Otherwise it does what TurnsClient does.
"""

from __future__ import annotations

from ..core.chunk import Chunk
from ..core.client import TurnsClient
from ..core.link import Outgoing, Ping
from ..wire.messages import ErrorMessage, ServerMessage
from ..wire.options import Options
from .letters import ANSWERED, ASKED, BOOKED, OFFERED, PING_SENT, PUSHED, SENT, SILENCE, TICKED
from .noting import NotingClient
from .schema import error_to, item_to, number_to, options_to


class RecordedClient(NotingClient):
    """The state of a stream that is recorded. The arguments are those of NotingClient."""

    # A recording has the call that fails, too: each is noted before it is made, or whatever comes of it. The calls that
    # come with frames and texts name the class TurnsClient, since `super()` takes as long as a note.

    def push_audio(self, pcm: bytes, now: float) -> None:
        """As TurnsClient."""
        self._catch_up()
        self._note_size(len(pcm))
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
            self._catch_up()
            self.late.append(now)
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
        # Nearly all pings go out at once.
        if self.late and self.late[-1] == now and len(self.live.pieces.pcm) == self._noted_live:
            self.late.pop()
            self._write(PING_SENT, now)
        else:
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
            self._catch_up()
            self._noted_live = 0
            self._journal.audio_noted(len(pcm) * len(pcm[0]))
            TurnsClient.book_live(self)

    def receive(self, message: ServerMessage, now: float) -> None:
        """As TurnsClient. It is noted after the shell has passed its events on, so that they come no later."""
        if self.late:
            self._note_late()
        try:
            TurnsClient.receive(self, message, now)
        finally:
            self.late.append((message, now, len(self.live.pieces.pcm), self._new_events()))

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

    def _pace_known(self) -> list[float | str | None]:
        limit, until = self._known_pace.known
        return [number_to(limit), number_to(until)]
