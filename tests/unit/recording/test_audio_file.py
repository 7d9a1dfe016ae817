from __future__ import annotations

import tracemalloc
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from livekit.plugins.cartesia_turns.recording import audio_file as module
from livekit.plugins.cartesia_turns.recording.audio_file import AudioFile, flac, read_audio
from livekit.plugins.cartesia_turns.recording.schema import SchemaError

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


def test_a_disk_without_room_for_both_keeps_the_whole_wav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(target: Path, *_: object) -> None:
        target.write_bytes(b"fLaC")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_encode", full)
    file = AudioFile(tmp_path, 16000)
    file.write(NOISE)
    file.close()
    assert [path.name for path in tmp_path.iterdir()] == ["audio.wav"]
    with wave.open(str(tmp_path / "audio.wav")) as whole:
        assert whole.readframes(whole.getnframes()) == NOISE[: len(NOISE) // 2 * 2]


def test_a_long_call_becomes_flac_without_being_in_memory(tmp_path: Path) -> None:
    second = np.random.default_rng(2).normal(0, 2000, 16000).astype("<i2").tobytes()
    file = AudioFile(tmp_path, 16000)
    for _ in range(300):
        file.write(second)
    tracemalloc.start()
    file.close()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1_000_000
    audio = read_audio(tmp_path)
    assert audio is not None
    assert len(audio) == 300 * len(second)
    assert audio[-len(second) :] == second


@pytest.mark.parametrize("content", [b"", b"fLaC", b"no audio at all"])
def test_a_flac_that_is_damaged_is_refused_with_its_folder(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "audio.flac").write_bytes(content)
    with pytest.raises(SchemaError, match=r"audio\.flac is damaged"):
        read_audio(tmp_path)
