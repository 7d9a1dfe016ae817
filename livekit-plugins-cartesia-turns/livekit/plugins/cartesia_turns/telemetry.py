"""OpenTelemetry: a span for each connection and each turn, below the session's, and what the instruments record."""

from __future__ import annotations

import time

from livekit.agents.telemetry import tracer
from opentelemetry import metrics, trace

from .core.events import Kind, Notice, TurnEvent
from .core.stats import Stats
from .core.text import has_words
from .instruments import NAMESPACE, Instruments, kind_of
from .version import __version__

instruments = Instruments(metrics.get_meter("livekit.plugins.cartesia_turns", __version__))
"""Those of this process. They belong to the global meter provider, even if that is set later."""


class Telemetry:
    """What one stream tells OpenTelemetry."""

    def __init__(self) -> None:
        self._instruments = instruments
        self._instruments.start()
        self._replayed_s = 0.0
        """How much replayed audio has been recorded."""
        self._stats = self._at_turn_start = Stats()
        self._connection: trace.Span | None = None
        self._turn: trace.Span | None = None

    def counted(self, stats: Stats) -> None:
        """The counters of the stream are `stats`."""
        if stats.lost_s > self._stats.lost_s:
            self._instruments.lost_audio.add(stats.lost_s - self._stats.lost_s)
        self._stats = stats

    def connected(self, request_id: str, connect_s: float, *, reused: bool, is_first: bool) -> None:
        """A socket is open, `connect_s` seconds after it was asked for; `reused` means that it was prewarmed."""
        if not is_first:
            self._instruments.reconnects.add(1)
        self._connection = tracer.start_span(
            f"{NAMESPACE}.connection", start_time=_nanoseconds(time.time() - connect_s)
        )
        self._connection.set_attributes(
            {
                f"{NAMESPACE}.request_id": request_id,
                f"{NAMESPACE}.connect_s": round(connect_s, 6),
                f"{NAMESPACE}.reused": reused,
            }
        )

    def disconnected(self, reason: str, code: int | None) -> None:
        """The socket has ended."""
        if self._connection is None:
            return
        self._connection.set_attribute(f"{NAMESPACE}.reason", reason)
        if code is not None:
            self._connection.set_attribute(f"{NAMESPACE}.close_code", code)
        self._connection.end()
        self._connection = None

    def turn(self, event: TurnEvent, at: float) -> None:
        """A step of a turn; its speech began or ended at `at`, in seconds of the wall clock."""
        if event.kind is Kind.END:
            self._record(event)
        if event.kind is Kind.START:
            self._at_turn_start = self._stats
            self._turn = tracer.start_span(f"{NAMESPACE}.turn", start_time=_nanoseconds(at))
            self._turn.set_attribute(f"{NAMESPACE}.start_delay_s", round(time.time() - at, 6))
        elif self._turn is None:
            return
        elif event.kind is Kind.END:
            self._end_turn(self._turn, event, at)
        else:
            self._turn.add_event(event.kind.value)

    def notice(self, notice: Notice) -> None:
        """The client gave a notice."""
        self._instruments.notices.add(1, kind_of(notice))
        if self._turn is not None:
            self._turn.add_event(notice.name.lower())

    def closed(self) -> None:
        """The stream is over."""
        self._record_replay()
        self.disconnected("the stream was closed", None)
        if self._turn is not None:
            self._turn.set_attribute(f"{NAMESPACE}.ended_by", "stream closed")
            self._turn.end()
            self._turn = None

    def _record(self, event: TurnEvent) -> None:
        self._record_replay()
        if event.measures is not None and has_words(event.transcript):
            self._instruments.turn_ended(event.measures)

    def _record_replay(self) -> None:
        if self._stats.replayed_s > self._replayed_s:
            self._instruments.replayed_audio.record(self._stats.replayed_s - self._replayed_s)
            self._replayed_s = self._stats.replayed_s

    def _end_turn(self, span: trace.Span, event: TurnEvent, speech_end: float) -> None:
        before, after = self._at_turn_start, self._stats
        span.set_attributes(
            {
                f"{NAMESPACE}.request_id": event.request_id,
                f"{NAMESPACE}.speech_end_time": speech_end,
                f"{NAMESPACE}.reconnects": after.reconnects - before.reconnects,
                f"{NAMESPACE}.silent_s": round(after.silent_s - before.silent_s, 3),
                f"{NAMESPACE}.replayed_s": round(after.replayed_s - before.replayed_s, 3),
                "lk.pii.transcript": event.transcript,
            }
        )
        if event.measures is not None:
            span.set_attribute(f"{NAMESPACE}.ended_by", event.measures.ended_by.value)
            if event.measures.end_delay_s is not None:
                span.set_attribute(f"{NAMESPACE}.end_delay_s", round(event.measures.end_delay_s, 6))
        if event.turn_id:
            span.set_attribute(f"{NAMESPACE}.turn_id", event.turn_id)
        if event.languages:
            span.set_attribute(f"{NAMESPACE}.languages", [each.language for each in event.languages])
        span.end()
        self._turn = None


def _nanoseconds(at: float) -> int:
    return round(at * 1e9)
