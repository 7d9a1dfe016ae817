from __future__ import annotations

import io
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from livekit.plugins.cartesia_turns.doctor import recording
from livekit.plugins.cartesia_turns.doctor.recording import UnreadableError, load, sample
from support.speech import AUDIO


def wav(path: Path, rows: list[list[int]], rate: int = 16000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(rows))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.array(rows, "<i2").T.tobytes())
    return path


def test_a_wav_file_is_read_as_it_is(tmp_path: Path) -> None:
    read = load(wav(tmp_path / "two.wav", [[1, 2, 3], [-1, -2, -3]], 44100))
    assert (read.name, read.sample_rate, read.channels) == ("two.wav", 44100, 2)
    assert read.samples.tolist() == [[1, 2, 3], [-1, -2, -3]]
    assert read.mono.tolist() == [0, 0, 0]
    assert read.duration_s == pytest.approx(3 / 44100)


def encoded(kind: str, rate: int = 24000) -> bytes:
    """The bytes of a file of a second, in stereo."""
    target = io.BytesIO()
    with av.open(target, "w", format=kind) as container:
        stream = container.add_stream(kind, rate=rate)
        stream.layout = "stereo"
        tone = np.zeros((2, rate), np.int16) if kind == "mp3" else np.zeros((1, 2 * rate), np.int16)
        frame = av.AudioFrame.from_ndarray(tone, format="s16p" if kind == "mp3" else "s16", layout="stereo")
        frame.sample_rate = rate
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return target.getvalue()


@pytest.mark.parametrize("times", [1, 3])
def test_other_formats_are_read_too_and_so_are_joined_files(times: int, tmp_path: Path) -> None:
    path = tmp_path / "tone.mp3"
    path.write_bytes(times * encoded("mp3"))
    read = load(path)
    assert (read.sample_rate, read.channels) == (24000, 2)
    assert read.duration_s == pytest.approx(times, abs=0.2 * times)


@pytest.mark.parametrize("kind", ["mp3", "flac"])
def test_a_file_whose_format_changes_is_refused_with_the_place(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "joined"
    path.write_bytes(encoded(kind) + encoded(kind, 44100))
    with pytest.raises(UnreadableError, match=r"joined: after 1\.\d s it is damaged, or its format changes$"):
        load(path)


def test_of_a_long_file_only_the_beginning_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "READ_AT_MOST_S", 1.0)
    assert 1.0 <= load(AUDIO / "sense-0870.wav").duration_s < 2.0


@pytest.mark.parametrize("content", [b"", b"no audio at all", b"\0" * 4000, b"RIFF\0\0\0\0WAVE"])
def test_a_file_that_holds_no_audio_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.wav"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=r"odd\.wav: "):
        load(path)


def test_a_wav_file_without_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="no audio"):
        load(wav(tmp_path / "empty.wav", [[]]))


def test_a_file_without_a_sound_track_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    with pytest.raises(UnreadableError, match="no audio"):
        load(path)


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="no such file"):
        load(tmp_path / "none.wav")
    with pytest.raises(UnreadableError):
        load(tmp_path)


def test_the_sample_of_the_package_is_a_short_sentence() -> None:
    assert 2.0 < sample().duration_s < 4.0
    assert sample().text.startswith("He was not")
    assert sample().channels == 1
