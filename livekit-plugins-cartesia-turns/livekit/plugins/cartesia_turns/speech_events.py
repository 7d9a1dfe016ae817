"""Turn events as the framework's speech events, and as the STT's public events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from livekit.agents import LanguageCode, stt

from .core.events import Kind, TurnEvent
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
"""The label of a text if the user gives no language and the server does not say what it heard."""

_TRANSCRIPTS = {
    Kind.UPDATE: stt.SpeechEventType.INTERIM_TRANSCRIPT,
    Kind.EAGER_END: stt.SpeechEventType.PREFLIGHT_TRANSCRIPT,
    # The text so far is sent once more, so that a speculative reply is kept until the text really changes.
    Kind.RESUME: stt.SpeechEventType.INTERIM_TRANSCRIPT,
}


def speech_events(
    event: TurnEvent, request_id: str, at: float | None = None, language: LanguageCode = ENGLISH
) -> Iterator[stt.SpeechEvent]:
    """The framework's events for one step of a turn, in order. Each is made when it is taken, and carries that time.

    If the server ends a turn with punctuation alone, that is the final. The framework (measured with livekit-agents
    1.8.0 and 1.8.9, without a VAD) then stops the agent for good and asks the model with it. With
    `interruption={"min_words": 1}` it does neither while the agent speaks. While the agent is silent it still asks the
    model.

    Args:
        event: the step.
        request_id: the vendor's name for the socket.
        at: when speech began (START) or ended (END), in seconds of the wall clock. The framework waits `min_delay` from
            the end of speech, so with an end in the past it does not wait that long again.
        language: the label if the server does not say which language it heard.
    """
    if event.kind is Kind.START:
        started = stt.SpeechEventType.START_OF_SPEECH
        yield stt.SpeechEvent(type=started, request_id=request_id, speech_start_time=at)
    elif event.kind is not Kind.END:
        yield _transcript_of(event, _TRANSCRIPTS[event.kind], request_id, language)
    else:
        # An empty final would leave a stale interim in place. An empty interim clears it and does not interrupt.
        said = stt.SpeechEventType.FINAL_TRANSCRIPT if event.transcript else stt.SpeechEventType.INTERIM_TRANSCRIPT
        transcript = _transcript_of(event, said, request_id, language)
        transcript.speech_end_time = at
        yield transcript
        yield end_of_speech(request_id, at)


def end_of_speech(request_id: str, at: float | None = None) -> stt.SpeechEvent:
    """The END_OF_SPEECH of a turn whose speech ended at `at`, in seconds of the wall clock."""
    return stt.SpeechEvent(type=stt.SpeechEventType.END_OF_SPEECH, request_id=request_id, speech_end_time=at)


def public_event(event: TurnEvent, request_id: str, at: float | None = None) -> tuple[EventName, TurnEventData]:
    """The name and the data of the STT's own event for one step of a turn; `at` is as for `speech_events`."""
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
    """An event with a text. It always has one alternative, since the framework fails on an event without any.

    Args:
        kind: the type of the event.
        text: verbatim.
        request_id: the vendor's name for the socket.
        language: the label if no language was detected.
        detected: the languages that the server heard. The first is the label. All are in `source_languages`, and with
            the server's confidence in each (0-1, or None) in `metadata["languages"]`.
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
