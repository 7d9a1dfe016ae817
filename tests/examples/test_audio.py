from __future__ import annotations

import asyncio
import io
import re
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from transcription.audio import SAMPLE_RATE, Player, Recording, UserError, frames, levels, load, silence
from transcription.demo import demo_call


def write_wav(path: Path, samples: np.ndarray, *, rate: int = SAMPLE_RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def test_a_file_at_the_rate_of_the_plugin_is_read_sample_for_sample(tmp_path: Path) -> None:
    samples = np.arange(-500, 500, dtype=np.int16)
    recording = load(write_wav(tmp_path / "ramp.wav", samples))
    assert recording.name == "ramp.wav"
    assert np.array_equal(recording.samples, samples)


def test_stereo_at_another_rate_becomes_mono_of_the_same_length(tmp_path: Path) -> None:
    recording = load(write_wav(tmp_path / "stereo.wav", np.zeros(2 * 44100), rate=44100, channels=2))
    assert recording.duration_s == pytest.approx(1.0, abs=0.01)


def encoded(kind: str, *, rate: int = SAMPLE_RATE, layout: str = "mono") -> bytes:
    """The bytes of a file with two seconds of noise."""
    target, noise = io.BytesIO(), np.random.default_rng(1).integers(-3000, 3000, 2 * rate, np.int16)
    with av.open(target, "w", format=kind) as container:
        stream = container.add_stream({"adts": "aac", "mp3": "libmp3lame"}.get(kind, "flac"), rate=rate, layout=layout)
        to_stream = av.AudioResampler(stream.format, layout, rate)
        frame = av.AudioFrame.from_ndarray(noise[None, :], "s16", "mono")
        frame.sample_rate, frame.pts = rate, 0
        for piece in (*to_stream.resample(frame), None):
            container.mux(stream.encode(piece))
    return target.getvalue()


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3", "adts"])
def test_files_of_one_format_that_were_joined_are_read_to_the_end(kind: str, tmp_path: Path) -> None:
    (tmp_path / "joined").write_bytes(2 * encoded(kind))
    assert load(tmp_path / "joined").duration_s == pytest.approx(4.0, abs=0.3)


@pytest.mark.parametrize(("kind", "is_read"), [("mp3", True), ("adts", True), ("flac", False), ("ogg", False)])
def test_a_file_whose_rate_and_channels_change_is_read_to_the_end_or_refused_with_the_place(
    kind: str, is_read: bool, tmp_path: Path
) -> None:
    file = tmp_path / "joined"
    file.write_bytes(encoded(kind) + encoded(kind, rate=44100, layout="stereo"))
    if is_read:
        assert load(file).duration_s == pytest.approx(4.0, abs=0.3)
    else:
        # Versions of ffmpeg differ in whether they keep the last packet before the change.
        with pytest.raises(UserError, match=r"after (1\.9|2\.\d) s: it is damaged, or its format changes there$"):
            load(file)


def test_a_file_whose_last_packet_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "cut.flac").write_bytes(encoded("flac")[:-1000])
    assert 1.5 < load(tmp_path / "cut.flac").duration_s < 2.0


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("none.wav", None, "none.wav: no such file"),
        ("empty.wav", b"", "empty.wav is empty"),
        ("words.txt", b"these are words, not sounds\n" * 20, "words.txt is not an audio file"),
        ("noise.wav", bytes(range(256)) * 20, "noise.wav is not an audio file"),
    ],
)
def test_what_is_not_audio_is_named_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, complaint: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=re.escape(complaint) + "$") as caught:
        load(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_file_with_a_header_and_no_samples_holds_no_audio(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no audio"):
        load(write_wav(tmp_path / "silent.wav", np.zeros(0)))


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="directory"):
        load(tmp_path)


def test_the_demo_is_five_sentences_with_pauses() -> None:
    demo = demo_call()
    assert demo.name == "5 recorded sentences"
    assert 30 < demo.duration_s < 40
    assert not demo.samples[-SAMPLE_RATE:].any()


def test_frames_carry_every_sample_and_the_last_may_be_short() -> None:
    samples = np.arange(1000, dtype=np.int16)
    cut = list(frames(samples))
    assert [frame.samples_per_channel for frame in cut] == [320, 320, 320, 40]
    assert b"".join(bytes(frame.data) for frame in cut) == samples.tobytes()


def test_levels_are_peaks_relative_to_the_loudest() -> None:
    samples = np.array([0, -100, 50, 25, 0, 0], np.int16)
    assert levels(samples, 3) == [1.0, 0.5, 0.0]
    assert levels(np.array([-32768], np.int16), 1) == [1.0]


@pytest.mark.parametrize(("samples", "bins"), [(silence(0.0), 4), (silence(0.1), 4), (silence(0.0002), 8)])
def test_levels_of_silence_are_zero_however_little_there_is(samples: np.ndarray, bins: int) -> None:
    assert levels(samples, bins) == [0.0] * bins


async def test_a_stopped_player_ends_early() -> None:
    player = Player(Recording("long", silence(60.0)), is_live=False)
    async for _ in player.frames():
        if player.played_s > 1.01:
            player.stop()
    assert player.played_s == pytest.approx(1.02)


async def test_a_player_that_is_not_live_plays_at_once_and_lets_others_run() -> None:
    player = Player(Recording("long", silence(30.0)), is_live=False)
    turns_of_the_loop = 0

    async def count() -> None:
        nonlocal turns_of_the_loop
        while True:
            turns_of_the_loop += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    played = [frame async for frame in player.frames()]
    counting.cancel()
    assert len(played) == 1500
    assert turns_of_the_loop >= 1000
