"""OpenTelemetry: a span for each connection and each turn, below the session's, and counters of what went wrong."""

from __future__ import annotations

import time

from livekit.agents.telemetry import tracer
from opentelemetry import metrics, trace

from .core.events import Kind, Notice, TurnEvent
from .core.stats import Stats

NAMESPACE = "cartesia_turns"
"""What the names of spans, attributes and counters begin with."""

_meter = metrics.get_meter("livekit.plugins.cartesia_turns")
_reconnects = _meter.create_counter(f"{NAMESPACE}.reconnects", description="Sockets opened after a stream's first")
_notices = _meter.create_counter(f"{NAMESPACE}.notices", description="Watchdog, stall, rescue and overflow, by `kind`")
_lost_audio = _meter.create_counter(f"{NAMESPACE}.lost_audio", unit="s", description="Audio dropped unsent")


class Telemetry:
    """The spans of one stream."""

    def __init__(self) -> None:
        self._stats = self._at_turn_start = Stats()
        self._connection: trace.Span | None = None
        self._turn: trace.Span | None = None

    def counted(self, stats: Stats) -> None:
        """The counters of the stream are `stats`."""
        if stats.lost_s > self._stats.lost_s:
            _lost_audio.add(stats.lost_s - self._stats.lost_s)
        self._stats = stats

    def connected(self, request_id: str, connect_s: float, *, reused: bool, is_first: bool) -> None:
        """A socket is open, `connect_s` seconds after it was asked for; `reused` means that it was prewarmed."""
        if not is_first:
            _reconnects.add(1)
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
        _notices.add(1, {"kind": notice.name.lower()})
        if self._turn is not None:
            self._turn.add_event(notice.name.lower())

    def closed(self) -> None:
        """The stream is over."""
        self.disconnected("the stream was closed", None)
        if self._turn is not None:
            self._turn.set_attribute(f"{NAMESPACE}.ended_by", "stream closed")
            self._turn.end()
            self._turn = None

    def _end_turn(self, span: trace.Span, event: TurnEvent, speech_end: float) -> None:
        before, after = self._at_turn_start, self._stats
        by_us = after.turns_closed_by_us > before.turns_closed_by_us
        span.set_attributes(
            {
                f"{NAMESPACE}.request_id": event.request_id,
                f"{NAMESPACE}.ended_by": "plugin" if by_us else "server",
                f"{NAMESPACE}.speech_end_time": speech_end,
                f"{NAMESPACE}.end_delay_s": round(time.time() - speech_end, 6),
                f"{NAMESPACE}.reconnects": after.reconnects - before.reconnects,
                f"{NAMESPACE}.silent_s": round(after.silent_s - before.silent_s, 3),
                f"{NAMESPACE}.replayed_s": round(after.replayed_s - before.replayed_s, 3),
                "lk.pii.transcript": event.transcript,
            }
        )
        if event.turn_id:
            span.set_attribute(f"{NAMESPACE}.turn_id", event.turn_id)
        if event.languages:
            span.set_attribute(f"{NAMESPACE}.languages", [each.language for each in event.languages])
        span.end()
        self._turn = None


def _nanoseconds(at: float) -> int:
    return round(at * 1e9)
