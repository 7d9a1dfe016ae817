"""Point 9: connection times, usage, a span for each connection and each turn, and counters of what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from livekit.agents import telemetry
from livekit.agents.metrics import STTMetrics
from livekit.plugins.cartesia_turns import turn_handling
from livekit.plugins.cartesia_turns.server import Faults
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.conversation import QUIET, conversation
from support.metrics import Recorded
from support.script import RESUME, START, eager_end, end, update
from support.waiting import eventually

SECRET = "my card number is four two"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Takes all the spans of a test."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry.set_tracer_provider(provider)
    yield exporter
    telemetry.set_tracer_provider(trace.NoOpTracerProvider())


def spans(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_a_connection_is_a_span_under_the_sessions(exporter: InMemorySpanExporter) -> None:
    async with conversation() as talk:
        request_id = talk.server.connections[0].request_id
        await talk.turn("hello")
    (span,) = spans(exporter, "cartesia_turns.connection")
    (session,) = spans(exporter, "agent_session")
    assert span.parent is not None
    assert session.context is not None
    assert span.parent.span_id == session.context.span_id
    told = attributes(span)
    assert told["cartesia_turns.request_id"] == request_id
    assert told["cartesia_turns.reused"] is True
    assert told["cartesia_turns.connect_s"] < 5.0
    assert told["cartesia_turns.reason"] == "the stream was closed"


async def test_a_turn_is_a_span_that_begins_and_ends_with_the_speech(exporter: InMemorySpanExporter) -> None:
    async with conversation() as talk:
        await talk.microphone.speak(0.3)
        await talk.hears(START, update("hello"), eager_end("hello"), RESUME)
        await talk.microphone.speak(0.4, QUIET)
        await talk.hears(end("hello there"), pcm=QUIET)
        request_id = talk.server.connections[0].request_id
    (span,) = spans(exporter, "cartesia_turns.turn")
    (session,) = spans(exporter, "agent_session")
    assert span.parent is not None
    assert session.context is not None
    assert span.parent.span_id == session.context.span_id
    told = attributes(span)
    assert told["cartesia_turns.request_id"] == request_id
    assert told["cartesia_turns.ended_by"] == "server"
    assert told["cartesia_turns.reconnects"] == 0
    assert told["cartesia_turns.silent_s"] == 0
    assert 0.4 <= told["cartesia_turns.end_delay_s"] < 5.0
    assert 0.2 <= told["cartesia_turns.start_delay_s"] < 5.0
    assert [event.name for event in span.events] == ["update", "eager_end", "resume"]


async def test_what_was_said_is_nowhere_but_under_lk_pii(exporter: InMemorySpanExporter) -> None:
    async with conversation() as talk:
        await talk.hears(START, update(SECRET), end(SECRET))
        await talk.answered()
    ours = [span for span in exporter.get_finished_spans() if span.name.startswith("cartesia_turns.")]
    assert len(ours) == 2
    for span in ours:
        told = attributes(span)
        assert all(".pii." in name for name, value in told.items() if SECRET in str(value))
        assert SECRET not in str([dict(event.attributes or {}) for event in span.events])
    assert attributes(spans(exporter, "cartesia_turns.turn")[0])["lk.pii.transcript"] == SECRET


async def test_a_turns_reconnects_and_silence_are_told(exporter: InMemorySpanExporter) -> None:
    async with conversation() as talk:
        await talk.hears(START, update("well"))
        await talk.server.drop_all()
        await talk.hears(START, update("well I"), steps=1)
        talk.stage.at_silence = end("well I think")
        await talk.answered()
    told = attributes(spans(exporter, "cartesia_turns.turn")[0])
    assert told["cartesia_turns.reconnects"] == 1
    assert told["cartesia_turns.replayed_s"] > 0
    assert told["cartesia_turns.silent_s"] >= 0.5
    first, second = spans(exporter, "cartesia_turns.connection")
    assert attributes(first)["cartesia_turns.reason"] == "the socket was lost"
    assert attributes(second)["cartesia_turns.reused"] is False


async def test_a_turn_closed_by_the_plugin_says_so(exporter: InMemorySpanExporter) -> None:
    async with conversation(stt_options={"turn_end_timeout_ms": 640}) as talk:
        await talk.hears(START, update("well"))
        await talk.answered()
    assert attributes(spans(exporter, "cartesia_turns.turn")[0])["cartesia_turns.ended_by"] == "plugin"


async def test_a_turn_that_its_stream_was_cut_off_in_says_so(exporter: InMemorySpanExporter) -> None:
    async with conversation() as talk:
        await talk.hears(START, update("well"))
        talk.session.clear_user_turn()
        await eventually(lambda: spans(exporter, "cartesia_turns.turn"))
    assert attributes(spans(exporter, "cartesia_turns.turn")[0])["cartesia_turns.ended_by"] == "stream closed"


async def test_a_failed_attempt_leaves_no_span_open(exporter: InMemorySpanExporter) -> None:
    async with conversation(server_options={"faults": [Faults(), Faults(no_connected=True)]}) as talk:
        await talk.turn("hello")
        await talk.server.drop_all()
    assert len(spans(exporter, "cartesia_turns.connection")) == 1


async def test_the_framework_is_told_how_long_a_connection_took_and_whether_it_was_there_already() -> None:
    acquired: list[tuple[float, bool]] = []
    async with conversation(stt_handlers={"metrics_collected": noting(acquired)}) as talk:
        await talk.turn("hello")
        await talk.server.drop_all()
        await talk.turn("again")
        assert [reused for _, reused in acquired] == [True, False]
        assert all(0 <= seconds < 5.0 for seconds, _ in acquired)


def noting(acquired: list[tuple[float, bool]]) -> Any:
    def note(metrics: STTMetrics) -> None:
        if not metrics.audio_duration:
            acquired.append((metrics.acquire_time, metrics.connection_reused))

    return note


async def test_usage_is_counted_for_the_model() -> None:
    async with conversation() as talk:
        await talk.microphone.speak(0.2)
        await talk.turn("hello")
        await talk.answered()
        (usage,) = [each for each in talk.session.usage.model_usage if each.type == "stt_usage"]
        assert (usage.provider, usage.model) == ("Cartesia", "ink-2")
        assert usage.audio_duration == pytest.approx(talk.stt.stats.sent_s, abs=0.021)


async def test_the_session_is_told_which_model_heard_the_user(exporter: InMemorySpanExporter) -> None:
    async with conversation() as talk:
        await talk.turn("hello")
        await talk.answered()
        request_id = talk.server.connections[0].request_id
    told = attributes(spans(exporter, "user_turn")[0])
    assert (told["gen_ai.request.model"], told["gen_ai.provider.name"]) == ("ink-2", "Cartesia")
    assert told["lk.provider_request_ids"] == (request_id,)


async def test_reconnects_and_the_watchdog_are_counted(recorded: Recorded) -> None:
    async with conversation() as talk:
        await talk.hears(START, update("well"))
        await talk.server.drop_all()
        await talk.hears(START, update("well I"), steps=1)
        talk.stage.at_silence = end("well I think")
        await talk.answered()
    assert recorded.counts("reconnects") == {"": 1}
    assert recorded.counts("notices") == {"feeding": 1}
    assert recorded.counts("turns") == {"server": 1}
    ((count, replayed_s),) = recorded.histogram("replayed_audio").values()
    assert count == 1
    assert replayed_s > 0


@pytest.mark.newest  # STTCapabilities.manual_flush
async def test_a_manual_commit_is_told_from_the_end_that_the_server_decides(recorded: Recorded) -> None:
    async with conversation(turn_handling=turn_handling(turn_detection="manual")) as talk:
        await talk.microphone.speak(0.3)
        await talk.hears(START, update("hello"))
        talk.session.commit_user_turn()
        # The microphone goes on. Where the framework does not flush the STT, the commit is found with the next frame.
        talk.microphone.push()
        await talk.answered()
        await talk.turn("again")
    assert recorded.counts("turns") == {"flush": 1, "server": 1}


async def test_lost_audio_is_counted_in_seconds_as_it_is_lost(recorded: Recorded) -> None:
    async with conversation(stt_options={"max_buffer": 1.0}) as talk:
        await talk.server.pause_accepting()
        await talk.server.drop_all()
        for _ in range(100):
            talk.microphone.push()
        await eventually(lambda: talk.stt.stats.lost_s >= 0.9)
        await talk.server.resume_accepting()
        await talk.turn("hello")
        assert recorded.counts("lost_audio")[""] == pytest.approx(talk.stt.stats.lost_s)
    assert recorded.counts("lost_audio")[""] == pytest.approx(talk.stt.stats.lost_s)
