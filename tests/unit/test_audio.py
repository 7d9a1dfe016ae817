"""Frames of any format become the PCM of the wire."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit import rtc
from livekit.plugins.cartesia_turns.audio import PcmConverter, pieces_of


def frame(samples: np.ndarray, rate: int = 16000, channels: int = 1) -> rtc.AudioFrame:
    pcm = samples.astype("<i2").tobytes()
    return rtc.AudioFrame(pcm, rate, channels, len(pcm) // 2 // channels)


def tone(rate: int, seconds: float, hz: float = 440.0) -> np.ndarray:
    return 10000 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)


def test_mono_at_the_right_rate_passes_through_as_it_comes() -> None:
    converter = PcmConverter(16000)
    samples = np.arange(160)
    assert converter.push(frame(samples)) == [samples.astype("<i2").tobytes()]
    assert converter.flush() == []
    assert not converter.is_holding


def test_stereo_is_mixed_down() -> None:
    stereo = np.stack([np.full(160, 1000), np.full(160, 3000)], axis=1).reshape(-1)
    (pcm,) = PcmConverter(16000).push(frame(stereo, channels=2))
    assert np.frombuffer(pcm, "<i2").tolist() == [2000] * 160


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_any_rate_is_resampled_with_its_length_and_pitch_kept(rate: int) -> None:
    converter, samples = PcmConverter(16000), tone(rate, 1.0)
    pieces = [pcm for part in np.array_split(samples, 50) for pcm in converter.push(frame(part, rate))]
    out = np.frombuffer(b"".join([*pieces, *converter.flush()]), "<i2")
    assert out.size == pytest.approx(16000, rel=0.02)
    spectrum = np.abs(np.fft.rfft(out))
    assert np.argmax(spectrum) * 16000 / out.size == pytest.approx(440, abs=3)


def test_a_rate_that_changes_in_between_loses_nothing() -> None:
    converter = PcmConverter(16000)
    pieces = []
    for rate in (48000, 16000, 8000, 48000):
        for part in np.array_split(tone(rate, 0.5), 25):
            pieces += converter.push(frame(part, rate))
    out = b"".join([*pieces, *converter.flush()])
    assert len(out) / 2 == pytest.approx(32000, rel=0.03)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 400), max_size=20), st.integers(1, 60))
def test_chunks_have_one_length_and_hold_every_sample_in_order(lengths: list[int], chunk_ms: int) -> None:
    converter, given_in, pieces = PcmConverter(16000, chunk_ms), b"", []
    for number, length in enumerate(lengths):
        samples = np.full(length, number)
        given_in += samples.astype("<i2").tobytes()
        pieces += converter.push(frame(samples))
    assert {len(piece) for piece in pieces} <= {16 * chunk_ms * 2}
    assert b"".join([*pieces, *converter.flush()]) == given_in
    assert not converter.is_holding


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("samples", [0, 1, 500, 501, 1234])
def test_the_pieces_of_a_long_frame_hold_every_sample_in_order(samples: int, channels: int) -> None:
    whole = frame(np.arange(samples * channels), 1000, channels)
    pieces = list(pieces_of(whole, 0.5))
    assert b"".join(bytes(piece.data) for piece in pieces) == bytes(whole.data)
    assert all(piece.samples_per_channel <= 500 for piece in pieces)
    assert {(piece.sample_rate, piece.num_channels) for piece in pieces} == {(1000, channels)}
    assert pieces[0] is whole or samples > 500


def test_a_frame_of_any_rate_has_pieces() -> None:
    assert len(list(pieces_of(frame(np.arange(3), 1), 0.5))) == 3
