"""The audio of a call in a file: WAV while the call lasts, since that costs next to nothing, and FLAC afterwards."""

from __future__ import annotations

import contextlib
import wave
from collections.abc import Iterator
from io import BytesIO, FileIO
from pathlib import Path

import av
import numpy as np

from .schema import SchemaError

WAV, FLAC = "audio.wav", "audio.flac"
BLOCK_S = 1
"""FLAC is encoded in pieces of this many seconds."""
ENCODING = {"frame_size": "4608", "compression_level": "3"}
"""The longest frames that every player must take, and a short search: a minute of speech takes 10 ms of CPU time in
place of 14 ms by default, and 4 % more room."""
HEADER_BYTES = 44
"""The length of the header of the WAV files that are written here."""


class AudioFile:
    """Writes mono 16-bit audio into a file.

    Args:
        folder: the folder of the call.
        sample_rate: in Hz.
    """

    def __init__(self, folder: Path, sample_rate: int) -> None:
        self._folder = folder
        self._rate = sample_rate
        self._file: FileIO | None = None
        self._size = 0

    def write(self, pcm: bytes) -> None:
        """Appends audio.

        Raises:
            OSError: the disk does not take it.
        """
        if self._file is None:
            self._file = FileIO(self._folder / WAV, "w")
            # If the process is killed, a player uses this header, so it says the greatest length there can be.
            write_all(self._file, _header(self._rate, 0x7FFFFFFE - HEADER_BYTES))
        write_all(self._file, pcm)
        self._size += len(pcm)

    def let_go(self) -> None:
        """Closes the file as it is."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def close(self) -> None:
        """Completes the file, and replaces it with a smaller one if the disk has room for both.

        Raises:
            OSError: the disk does not take it.
        """
        if self._file is None:
            return
        self._file.seek(0)
        write_all(self._file, _header(self._rate, self._size))
        self._file.close()
        # The file is complete as it is.
        with contextlib.suppress(OSError):
            compress(self._folder)


def write_all(file: FileIO, data: bytes) -> None:
    """Writes all of the data, in as many steps as the disk needs.

    Raises:
        OSError: the disk does not take it.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def compress(folder: Path) -> None:
    """Turns the WAV file of a call into FLAC, which is half the size and loses nothing.

    Raises:
        OSError: the disk does not take it. The WAV file stays.
    """
    unfinished = folder / f"{FLAC}.part"
    try:
        with wave.open(str(folder / WAV)) as file:
            if not file.getnframes():
                return
            rate = file.getframerate()
            # Piece by piece, since a call of an hour takes 115 MB.
            _encode(unfinished, iter(lambda: file.readframes(BLOCK_S * rate), b""), rate)
        unfinished.rename(folder / FLAC)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    (folder / WAV).unlink()


def flac(pcm: bytes, rate: int) -> bytes:
    """The content of a FLAC file with these mono 16-bit samples at this rate, in Hz."""
    target = BytesIO()
    size = 2 * BLOCK_S * rate
    whole = pcm[: len(pcm) // 2 * 2]
    _encode(target, (whole[start : start + size] for start in range(0, len(whole), size)), rate)
    return target.getvalue()


def _encode(target: Path | BytesIO, blocks: Iterator[bytes], rate: int) -> None:
    with av.open(target, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate, layout="mono", format="s16")
        stream.options = ENCODING
        start = 0
        for block in blocks:
            samples = np.frombuffer(block, np.int16)
            frame = av.AudioFrame.from_ndarray(samples[None, :], "s16", "mono")
            frame.sample_rate, frame.pts = rate, start
            start += len(samples)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def read_audio(folder: Path) -> bytes | None:
    """The samples of a call: signed 16-bit little-endian mono; None if they were not kept.

    Raises:
        SchemaError: the file is damaged.
        OSError: the file can't be read.
    """
    if (folder / FLAC).exists():
        try:
            audio = b"".join(_decoded(folder / FLAC))
        except (av.FFmpegError, IndexError) as error:
            if isinstance(error, OSError):
                raise
            audio = b""
        # No FLAC is made of a call without audio.
        if not audio:
            raise SchemaError(f"{folder}: {FLAC} is damaged")
        return audio
    if not (folder / WAV).exists():
        return None
    content = (folder / WAV).read_bytes()[HEADER_BYTES:]
    return content[: len(content) // 2 * 2]


def _decoded(path: Path) -> Iterator[bytes]:
    with contextlib.closing(av.open(str(path))) as container:
        for frame in container.decode(audio=0):
            yield frame.to_ndarray().tobytes()


def _header(rate: int, size: int) -> bytes:
    target = BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.setnframes(size // 2)
        file.writeframesraw(b"")
    header = bytearray(target.getvalue())
    header[4:8] = (size + HEADER_BYTES - 8).to_bytes(4, "little")
    header[40:44] = size.to_bytes(4, "little")
    return bytes(header)
