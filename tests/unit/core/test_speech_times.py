"""The speech of a turn ends with its voice, or where no voice tells, with its text."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.speech import Activity
from livekit.plugins.cartesia_turns.core.speech_times import LONGEST_WORD_S, SpeechTimes
from support.noise import push


def turn(*, voice_s: float, rest_s: float, text_s: float | None) -> float:
    """When the speech of a turn ended after its start: voice, something else, and new text at this time."""
    activity = Activity()
    times = SpeechTimes(activity)
    now = push(activity, -70, 1.0, 0.0)
    began = now
    now = push(activity, -25, 0.3, now)
    assert times.turn_started(now) == pytest.approx(began)
    now = push(activity, -25, voice_s - 0.3, now)
    if text_s is not None:
        times.turn_went_on("a", began + text_s)
    ended_at = times.turn_ended(push(activity, -70, rest_s, now))
    assert times.end_was_heard == (ended_at == pytest.approx(began + voice_s))
    return ended_at - began


@pytest.mark.parametrize("text_s", [0.5, 1.0, 1.5, 3.0, None])
def test_speech_ends_with_the_voice_whether_the_text_is_a_little_early_or_late(text_s: float | None) -> None:
    assert turn(voice_s=1.2, rest_s=2.0, text_s=text_s) == pytest.approx(1.2)


def test_what_sounds_like_voice_long_after_the_last_words_is_none() -> None:
    assert turn(voice_s=1.0 + LONGEST_WORD_S, rest_s=0.5, text_s=0.8) == pytest.approx(0.8)


def test_speech_that_nobody_heard_ended_with_its_last_words_or_just_now() -> None:
    times = SpeechTimes(Activity())
    assert times.turn_started(5.0) == 5.0
    assert times.turn_ended(7.0) == 7.0
    assert not times.end_was_heard
    times.turn_started(8.0)
    times.turn_went_on("a", 8.5)
    assert times.turn_ended(9.0) == 8.5
    assert times.turn_started(10.0) == times.turn_ended(10.0) == 10.0


def test_the_end_of_speech_in_a_noise_as_loud_is_a_guess() -> None:
    activity = Activity()
    times = SpeechTimes(activity)
    now = push(activity, -25, 2.0, 0.0)
    times.turn_started(now)
    times.turn_went_on("a", now)
    now = push(activity, -25, 0.5, now)
    assert times.turn_started(now) <= times.turn_ended(now) <= now
    assert not times.end_was_heard


def test_voice_that_the_server_had_not_heard_when_it_ended_the_turn_is_not_of_that_turn() -> None:
    activity = Activity()
    times = SpeechTimes(activity)
    began = push(activity, -70, 1.0, 0.0)
    ended = push(activity, -25, 1.0, began)
    times.turn_started(ended)
    times.turn_went_on("a", ended)
    heard_until = push(activity, -70, 0.5, ended)
    now = push(activity, -25, 0.3, heard_until)
    now = push(activity, -70, 0.1, now)
    assert times.turn_ended(now) == pytest.approx(now - 0.1)
    assert times.turn_ended(now, heard_until) == pytest.approx(ended)
    assert times.end_was_heard
