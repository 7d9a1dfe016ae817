"""Turn events as the framework's speech events, and as the STT's public events."""

from __future__ import annotations

from collections.abc import Iterator

from livekit.agents import LanguageCode, stt

from .events import (
    EventName,
    TurnEagerEndEvent,
    TurnEndEvent,
    TurnEventData,
    TurnResumeEvent,
    TurnStartEvent,
    TurnUpdateEvent,
)
from .turns import Kind, TurnEvent

ENGLISH = LanguageCode("en")
"""The label of transcripts whose language nobody has told."""

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

    Args:
        event: the step.
        request_id: the vendor's name for the socket.
        at: for START when speech began, for END when it ended: wall clock, seconds. With an end in the past the
            framework does not wait for it once more.
        language: what the user is expected to speak.
    """
    if event.kind is Kind.START:
        start = stt.SpeechEvent(type=stt.SpeechEventType.START_OF_SPEECH, request_id=request_id)
        yield _timed(start, "speech_start_time", at)
    elif event.kind is not Kind.END:
        yield transcript_event(_TRANSCRIPTS[event.kind], event.transcript, request_id, language)
    else:
        # An empty final would leave a stale interim in place; an empty interim clears it.
        said = stt.SpeechEventType.FINAL_TRANSCRIPT if event.transcript else stt.SpeechEventType.INTERIM_TRANSCRIPT
        yield _timed(transcript_event(said, event.transcript, request_id, language), "speech_end_time", at)
        yield _timed(end_of_speech(request_id), "speech_end_time", at)


def end_of_speech(request_id: str) -> stt.SpeechEvent:
    """The end of a turn."""
    return stt.SpeechEvent(type=stt.SpeechEventType.END_OF_SPEECH, request_id=request_id)


def public_event(event: TurnEvent, request_id: str, at: float | None = None) -> tuple[EventName, TurnEventData]:
    """The name and the data of the STT's own event for one step of a turn; `at` as for `speech_events`."""
    match event.kind:
        case Kind.START:
            return "turn_start", TurnStartEvent(request_id, at)
        case Kind.UPDATE:
            return "turn_update", TurnUpdateEvent(request_id, event.transcript)
        case Kind.EAGER_END:
            return "turn_eager_end", TurnEagerEndEvent(request_id, event.transcript)
        case Kind.RESUME:
            return "turn_resume", TurnResumeEvent(request_id, event.transcript)
        case Kind.END:
            return "turn_end", TurnEndEvent(request_id, event.transcript, at)


def transcript_event(
    kind: stt.SpeechEventType, text: str, request_id: str, language: LanguageCode = ENGLISH
) -> stt.SpeechEvent:
    """An event with a text: always exactly one alternative, since the framework fails on none."""
    data = stt.SpeechData(language=language, text=text)
    return stt.SpeechEvent(type=kind, request_id=request_id, alternatives=[data])


def _timed(event: stt.SpeechEvent, name: str, at: float | None) -> stt.SpeechEvent:
    # Older versions of the framework have no such field.
    if at is not None and hasattr(event, name):
        setattr(event, name, at)
    return event
