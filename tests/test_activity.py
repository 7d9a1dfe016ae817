"""Voice is told from noise by its energy, against a floor that follows the room."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.activity import LONGEST_GAP_S, Activity, level_dbfs

RATE = 16000
FRAME_S = 0.02


def frame(level: float) -> bytes:
    """A frame of this level in dB below full scale."""
    if level == -math.inf:
        return bytes(round(RATE * FRAME_S) * 2)
    samples = np.full(round(RATE * FRAME_S), 32768 * 10 ** (level / 20))
    samples[::2] *= -1
    return samples.astype("<i2").tobytes()


def push(activity: Activity, level: float, seconds: float, now: float) -> float:
    """Pushes audio of this level in real time; returns the time behind it."""
    for _ in range(round(seconds / FRAME_S)):
        now += FRAME_S
        activity.push(frame(level), FRAME_S, now)
    return now


@pytest.mark.parametrize("level", [-60.0, -40.0, -20.0, -6.0])
def test_a_level_is_in_decibels_below_full_scale(level: float) -> None:
    assert level_dbfs(frame(level)) == pytest.approx(level, abs=0.5)


def test_digital_silence_and_nothing_have_no_level() -> None:
    assert level_dbfs(frame(-math.inf)) == level_dbfs(b"") == -math.inf


@given(st.binary(max_size=200).map(lambda pcm: pcm[: len(pcm) // 2 * 2]))
def test_any_audio_has_a_level_of_full_scale_at_most(pcm: bytes) -> None:
    assert level_dbfs(pcm) <= 0


def test_the_start_and_the_end_of_a_stretch_of_voice_are_known() -> None:
    activity = Activity()
    now = push(activity, -70, 1.0, 100.0)
    now = push(activity, -25, 2.0, now)
    now = push(activity, -70, 0.5, now)
    assert activity.voice_began(now, within_s=9) == pytest.approx(101.0)
    assert activity.voice_ended(now, within_s=9) == pytest.approx(103.0)
    assert activity.quiet_s == pytest.approx(0.5)


@pytest.mark.parametrize(("gap_s", "began"), [(LONGEST_GAP_S - 0.1, 100.0), (LONGEST_GAP_S + 0.1, 101.7)])
def test_a_pause_parts_two_stretches_only_where_it_is_long(gap_s: float, began: float) -> None:
    activity = Activity()
    now = push(activity, -25, 1.0, 100.0)
    now = push(activity, -70, gap_s, now)
    now = push(activity, -25, 1.0, now)
    assert activity.voice_began(now, within_s=9) == pytest.approx(began)


def test_voice_of_long_ago_is_not_told() -> None:
    activity = Activity()
    now = push(activity, -25, 1.0, 100.0)
    assert activity.voice_ended(now + 3, within_s=2.9) is None
    assert activity.voice_began(now, within_s=0.5) is None
    assert Activity().voice_ended(0.0, within_s=9) is None


def test_a_noise_that_stays_becomes_the_floor_and_speech_above_it_is_heard() -> None:
    activity = Activity()
    now = push(activity, -45, 30.0, 0.0)
    assert activity.quiet_s > 5
    push(activity, -25, 0.2, now)
    assert activity.quiet_s == 0


def test_what_is_quieter_than_any_voice_is_no_voice() -> None:
    activity = Activity()
    push(activity, -58, 1.0, 0.0)
    assert activity.quiet_s == math.inf
