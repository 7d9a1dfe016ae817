"""A recording, read from a file of any format that FFmpeg knows, or the sample that comes with the package."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

LONGEST_S = 60.0
"""So much of a file is read: enough to tell what is wrong with it."""
SAMPLE_TEXT = "He was not an ill-disposed young man."
"""What is said in the sample: from a LibriVox reading of "Sense and Sensibility", which is in the public domain."""


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
    """Decodes the first LONGEST_S seconds of a file.

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
    except ValueError:
        raise UnreadableError(f"{path}: its format changes on the way") from None
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror or 'it could not be read'}") from None
    if not pieces:
        raise UnreadableError(f"{path}: there is no audio in it")
    return Recording(path.name, rate, np.concatenate(pieces, axis=1))


def _decode(container: av.container.InputContainer) -> tuple[int, list[NDArray[np.int16]]]:
    stream = container.streams.audio[0]
    # Planar: one row for each channel, whatever the file has.
    to_16_bit = av.AudioResampler(format="s16p")
    pieces: list[NDArray[np.int16]] = []
    read = 0
    for frame in container.decode(stream):
        for piece in to_16_bit.resample(frame):
            pieces.append(piece.to_ndarray().astype(np.int16, copy=False))
            read += piece.samples
        if read >= LONGEST_S * stream.sample_rate:
            break
    return stream.sample_rate, pieces


def _why(error: av.FFmpegError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, av.InvalidDataError):
        return "unknown audio format (raw PCM has no header: convert it to a WAV file)"
    return error.strerror or "it could not be read"
