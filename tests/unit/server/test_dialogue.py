from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.server import Dialogue, TurnLikelihood, TurnState
from livekit.plugins.cartesia_turns.wire.messages import (
    DetectedLanguage,
    TurnEagerEnd,
    TurnEnd,
    TurnMessage,
    TurnResume,
    TurnSettings,
    TurnStart,
    TurnUpdate,
)

STEP_S = 0.032
SETTINGS = TurnSettings(0.8, 0.4, 0.2, 5600)
START, UPDATE = TurnStart("r", "r.1"), TurnUpdate("r", "hello", "r.1")
FOLLOWERS: dict[type[TurnMessage] | None, set[type[TurnMessage]]] = {
    None: {TurnStart},
    TurnStart: {TurnUpdate, TurnEagerEnd, TurnEnd},
    TurnUpdate: {TurnUpdate, TurnEagerEnd, TurnEnd},
    TurnEagerEnd: {TurnResume, TurnEnd},
    TurnResume: {TurnUpdate, TurnEagerEnd, TurnEnd},
    TurnEnd: {TurnStart},
}


def dialogue(**settings: Any) -> Dialogue:
    return Dialogue(replace(SETTINGS, **settings), "r")


def run(subject: Dialogue, *likelihoods: float, transcript: str | None = None) -> list[TurnMessage]:
    return [m for likelihood in likelihoods for m in subject.step(likelihood, STEP_S, transcript)]


def silence_until(kind: type[TurnMessage], subject: Dialogue, likelihood: TurnLikelihood, limit_s: float = 15) -> float:
    """Seconds of silence until a message of this kind comes."""
    for count in range(1, round(limit_s / STEP_S)):
        if any(isinstance(m, kind) for m in subject.step(likelihood.step(0.0, STEP_S), STEP_S)):
            return count * STEP_S
    raise AssertionError(f"no {kind.__name__} in {limit_s} s")


def spoken(subject: Dialogue, likelihood: TurnLikelihood, duration_s: float = 1.0) -> list[TurnMessage]:
    steps = range(round(duration_s / STEP_S))
    return [m for _ in steps for m in subject.step(likelihood.step(1.0, STEP_S), STEP_S)]


def test_a_turn_starts_above_the_start_threshold_and_not_at_it() -> None:
    subject = dialogue(start_threshold=0.7)
    assert run(subject, 0.1, 0.7) == []
    assert run(subject, 0.71) == [START]
    assert run(subject, 0.9) == []


def test_falling_below_the_thresholds_gives_eager_end_then_end_with_the_text() -> None:
    subject = dialogue()
    run(subject, 0.9)
    assert run(subject, 0.9, transcript="hello") == [UPDATE]
    assert run(subject, 0.5) == []
    assert run(subject, 0.39, transcript="hello there") == [TurnEagerEnd("r", "hello there", "r.1")]
    assert run(subject, 0.3) == []
    assert run(subject, 0.19) == [TurnEnd("r", "hello there", "r.1")]
    assert subject.state is TurnState.IDLE


def test_speech_after_an_eager_end_resumes_the_turn() -> None:
    subject = dialogue()
    run(subject, 0.9, 0.3)
    assert run(subject, 0.7) == []
    assert run(subject, 0.85) == [TurnResume("r", "r.1")]
    assert run(subject, 0.3, transcript="a") == [TurnEagerEnd("r", "a", "r.1")]


def test_a_likelihood_in_the_middle_ends_the_turn_after_the_timeout() -> None:
    subject = dialogue(end_timeout_ms=640)
    run(subject, 0.9)
    assert run(subject, *[0.5] * 19) == []
    assert run(subject, 0.5, transcript="a") == [TurnEnd("r", "a", "r.1")]


def test_speech_starts_the_timeout_anew() -> None:
    subject = dialogue(end_timeout_ms=640)
    assert [type(m) for m in run(subject, 0.9, *[0.5] * 19, 0.9, *[0.5] * 19)] == [TurnStart]


def test_the_whole_text_is_needed_exactly_where_the_turn_may_be_over() -> None:
    subject = dialogue()
    needed = []
    for likelihood in (0.9, 0.5, 0.3, 0.3, 0.9, 0.1, 0.1):
        needed.append(subject.needs_whole_text(likelihood, STEP_S))
        run(subject, likelihood)
    assert needed == [False, False, True, False, False, True, False]


def test_close_ends_an_open_turn_and_nothing_else() -> None:
    subject = dialogue()
    assert subject.close("nothing") == []
    run(subject, 0.9)
    assert subject.close("hello") == [TurnEnd("r", "hello", "r.1")]
    assert subject.close() == []


