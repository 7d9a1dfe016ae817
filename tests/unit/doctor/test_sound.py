from __future__ import annotations

import numpy as np
import pytest
from livekit.plugins.cartesia_turns.doctor import sound
from livekit.plugins.cartesia_turns.doctor.pace import TRIED_S, without_pauses
from livekit.plugins.cartesia_turns.doctor.recording import Recording, load, sample
from livekit.plugins.cartesia_turns.doctor.speech import RATE, as_sent
from livekit.plugins.cartesia_turns.doctor.verdict import Verdict
from numpy.typing import NDArray
from support.speech import AUDIO
from support.verdicts import advised, called, levels

CLIPS = sorted(AUDIO.glob("*.wav"))
WELL = {"audio file": "ok", "loudness": "ok", "clipping": "ok", "channels": "ok", "sample rate": "ok"}


def speech(name: str = "sense-0920.wav") -> NDArray[np.int16]:
    samples: NDArray[np.int16] = load(AUDIO / name).samples[0]
    return samples


def of(*rows: NDArray[np.generic], rate: int = 16000) -> list[Verdict]:
    return sound.check(Recording("test", rate, np.stack(rows).astype(np.int16)))


def scaled(samples: NDArray[np.int16], factor: float) -> NDArray[np.floating]:
    cut: NDArray[np.floating] = np.clip(samples * factor, -32768, 32767)
    return cut


def rectified(samples: NDArray[np.int16], at: float) -> NDArray[np.floating]:
    """Cut off at this part of the peak, and then made quieter."""
    peak = float(np.abs(samples.astype(float)).max())
    return np.clip(samples, -at * peak, at * peak) * 0.5


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_recorded_speech_is_well(path: object) -> None:
    assert levels(sound.check(load(path))) == WELL  # type: ignore[arg-type]


def test_the_sample_of_the_package_is_well() -> None:
    assert levels(sound.check(sample())) == WELL


# Loudness.


def test_zeros_are_a_problem_and_the_rest_is_skipped() -> None:
    verdicts = of(np.zeros(16000))
    level, advice = advised(called("loudness", verdicts))
    assert level == "problem"
    assert "muted" in advice
    assert set(levels(verdicts).values()) == {"ok", "problem", "skipped"}


def test_noise_that_nobody_hears_is_silence() -> None:
    noise = np.random.default_rng(1).normal(0, 3, 16000)
    assert advised(called("loudness", of(noise)))[0] == "problem"


@pytest.mark.parametrize(("factor", "level"), [(1.0, "ok"), (0.05, "warning"), (0.004, "problem")])
def test_speech_that_is_too_quiet_is_told(factor: float, level: str) -> None:
    assert advised(called("loudness", of(scaled(speech(), factor))))[0] == level


def test_a_recording_of_no_time_at_all_is_silent() -> None:
    assert levels(of(np.zeros(1)))["loudness"] == "problem"


# Clipping.


@pytest.mark.parametrize(("factor", "level"), [(1.7, "ok"), (3.0, "warning"), (20.0, "problem")])
def test_speech_that_is_too_loud_is_clipped(factor: float, level: str) -> None:
    assert advised(called("clipping", of(scaled(speech(), factor))))[0] == level


def test_clipping_is_seen_when_the_sound_was_made_quieter_afterwards() -> None:
    assert advised(called("clipping", of(rectified(speech(), 0.15))))[0] == "problem"
    assert advised(called("clipping", of(rectified(speech(), 1.0))))[0] == "ok"


@pytest.mark.parametrize("hertz", [50, 100, 440, 1000])
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_pure_tone_is_not_clipped(hertz: int, rate: int) -> None:
    tone = 20000 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)
    assert levels(of(tone, rate=rate))["clipping"] == "ok"


# Channels.


def test_the_same_on_both_channels_is_well() -> None:
    assert levels(of(speech(), speech())) == WELL


def test_a_silent_channel_costs_loudness() -> None:
    level, advice = advised(verdict := called("channels", of(speech(), np.zeros(len(speech())))))
    assert level == "warning"
    assert "6 dB" in verdict.what
    assert "channel" in advice


def test_two_people_on_two_channels_are_a_warning() -> None:
    one, other = speech("sense-0920.wav")[:80000], speech("sense-0870.wav")[:80000]
    assert advised(called("channels", of(one, other)))[0] == "warning"


def test_channels_of_opposite_polarity_are_a_problem() -> None:
    assert advised(called("loudness", of(speech(), -speech())))[0] == "problem"
    verdicts = of(speech(), scaled(speech(), -0.8))
    assert advised(called("channels", verdicts))[0] == "problem"


# Sample rate.


@pytest.mark.parametrize("labelled", [5333, 8000, 32000, 48000])
def test_speech_with_a_wrong_label_is_a_warning_that_names_other_rates(labelled: int) -> None:
    level, advice = advised(verdict := called("sample rate", of(speech(), rate=labelled)))
    assert level == "warning"
    assert ("fast" if labelled > 16000 else "slow") in verdict.what
    assert "16000" in advice or "24000" in advice
    assert f"perhaps {labelled}" not in advice


def test_stereo_that_is_labelled_as_mono_is_a_problem() -> None:
    both = np.repeat(speech(), 2)
    level, advice = advised(called("sample rate", of(both)))
    assert level == "problem"
    assert "channels" in advice


def test_speech_from_a_telephone_line_in_a_wider_file_is_a_warning() -> None:
    spectrum = np.fft.rfft(speech())
    spectrum[np.fft.rfftfreq(len(speech()), 1 / 16000) > 3800] = 0
    verdict = called("sample rate", of(np.fft.irfft(spectrum, len(speech()))))
    assert advised(verdict)[0] == "warning"
    assert "phone" in verdict.what


def test_speech_at_the_rate_of_a_telephone_is_well() -> None:
    samples = speech()
    half = np.fft.irfft(np.fft.rfft(samples)[: len(samples) // 4 + 1], len(samples) // 2) / 2
    assert levels(of(half, rate=8000)) == WELL


def test_a_rate_too_low_for_speech_is_a_problem() -> None:
    assert advised(called("sample rate", of(speech(), rate=2000)))[0] == "problem"


@pytest.mark.parametrize("rate", [1, 50, 1000, 8000, 44100, 192000])
@pytest.mark.parametrize("length", [1, 2, 161, 5000, 40000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_recording_gets_all_five_verdicts(rate: int, length: int, channels: int) -> None:
    chance = np.random.default_rng(rate + length + channels)
    for row in (chance.normal(0, 5000, length), np.full(length, -32768), np.zeros(length), np.resize(speech(), length)):
        samples = np.tile(np.clip(row, -32768, 32767).astype(np.int16), (channels, 1))
        recording = Recording("any", rate, samples)
        verdicts = sound.check(recording)
        assert list(levels(verdicts)) == list(WELL)
        assert all(np.isfinite(list(verdict.figures.values())).all() for verdict in verdicts)
        if not sound.why_not_spoken(recording):
            assert len(without_pauses(as_sent(recording))) == round(TRIED_S * RATE) * 2


def test_too_little_speech_tells_nothing_of_the_rate() -> None:
    assert levels(of(speech()[16000:24000]))["sample rate"] == "skipped"
    hiss = np.random.default_rng(1).normal(0, 3000, 48000)
    assert levels(of(hiss))["sample rate"] == "skipped"
