from __future__ import annotations

import numpy as np
import pytest
from livekit.plugins.cartesia_turns.doctor.recording import load
from livekit.plugins.cartesia_turns.doctor.sound import FAST, SLOW
from livekit.plugins.cartesia_turns.doctor.tempo import octaves_off
from support.speech import AUDIO

CLIPS = sorted(AUDIO.glob("*.wav"))
ALL = np.concatenate([load(path).samples[0] for path in CLIPS])


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_speech_at_its_own_speed_is_within_what_speakers_differ_by(path: object) -> None:
    off = octaves_off(load(path).samples[0], 16000)  # type: ignore[arg-type]
    assert off is not None
    assert SLOW < off < FAST


@pytest.mark.parametrize(("times", "octaves"), [(1 / 3, -1.6), (1 / 2, -1.0), (2.0, 1.0), (3.0, 1.6)])
def test_speech_at_another_speed_is_off_by_about_as_much(times: float, octaves: float) -> None:
    off = octaves_off(ALL, round(16000 * times))
    assert off is not None
    assert off == pytest.approx(octaves, abs=0.65)
    assert not SLOW < off < FAST


@pytest.mark.parametrize("times", [1 / 2, 2.0])
def test_noise_and_a_telephone_line_change_little(times: float) -> None:
    noise = np.random.default_rng(1).normal(0, 0.15 * ALL.std(), len(ALL))
    spectrum = np.fft.rfft(ALL + noise)
    frequencies = np.fft.rfftfreq(len(ALL), 1 / 16000)
    spectrum[(frequencies < 250) | (frequencies > 3400)] = 0
    line = np.fft.irfft(spectrum, len(ALL)).astype(np.int16)
    for rate, is_off in ((16000, False), (round(16000 * times), True)):
        off = octaves_off(line, rate)
        assert off is not None
        assert (not SLOW < off < FAST) is is_off


@pytest.mark.parametrize("samples", [np.zeros(16000, np.int16), np.zeros(0, np.int16), np.ones(16000, np.int16)])
def test_what_is_no_speech_has_no_speed(samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> None:
    assert octaves_off(samples, 16000) is None


@pytest.mark.parametrize("hertz", [60, 440, 3000])
def test_a_tone_has_no_speed(hertz: int) -> None:
    tone = (10000 * np.sin(2 * np.pi * hertz * np.arange(48000) / 16000)).astype(np.int16)
    assert octaves_off(tone, 16000) is None


def test_noise_has_no_speed() -> None:
    assert octaves_off(np.random.default_rng(1).normal(0, 3000, 48000).astype(np.int16), 16000) is None
