"""A voice with no key and no internet: espeak-ng behind LiveKit's `tts.TTS`. Plain, but quick and clear."""

from __future__ import annotations

import asyncio
import contextlib
import shutil

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectionError, APIConnectOptions, tts, utils
from livekit.agents.tts import AudioEmitter

PROGRAM = "espeak-ng"
INSTALL = f"`apt-get install {PROGRAM}`, or `brew install {PROGRAM}` on macOS"
SAMPLE_RATE = 22050
WAV_HEADER = 44
READ_BYTES = 4410
"""A tenth of a second: mono, signed 16-bit."""


def is_installed() -> bool:
    """Whether the program can be run here."""
    return shutil.which(PROGRAM) is not None


class EspeakTTS(tts.TTS[str]):
    """Speaks a sentence at a time.

    Args:
        voice: One of `espeak-ng --voices`.
        words_per_minute: How fast it speaks.
    """

    def __init__(self, *, voice: str = "en-us", words_per_minute: int = 165) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=SAMPLE_RATE, num_channels=1)
        self.command: tuple[str, ...] = (PROGRAM, "-v", voice, "-s", str(words_per_minute), "--stdin", "--stdout")

    @property
    def model(self) -> str:
        return PROGRAM

    @property
    def provider(self) -> str:
        return "offline"

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return EspeakStream(tts=self, input_text=text, conn_options=conn_options, command=self.command)


class EspeakStream(tts.ChunkedStream):
    """One sentence: its text goes to the program, and the audio comes as it is made."""

    def __init__(
        self, *, tts: EspeakTTS, input_text: str, conn_options: APIConnectOptions, command: tuple[str, ...]
    ) -> None:
        super().__init__(tts=tts, input_text=input_text, conn_options=conn_options)
        self._command = command

    async def _run(self, output_emitter: AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid("espeak_"), sample_rate=SAMPLE_RATE, num_channels=1, mime_type="audio/pcm"
        )
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        try:
            await self._speak(process, output_emitter)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _speak(self, process: asyncio.subprocess.Process, output_emitter: AudioEmitter) -> None:
        if process.stdin is None or process.stdout is None:
            raise APIConnectionError("espeak-ng has no pipes")
        if not process.stdin.is_closing():  # the program may have ended already, and uvloop writes to no closed pipe
            process.stdin.write(self.input_text.encode())
            process.stdin.close()
        with contextlib.suppress(asyncio.IncompleteReadError):  # the exit code tells
            await process.stdout.readexactly(WAV_HEADER)
        while pcm := await process.stdout.read(READ_BYTES):
            output_emitter.push(pcm)
        output_emitter.flush()
        if await process.wait() != 0:
            raise APIConnectionError("espeak-ng failed")