def test_text_that_revises_what_was_sent_is_an_error_and_changes_nothing() -> None:
    subject = dialogue()
    run(subject, 0.9, transcript="ignored before the start")
    run(subject, 0.9, transcript="hello")
    with pytest.raises(ValueError, match="never revises"):
        subject.step(0.1, STEP_S, "hullo")
    assert subject.state is TurnState.SPEAKING
    assert subject.close() == [TurnEnd("r", "hello", "r.1")]


def test_the_text_of_a_turn_is_not_carried_into_the_next() -> None:
    subject = dialogue()
    run(subject, 0.9)
    run(subject, 0.1, transcript="one")
    assert run(subject, 0.9, 0.1) == [TurnStart("r", "r.2"), TurnEnd("r", "", "r.2")]


def test_settings_change_from_the_next_step_on() -> None:
    subject = dialogue()
    run(subject, 0.9)
    subject.configure(TurnSettings(eager_end_threshold=0.6))
    assert run(subject, 0.55, transcript="") == [TurnEagerEnd("r", "", "r.1")]
    assert subject.settings.end_threshold == 0.2


@pytest.mark.parametrize("change", [{"eager_end_threshold": 0.59}, {"end_threshold": 0.4}, {"start_threshold": 0.3}])
def test_thresholds_that_are_out_of_order_with_those_in_force_change_nothing(change: dict[str, Any]) -> None:
    subject = dialogue(start_threshold=0.58)
    before = subject.settings
    with pytest.raises(ValueError, match="turn_"):
        subject.configure(TurnSettings(**change))
    assert subject.settings == before


def test_a_setting_that_is_not_given_has_the_vendors_default_of_today() -> None:
    assert Dialogue(TurnSettings(end_threshold=0.1), "r").settings == TurnSettings(0.8, 0.6, 0.1, 5600)


def test_each_turn_has_an_id_of_its_own_in_all_its_messages() -> None:
    subject = dialogue()
    turns = [run(subject, 0.9, 0.9, 0.3, 0.9, 0.1, transcript="a") for _ in range(2)]
    ids = [{message.turn_id for message in turn} for turn in turns]
    assert [len(each) for each in ids] == [1, 1]
    assert ids[0] != ids[1]
    assert "" not in ids[0] | ids[1]


def test_the_end_of_a_turn_says_which_languages_were_heard() -> None:
    hindi = (DetectedLanguage("hi", 0.9),)
    subject = Dialogue(SETTINGS, "r", hindi)
    (end,) = run(subject, 0.9, 0.1)[1:]
    assert end == TurnEnd("r", "", "r.1", hindi)


@pytest.mark.parametrize(
    ("settings", "eager", "end"),
    [(SETTINGS, (0.3, 0.5), (0.5, 0.9)), (TurnSettings(), (0.15, 0.3), (0.4, 0.6))],
    ids=["May 2026", "today"],
)
def test_silence_brings_the_eager_end_and_the_end_within_the_second(
    settings: TurnSettings, eager: tuple[float, float], end: tuple[float, float]
) -> None:
    subject, likelihood = Dialogue(settings, "r"), TurnLikelihood()
    assert spoken(subject, likelihood) == [START]
    eager_s = silence_until(TurnEagerEnd, subject, likelihood)
    end_s = eager_s + silence_until(TurnEnd, subject, likelihood)
    assert eager[0] <= eager_s <= eager[1]
    assert end[0] <= end_s <= end[1]


def test_a_pause_of_four_tenths_of_a_second_does_not_end_the_turn() -> None:
    subject, likelihood = Dialogue(TurnSettings(), "r"), TurnLikelihood()
    spoken(subject, likelihood)
    pause = [m for _ in range(12) for m in subject.step(likelihood.step(0.0, STEP_S), STEP_S)]
    assert pause + spoken(subject, likelihood) in (
        [],
        [TurnEagerEnd("r", "", "r.1"), TurnResume("r", "r.1")],
    )


def test_a_click_starts_no_turn() -> None:
    subject, likelihood = dialogue(), TurnLikelihood()
    assert spoken(subject, likelihood, duration_s=0.1) == []


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans())),
    st.sampled_from([TurnSettings(), TurnSettings(end_timeout_ms=640), TurnSettings(0.5, 0.49, 0.48)]),
)
def test_messages_keep_their_order_and_text_only_grows(steps: list[tuple[float, bool]], settings: TurnSettings) -> None:
    subject, heard = Dialogue(settings, "r"), ""
    last: type[TurnMessage] | None = None
    sent = ""
    for index, (likelihood, looked) in enumerate(steps):
        if subject.state is TurnState.IDLE:
            heard = ""
        heard += f" {index}" if looked else ""
        for message in subject.step(likelihood, 0.1, heard if looked else None):
            assert type(message) in FOLLOWERS[last]
            last = type(message)
            sent = "" if isinstance(message, TurnStart) else sent
            transcript = getattr(message, "transcript", sent)
            assert transcript.startswith(sent)
            sent = transcript
    assert len(subject.close()) == (last not in (None, TurnEnd))
