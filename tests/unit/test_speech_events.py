"""Each step of a turn becomes the framework's events, and one event of the STT's own."""

from __future__ import annotations

import pytest
from livekit.agents import LanguageCode, stt
from livekit.plugins.cartesia_turns.core.events import Kind, TurnEvent
from livekit.plugins.cartesia_turns.events import (
    TurnEagerEndEvent,
    TurnEndEvent,
    TurnEventData,
    TurnResumeEvent,
    TurnStartEvent,
    TurnUpdateEvent,
)
from livekit.plugins.cartesia_turns.speech_events import public_event, speech_events
from livekit.plugins.cartesia_turns.wire.messages import DetectedLanguage

Type = stt.SpeechEventType


@pytest.mark.parametrize(
    ("event", "types", "text"),
    [
        (TurnEvent(Kind.START), [Type.START_OF_SPEECH], None),
        (TurnEvent(Kind.UPDATE, " a "), [Type.INTERIM_TRANSCRIPT], " a "),
        (TurnEvent(Kind.EAGER_END, "a"), [Type.PREFLIGHT_TRANSCRIPT], "a"),
        (TurnEvent(Kind.RESUME, "a"), [Type.INTERIM_TRANSCRIPT], "a"),
        (TurnEvent(Kind.END, " a b"), [Type.FINAL_TRANSCRIPT, Type.END_OF_SPEECH], " a b"),
        (TurnEvent(Kind.END, ""), [Type.INTERIM_TRANSCRIPT, Type.END_OF_SPEECH], ""),
    ],
)
def test_a_step_becomes_these_events_in_this_order(event: TurnEvent, types: list[Type], text: str | None) -> None:
    made = list(speech_events(event, "request 1"))
    assert [speech_event.type for speech_event in made] == types
    assert {speech_event.request_id for speech_event in made} == {"request 1"}
    alternatives = [data for speech_event in made for data in speech_event.alternatives]
    assert [data.text for data in alternatives] == ([] if text is None else [text])
    assert all(data.language == "en" for data in alternatives)


HINDI = (DetectedLanguage("hi", 0.9), DetectedLanguage("en"))


@pytest.mark.parametrize("kind", [Kind.UPDATE, Kind.EAGER_END, Kind.RESUME, Kind.END])
def test_a_text_is_labelled_with_the_first_language_that_was_heard_and_has_all_of_them(kind: Kind) -> None:
    (data,) = next(speech_events(TurnEvent(kind, "a", "", HINDI), "r", language=LanguageCode("fr"))).alternatives
    assert data.language == "hi"
    assert data.source_languages == ["hi", "en"]
    assert data.metadata == {
        "languages": [{"language": "hi", "confidence": 0.9}, {"language": "en", "confidence": None}]
    }


def test_without_a_detection_the_label_is_what_was_to_be_expected() -> None:
    (data,) = next(speech_events(TurnEvent(Kind.END, "a"), "r", language=LanguageCode("pt-br"))).alternatives
    assert (data.language, data.source_languages, data.metadata) == ("pt-BR", None, None)


@pytest.mark.parametrize("kind", Kind)
def test_an_event_with_a_transcript_has_exactly_one_alternative(kind: Kind) -> None:
    with_text = {Type.INTERIM_TRANSCRIPT, Type.PREFLIGHT_TRANSCRIPT, Type.FINAL_TRANSCRIPT}
    for made in speech_events(TurnEvent(kind, ""), "r"):
        assert len(made.alternatives) == (made.type in with_text)


@pytest.mark.parametrize(
    ("kind", "name", "data"),
    [
        (Kind.START, "turn_start", TurnStartEvent("r", 1.0, "t")),
        (Kind.UPDATE, "turn_update", TurnUpdateEvent("r", "a", "t")),
        (Kind.EAGER_END, "turn_eager_end", TurnEagerEndEvent("r", "a", "t")),
        (Kind.RESUME, "turn_resume", TurnResumeEvent("r", "a", "t")),
        (Kind.END, "turn_end", TurnEndEvent("r", "a", 1.0, "t", HINDI)),
    ],
)
def test_each_step_has_a_public_event_of_its_own(kind: Kind, name: str, data: TurnEventData) -> None:
    assert public_event(TurnEvent(kind, "" if kind is Kind.START else "a", "t", HINDI), "r", 1.0) == (name, data)
