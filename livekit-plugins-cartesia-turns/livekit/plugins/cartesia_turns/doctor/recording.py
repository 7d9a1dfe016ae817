"""A recording, read from a file of any format that FFmpeg knows, or the sample that comes with the package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

READ_AT_MOST_S = 60.0
"""So much of a file is read: enough to tell what is wrong with it."""
SAMPLE_TEXT = "He was not an ill-disposed young man."
"""What is said in the sample: from a LibriVox reading of "Sense and Sensibility", which is in the public domain."""


SKIPPED_PACKETS = 2
"""So many packets in a row may be damaged. In speech that is less than a second."""


class _BreakOffError(Exception):
    """The file can't be decoded to its end, after `read_s` seconds that could."""

    def __init__(self, read_s: float) -> None:
        super().__init__()
        self.read_s = read_s


class UnreadableError(Exception):
    """The file can't be read. The text says why, in one line."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Decoded audio.

    Attributes:
        name: what to call it.
        sample_rate: in Hz, as the file says.
        samples: signed 16-bit, one row for each channel.
        text: what is said in it, where that is known.
    """

    name: str
    sample_rate: int
    samples: NDArray[np.int16]
    text: str = ""

    @property
    def channels(self) -> int:
        """How many channels it has."""
        return len(self.samples)

    @property
    def duration_s(self) -> float:
        """How long it is, in seconds."""
        return float(self.samples.shape[1] / self.sample_rate)

    @property
    def mono(self) -> NDArray[np.int16]:
        """All channels mixed down to one, as the plugin does it."""
        mixed: NDArray[np.int16] = self.samples.mean(axis=0).astype(np.int16)
        return mixed


def sample() -> Recording:
    """A short sentence, spoken."""
    with as_file(files(__package__).joinpath("sample.ogg")) as path:
        read = load(path)
    return Recording("the sample of the package", read.sample_rate, read.samples, SAMPLE_TEXT)


def load(path: Path) -> Recording:
    """Decodes the first READ_AT_MOST_S seconds of a file.

    Raises:
        UnreadableError: there is no such file, it holds no audio, or it is in no format that is known.
    """
    try:
        with av.open(str(path)) as container:
            rate, pieces = _decode(container)
    except IndexError:
        raise UnreadableError(f"{path}: there is no audio in it") from None
    except av.FFmpegError as error:
        raise UnreadableError(f"{path}: {_why(error)}") from None
    except _BreakOffError as error:
        raise UnreadableError(f"{path}: after {error.read_s:.1f} s it is damaged, or its format changes") from None
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror or 'it could not be read'}") from None
    if not pieces:
        raise UnreadableError(f"{path}: there is no audio in it")
    return Recording(path.name, rate, np.concatenate(pieces, axis=1))


def _decode(container: av.container.InputContainer) -> tuple[int, list[NDArray[np.int16]]]:
    # Planar: one row for each channel, whatever the file has.
    to_16_bit = av.AudioResampler(format="s16p")
    pieces: list[NDArray[np.int16]] = []
    rate = read = 0
    try:
        for frame in _frames(container):
            # What the stream itself says is the rate of its last frames.
            rate = rate or frame.sample_rate
            for piece in to_16_bit.resample(frame):
                pieces.append(piece.to_ndarray().astype(np.int16, copy=False))
                read += piece.samples
            if read >= READ_AT_MOST_S * rate:
                break
    except (av.FFmpegError, ValueError):
        # The resampler raises a ValueError if the rate or the channels change.
        if not pieces:
            raise
        raise _BreakOffError(read / rate) from None
    return rate, pieces


def _frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    """The frames of a file. Like a player it skips single packets without audio, as where MP3 files were joined."""
    skipped = 0
    for packet in container.demux(audio=0):
        try:
            yield from packet.decode()
            skipped = 0
        except av.InvalidDataError:  # noqa: PERF203  # each packet may be damaged by itself
            skipped += 1
            if skipped > SKIPPED_PACKETS:
                raise


def _why(error: av.FFmpegError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, av.InvalidDataError):
        return "unknown audio format (raw PCM has no header: convert it to a WAV file)"
    return error.strerror or "it could not be read"
