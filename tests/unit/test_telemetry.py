"""Spans by themselves; tests/session/test_telemetry.py has those of a session."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from livekit.agents import telemetry
from livekit.plugins.cartesia_turns.core.events import Kind, Notice, TurnEvent
from livekit.plugins.cartesia_turns.core.measures import EndedBy, Measures
from livekit.plugins.cartesia_turns.telemetry import Telemetry
from livekit.plugins.cartesia_turns.wire.messages import DetectedLanguage
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry.set_tracer_provider(provider)
    yield exporter
    telemetry.set_tracer_provider(trace.NoOpTracerProvider())


@pytest.fixture
def told() -> Telemetry:
    return Telemetry()


def test_a_turn_begins_when_its_speech_began(exporter: InMemorySpanExporter, told: Telemetry) -> None:
    began = time.time() - 2.0
    told.turn(TurnEvent(Kind.START), began)
    told.turn(TurnEvent(Kind.END, "hello"), began + 1.0)
    (span,) = exporter.get_finished_spans()
    assert span.start_time == pytest.approx(began * 1e9, abs=1e6)
    assert dict(span.attributes or {})["cartesia_turns.speech_end_time"] == began + 1.0


@pytest.mark.parametrize("delay_s", [0.5, None])
def test_a_turn_tells_what_ended_it_and_its_delay_where_that_is_known(
    exporter: InMemorySpanExporter, told: Telemetry, delay_s: float | None
) -> None:
    told.turn(TurnEvent(Kind.START), time.time())
    told.turn(TurnEvent(Kind.END, "hello", measures=Measures(EndedBy.FLUSH, delay_s)), time.time())
    attributes = dict(exporter.get_finished_spans()[0].attributes or {})
    assert attributes["cartesia_turns.ended_by"] == "flush"
    assert attributes.get("cartesia_turns.end_delay_s") == delay_s


def test_a_turn_has_its_name_and_its_languages_where_the_server_tells_them(
    exporter: InMemorySpanExporter, told: Telemetry
) -> None:
    for end in (TurnEvent(Kind.END, "a", "t", (DetectedLanguage("hi"),)), TurnEvent(Kind.END, "a")):
        told.turn(TurnEvent(Kind.START), time.time())
        told.turn(end, time.time())
    first, second = (dict(span.attributes or {}) for span in exporter.get_finished_spans())
    assert first["cartesia_turns.turn_id"] == "t"
    assert first["cartesia_turns.languages"] == ("hi",)
    assert not {"cartesia_turns.turn_id", "cartesia_turns.languages"} & second.keys()


def test_a_notice_is_an_event_of_the_turn(exporter: InMemorySpanExporter, told: Telemetry) -> None:
    told.notice(Notice.FEEDING)
    told.turn(TurnEvent(Kind.START), time.time())
    told.notice(Notice.OVERDUE)
    told.turn(TurnEvent(Kind.END), time.time())
    (span,) = exporter.get_finished_spans()
    assert [event.name for event in span.events] == ["overdue"]


def test_the_end_of_the_stream_ends_every_span(exporter: InMemorySpanExporter, told: Telemetry) -> None:
    told.connected("an id", 0.1, reused=False, is_first=True)
    told.turn(TurnEvent(Kind.START), time.time())
    told.closed()
    told.closed()
    assert {span.name for span in exporter.get_finished_spans()} == {"cartesia_turns.connection", "cartesia_turns.turn"}


def test_what_ends_without_a_beginning_is_no_span(exporter: InMemorySpanExporter, told: Telemetry) -> None:
    told.disconnected("never open", 1006)
    told.turn(TurnEvent(Kind.END, "hello"), time.time())
    assert exporter.get_finished_spans() == ()


def test_a_close_code_is_told_where_there_is_one(exporter: InMemorySpanExporter, told: Telemetry) -> None:
    for code in (1001, None):
        told.connected("an id", 0.1, reused=True, is_first=True)
        told.disconnected("gone", code)
    first, second = (dict(span.attributes or {}) for span in exporter.get_finished_spans())
    assert first["cartesia_turns.close_code"] == 1001
    assert "cartesia_turns.close_code" not in second
