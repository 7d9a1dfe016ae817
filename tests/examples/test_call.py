from __future__ import annotations

from livekit.agents import LanguageCode
from livekit.agents.stt import RecognitionUsage, SpeechData, SpeechEvent, SpeechEventType
from transcription.call import EAGER_END, FINAL, RESUME, Call, Clock, State, summarize

STARTED_AT = 1000.0


def a_call(*, is_live: bool = True) -> Call:
    clock = Clock(is_live=is_live)
    clock.start(STARTED_AT)
    return Call(clock)


def event(
    type_: SpeechEventType,
    at_s: float,
    text: str | None = None,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
) -> SpeechEvent:
    return SpeechEvent(
        type_,
        alternatives=[] if text is None else [SpeechData(LanguageCode("en"), text)],
        created_at=STARTED_AT + at_s,
        speech_start_time=None if start_s is None else STARTED_AT + start_s,
        speech_end_time=None if end_s is None else STARTED_AT + end_s,
    )


def turn(*, start_s: float, text: str, end_s: float, eager_s: float) -> list[SpeechEvent]:
    return [
        event(SpeechEventType.START_OF_SPEECH, start_s + 0.3, start_s=start_s),
        event(SpeechEventType.INTERIM_TRANSCRIPT, start_s + 0.5, text[:4]),
        event(SpeechEventType.PREFLIGHT_TRANSCRIPT, eager_s, text),
        event(SpeechEventType.FINAL_TRANSCRIPT, end_s + 0.6, text, end_s=end_s),
        event(SpeechEventType.RECOGNITION_USAGE, end_s + 0.6),
        event(SpeechEventType.END_OF_SPEECH, end_s + 0.6, end_s=end_s),
    ]


def close_to(value: float | None, expected: float) -> bool:
    return value is not None and abs(value - expected) < 1e-6


def test_a_turn_has_its_text_and_its_times_in_seconds_of_audio() -> None:
    call = a_call()
    for each in turn(start_s=2.0, text="good morning", end_s=4.0, eager_s=4.3):
        call.add(each)
    (only,) = call.turns
    assert (only.number, only.text, only.words, only.state) == (1, "good morning", 2, State.DONE)
    assert close_to(only.speech_start_s, 2.0)
    assert close_to(only.speech_end_s, 4.0)
    assert close_to(only.delay_s, 0.6)
    assert close_to(only.eager_lead_s, 0.3)


def test_without_pacing_nothing_is_timed() -> None:
    call = a_call(is_live=False)
    for each in turn(start_s=2.0, text="good morning", end_s=4.0, eager_s=4.3):
        call.add(each)
    summary = summarize(call.turns, audio_s=5.0, silence_sent_s=0.0)
    assert (call.turns[0].speech_start_s, call.turns[0].delay_s, summary.delay_s) == (None, None, None)
    assert (summary.turns, summary.words) == (1, 2)


def test_an_interim_after_an_eager_end_is_shown_as_a_resume() -> None:
    call = a_call()
    call.add(event(SpeechEventType.START_OF_SPEECH, 1.0))
    call.add(event(SpeechEventType.PREFLIGHT_TRANSCRIPT, 2.0, "good"))
    states = [call.turns[0].state]
    moments = call.add(event(SpeechEventType.INTERIM_TRANSCRIPT, 2.5, "good"))
    assert [moment.type for moment in moments] == [RESUME, "interim_transcript"]
    assert [*states, call.turns[0].state] == [State.MAYBE_DONE, State.SPEAKING]
    assert len(call.turns[0].resumes_s) == 1


def test_the_eager_lead_counts_from_the_last_eager_end() -> None:
    call = a_call()
    call.add(event(SpeechEventType.START_OF_SPEECH, 1.0))
    call.add(event(SpeechEventType.PREFLIGHT_TRANSCRIPT, 2.0, "good"))
    call.add(event(SpeechEventType.INTERIM_TRANSCRIPT, 2.5, "good"))
    call.add(event(SpeechEventType.PREFLIGHT_TRANSCRIPT, 4.0, "good morning"))
    call.add(event(SpeechEventType.FINAL_TRANSCRIPT, 4.25, "good morning"))
    assert close_to(call.turns[0].eager_lead_s, 0.25)


def test_a_turn_in_which_nothing_was_said_does_not_count() -> None:
    call = a_call()
    for each in (
        event(SpeechEventType.START_OF_SPEECH, 1.0),
        event(SpeechEventType.INTERIM_TRANSCRIPT, 2.0, "uh"),
        event(SpeechEventType.INTERIM_TRANSCRIPT, 2.5, ""),
        event(SpeechEventType.END_OF_SPEECH, 2.5),
        *turn(start_s=3.0, text="yes", end_s=4.0, eager_s=4.2),
    ):
        call.add(each)
    assert [(each.number, each.text) for each in call.turns] == [(1, "yes")]


def test_turns_are_numbered_and_the_summary_takes_medians() -> None:
    call = a_call()
    for start_s, eager_s in ((1.0, 2.1), (4.0, 5.2), (7.0, 8.5)):
        for each in turn(start_s=start_s, text="so be it", end_s=start_s + 1, eager_s=eager_s):
            call.add(each)
    summary = summarize(call.turns, audio_s=9.0, silence_sent_s=0.5)
    assert [each.number for each in call.turns] == [1, 2, 3]
    assert (summary.turns, summary.words, summary.audio_s, summary.silence_sent_s) == (3, 9, 9.0, 0.5)
    assert close_to(summary.delay_s, 0.6)
    assert close_to(summary.eager_lead_s, 0.4)


def test_a_summary_of_nothing_has_no_delays() -> None:
    summary = summarize([], audio_s=0.0, silence_sent_s=0.0)
    assert (summary.turns, summary.words, summary.delay_s, summary.eager_lead_s) == (0, 0, None, None)


def test_usage_belongs_to_no_turn() -> None:
    call = a_call()
    usage = SpeechEvent(SpeechEventType.RECOGNITION_USAGE, recognition_usage=RecognitionUsage(audio_duration=1.0))
    (moment,) = call.add(usage)
    assert moment.turn is None
    assert call.turns == []


def test_text_is_kept_as_it_came() -> None:
    call = a_call()
    (eager,) = call.add(event(SpeechEventType.PREFLIGHT_TRANSCRIPT, 1.0, " well,  "))
    (final,) = call.add(event(SpeechEventType.FINAL_TRANSCRIPT, 1.2, " well,  then "))
    assert [(eager.type, eager.text), (final.type, final.text)] == [(EAGER_END, " well,  "), (FINAL, " well,  then ")]
    assert call.turns[0].text == " well,  then "
