from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest
from livekit.plugins.cartesia_turns.recording.audio_file import AudioFile, flac, read_audio

NOISE = np.random.default_rng(1).integers(-32768, 32767, 40_001, np.int16).tobytes()


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 12345])
def test_audio_is_read_to_the_sample_as_it_was_written(tmp_path: Path, rate: int) -> None:
    file = AudioFile(tmp_path, rate)
    for start in range(0, len(NOISE), 640):
        file.write(NOISE[start : start + 640])
    file.close()
    assert [path.name for path in tmp_path.iterdir()] == ["audio.flac"]
    assert read_audio(tmp_path) == NOISE


def test_a_player_takes_the_flac(tmp_path: Path) -> None:
    path = tmp_path / "audio.flac"
    path.write_bytes(flac(NOISE, 16000))
    with av.open(str(path)) as container:
        assert container.streams.audio[0].rate == 16000
        assert sum(frame.samples for frame in container.decode(audio=0)) == len(NOISE) // 2


def test_audio_of_a_process_that_was_killed_is_read_as_far_as_it_came(tmp_path: Path) -> None:
    file = AudioFile(tmp_path, 16000)
    file.write(NOISE[:1001])
    assert read_audio(tmp_path) == NOISE[:1000]
    with wave.open(str(tmp_path / "audio.wav")) as unfinished:
        assert unfinished.getframerate() == 16000


def test_silence_compresses_to_next_to_nothing(tmp_path: Path) -> None:
    file = AudioFile(tmp_path, 16000)
    file.write(bytes(320_000))
    file.close()
    assert (tmp_path / "audio.flac").stat().st_size < 10_000
    assert read_audio(tmp_path) == bytes(320_000)


def test_where_nothing_was_pushed_there_is_nothing(tmp_path: Path) -> None:
    AudioFile(tmp_path, 16000).close()
    assert read_audio(tmp_path) is None
    file = AudioFile(tmp_path, 16000)
    file.write(b"")
    file.close()
    assert read_audio(tmp_path) == b""


def test_a_folder_that_is_gone_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        AudioFile(tmp_path / "gone", 16000).write(NOISE)
