"""Turn events as the framework's speech events, and as the STT's public events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from livekit.agents import LanguageCode, stt

from .core.turn import Kind, TurnEvent
from .events import (
    EventName,
    TurnEagerEndEvent,
    TurnEndEvent,
    TurnEventData,
    TurnResumeEvent,
    TurnStartEvent,
    TurnUpdateEvent,
)
from .wire.messages import DetectedLanguage

ENGLISH = LanguageCode("en")
"""What a text is labelled with where nobody says what to expect and the server does not say what it heard."""

_TRANSCRIPTS = {
    Kind.UPDATE: stt.SpeechEventType.INTERIM_TRANSCRIPT,
    Kind.EAGER_END: stt.SpeechEventType.PREFLIGHT_TRANSCRIPT,
    # The text so far once more: a speculative reply is kept until the text really moves.
    Kind.RESUME: stt.SpeechEventType.INTERIM_TRANSCRIPT,
}


def speech_events(
    event: TurnEvent, request_id: str, at: float | None = None, language: LanguageCode = ENGLISH
) -> Iterator[stt.SpeechEvent]:
    """The framework's events for one step of a turn, in order, each made as it is taken: they carry that time.

    A turn that the server ends with punctuation alone has that as its final. What the framework makes of it (measured
    with livekit-agents 1.8.0 and 1.8.9, without a VAD): it stops the agent for good, and asks the model with it. With
    `interruption={"min_words": 1}` it does neither while the agent speaks; while the agent is silent it asks the model.

    Args:
        event: the step.
        request_id: the vendor's name for the socket.
        at: for START when speech began, for END when it ended: wall clock, seconds. With an end in the past the
            framework does not wait for it once more.
        language: what the user is expected to speak: the label where the server does not say what it heard.
    """
    if event.kind is Kind.START:
        started = stt.SpeechEventType.START_OF_SPEECH
        yield stt.SpeechEvent(type=started, request_id=request_id, speech_start_time=at)
    elif event.kind is not Kind.END:
        yield _transcript_of(event, _TRANSCRIPTS[event.kind], request_id, language)
    else:
        # An empty final would leave a stale interim in place; an empty interim clears it, and interrupts nobody.
        said = stt.SpeechEventType.FINAL_TRANSCRIPT if event.transcript else stt.SpeechEventType.INTERIM_TRANSCRIPT
        transcript = _transcript_of(event, said, request_id, language)
        transcript.speech_end_time = at
        yield transcript
        yield end_of_speech(request_id, at)


def end_of_speech(request_id: str, at: float | None = None) -> stt.SpeechEvent:
    """The end of a turn whose speech ended at `at`: wall clock, seconds."""
    return stt.SpeechEvent(type=stt.SpeechEventType.END_OF_SPEECH, request_id=request_id, speech_end_time=at)


def public_event(event: TurnEvent, request_id: str, at: float | None = None) -> tuple[EventName, TurnEventData]:
    """The name and the data of the STT's own event for one step of a turn; `at` as for `speech_events`."""
    match event.kind:
        case Kind.START:
            return "turn_start", TurnStartEvent(request_id, at, event.turn_id)
        case Kind.UPDATE:
            return "turn_update", TurnUpdateEvent(request_id, event.transcript, event.turn_id)
        case Kind.EAGER_END:
            return "turn_eager_end", TurnEagerEndEvent(request_id, event.transcript, event.turn_id)
        case Kind.RESUME:
            return "turn_resume", TurnResumeEvent(request_id, event.transcript, event.turn_id)
        case Kind.END:
            return "turn_end", TurnEndEvent(request_id, event.transcript, at, event.turn_id, event.languages)


def transcript_event(
    kind: stt.SpeechEventType,
    text: str,
    request_id: str,
    language: LanguageCode = ENGLISH,
    detected: tuple[DetectedLanguage, ...] = (),
) -> stt.SpeechEvent:
    """An event with a text: always exactly one alternative, since the framework fails on none.

    Args:
        kind: the type of the event.
        text: verbatim.
        request_id: the vendor's name for the socket.
        language: the label, where none was detected.
        detected: the first is the label. All of them are in `source_languages`, and with what confidence the server
            has in each (0-1, or None) in `metadata["languages"]`.
    """
    data = stt.SpeechData(language=LanguageCode(detected[0].language) if detected else language, text=text)
    if detected:
        data.source_languages = [LanguageCode(each.language) for each in detected]
        data.metadata = {"languages": [asdict(each) for each in detected]}
    return stt.SpeechEvent(type=kind, request_id=request_id, alternatives=[data])


def _transcript_of(
    event: TurnEvent, kind: stt.SpeechEventType, request_id: str, language: LanguageCode
) -> stt.SpeechEvent:
    return transcript_event(kind, event.transcript, request_id, language, event.languages)
