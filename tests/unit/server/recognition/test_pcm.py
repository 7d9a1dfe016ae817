from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.server.recognition.pcm import RATE, SAMPLE_BYTES, WINDOW, PcmReader
from numpy.typing import NDArray

TONE = np.sin(np.arange(RATE) * 2 * np.pi * 440 / RATE) * 0.5
WRITERS: dict[str, Callable[[NDArray[np.float64]], bytes]] = {
    "pcm_s16le": lambda x: np.rint(x * 32767).astype("<i2").tobytes(),
    "pcm_s32le": lambda x: np.rint(x * 2147483647).astype("<i4").tobytes(),
    "pcm_f16le": lambda x: x.astype("<f2").tobytes(),
    "pcm_f32le": lambda x: x.astype("<f4").tobytes(),
}


def read(encoding: str, rate: int, *frames: bytes) -> NDArray[np.float32]:
    reader = PcmReader(encoding, rate)
    windows = [window for frame in frames for window in reader.push(frame)]
    return np.concatenate([np.zeros(0, np.float32), *windows, *reader.flush()])


@pytest.mark.parametrize("encoding", WRITERS)
def test_linear_encodings_carry_the_same_tone(encoding: str) -> None:
    heard = read(encoding, RATE, WRITERS[encoding](TONE))
    assert np.abs(heard[:RATE] - TONE).max() < 0.001


@pytest.mark.parametrize(
    ("encoding", "codes", "samples"),
    [
        # ITU-T G.711: silence, the smallest steps, and both ends of the range.
        ("pcm_mulaw", [0xFF, 0x7F, 0xFE, 0x80, 0x00], [0, 0, 8, 32124, -32124]),
        ("pcm_alaw", [0xD5, 0x55, 0xD4, 0xAA, 0x2A], [8, -8, 24, 32256, -32256]),
    ],
)
def test_companded_encodings_follow_g711(encoding: str, codes: list[int], samples: list[int]) -> None:
    heard = read(encoding, RATE, bytes(codes))
    assert (heard[: len(codes)] * 32768).tolist() == samples


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 24000, 44100, 48000])
def test_any_rate_becomes_16_khz_of_the_same_length(rate: int) -> None:
    tone = np.sin(np.arange(rate) * 2 * np.pi * 440 / rate) * 0.5
    heard = read(
        "pcm_s16le", rate, *(part.astype("<i2").tobytes() for part in np.array_split(np.rint(tone * 32767), 50))
    )
    assert RATE <= len(heard) < RATE + 2 * WINDOW
    assert np.argmax(np.abs(np.fft.rfft(heard[:RATE]))) == 440


def test_a_rate_that_is_not_served_is_an_error() -> None:
    with pytest.raises(ValueError, match="sample_rate=7999"):
        PcmReader("pcm_s16le", 7999)


@given(st.sampled_from(list(SAMPLE_BYTES)), st.binary(max_size=5000), st.integers(1, 700))
def test_where_frames_end_makes_no_difference(encoding: str, data: bytes, size: int) -> None:
    frames = [data[start : start + size] for start in range(0, len(data), size)]
    assert read(encoding, RATE, *frames).tolist() == read(encoding, RATE, data).tolist()


@given(st.sampled_from(list(SAMPLE_BYTES)), st.binary(max_size=3000))
def test_any_bytes_become_samples_within_range(encoding: str, data: bytes) -> None:
    heard = read(encoding, RATE, data)
    assert np.isfinite(heard).all()
    assert np.abs(heard).max(initial=0) <= 1
