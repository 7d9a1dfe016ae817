from __future__ import annotations

import logging
import time
from collections.abc import Iterable

import pytest
from livekit.agents import APIConnectionError, LanguageCode, stt
from livekit.plugins.cartesia_turns.core.events import Flushed, Kind, Notice, TurnEvent, Usage
from livekit.plugins.cartesia_turns.core.stats import Stats
from livekit.plugins.cartesia_turns.live import CallOptions, UserOptions
from livekit.plugins.cartesia_turns.reporter import Reporter
from livekit.plugins.cartesia_turns.wire.options import Options

START = TurnEvent(Kind.START)
SECRET = "four two four two"


class Ears:
    """An STT's part, and the stream's consumer."""

    def __init__(self, *, speech_times: bool = True) -> None:
        self.events: list[stt.SpeechEvent] = []
        self.announced: list[str] = []
        self.reporter = Reporter(
            self,
            CallOptions(UserOptions(Options())),
            self.events.append,
            speech_times=speech_times,
            acquired=lambda _, __: None,
        )

    def emit(self, event: str, *_: object) -> None:
        self.announced.append(event)

    def _warn_once(self, text: str) -> None:
        raise AssertionError("nobody is to be warned here")

    def _apply(self, calls: Iterable[CallOptions]) -> None:
        raise AssertionError("no options have changed here")


def test_a_flush_is_acknowledged_by_an_empty_final() -> None:
    ears = Ears()
    ears.reporter.events([Flushed()], Stats())
    (event,) = ears.events
    assert event.type is stt.SpeechEventType.FINAL_TRANSCRIPT
    assert [data.text for data in event.alternatives] == [""]
    assert ears.announced == []


def test_start_and_end_carry_wall_clock_times_in_order() -> None:
    ears = Ears()
    begun = time.time()
    ears.reporter.events([START, TurnEvent(Kind.UPDATE, "hello"), TurnEvent(Kind.END, "hello")], Stats())
    start, _, final, end = ears.events
    assert begun - 0.1 <= (start.speech_start_time or 0) <= (end.speech_end_time or 0) <= time.time()
    assert final.speech_end_time == end.speech_end_time
    assert ears.announced == ["turn_start", "turn_update", "turn_end"]


def test_without_speech_times_there_are_none() -> None:
    ears = Ears(speech_times=False)
    ears.reporter.events([START, TurnEvent(Kind.END, "hello")], Stats())
    assert {(event.speech_start_time, event.speech_end_time) for event in ears.events} == {(None, None)}


def test_texts_have_the_language_that_is_expected_at_the_time() -> None:
    ears = Ears()
    ears.reporter.events([START, TurnEvent(Kind.UPDATE, "hello")], Stats())
    ears.reporter.language = LanguageCode("hi")
    ears.reporter.events([TurnEvent(Kind.END, "hello"), Flushed()], Stats())
    assert [data.language for event in ears.events for data in event.alternatives] == ["en", "hi", "hi"]


def test_a_stray_turn_is_ended_and_nothing_else_is_said() -> None:
    ears = Ears()
    ears.reporter.stray_turn()
    assert [event.type for event in ears.events] == [stt.SpeechEventType.END_OF_SPEECH]
    assert ears.announced == []


def test_usage_is_told_where_something_was_sent_and_between_the_final_and_the_end_of_speech() -> None:
    ears = Ears()
    ears.reporter.events([START, TurnEvent(Kind.END, "hello"), Usage(2.0)], Stats())
    ears.reporter.events([START, TurnEvent(Kind.END, "hello", usage_s=1.5)], Stats())
    told = [event.recognition_usage.audio_duration for event in ears.events if event.recognition_usage]
    assert told == [2.0, 1.5]
    kinds = [event.type.name for event in ears.events]
    assert kinds[-3:] == ["FINAL_TRANSCRIPT", "RECOGNITION_USAGE", "END_OF_SPEECH"]


def test_an_odd_frame_of_a_kind_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    ears = Ears()
    for _ in range(5):
        ears.reporter.odd_frame("a binary frame")
    ears.reporter.odd_frame("not JSON")
    assert [vars(record)["frame"] for record in caplog.records] == ["a binary frame", "not JSON"]


def test_what_was_said_is_never_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    ears = Ears()
    with caplog.at_level(logging.DEBUG):
        ears.reporter.events([START, TurnEvent(Kind.UPDATE, SECRET), *Notice, TurnEvent(Kind.END, SECRET)], Stats())
        ears.reporter.failed(KeyError(SECRET))
        ears.reporter.attempt_failed(APIConnectionError(SECRET), 1.0)
    assert caplog.records
    assert not any(SECRET in str(vars(record)) for record in caplog.records)


def test_an_unexpected_failure_says_where_it_arose(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        Ears().reporter.failed(error)
    (record,) = caplog.records
    assert vars(record)["error"] == "KeyError"
    assert vars(record)["where"].startswith("test_an_unexpected_failure")
