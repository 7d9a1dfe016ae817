"""The caller: pushes its words as audio, in real time or as fast as the plugin sends it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from livekit import rtc

from ..server.recognition.pcm import RATE
from . import speech
from .heard import Heard
from .speech import Say, Voice, quiet

FRAME_S = 0.02
WAIT_S = 15.0
"""How long a test waits for what should come, in seconds."""
POLL_S = 0.002
MOST_AHEAD_S = 1.0
"""So much audio may wait for the plugin where it is pushed faster than in real time."""


class Caller:
    """The caller of one call.

    Args:
        voice: makes the audio of the caller's words.
        heard: records what happens in the call.
        push: receives the frames of audio: 20 ms, 16 kHz, mono.
        backlog_s: returns the seconds of audio that wait to be sent. None: audio is pushed in real time.
    """

    def __init__(
        self,
        voice: Voice,
        heard: Heard,
        push: Callable[[rtc.AudioFrame], None],
        backlog_s: Callable[[], float] | None = None,
    ) -> None:
        self.heard = heard
        """What has happened in the call so far, with assertions."""
        self._voice = voice
        self._push = push
        self._backlog_s = backlog_s
        self._due = 0.0
        self._rest = b""
        self._words = 0

    async def say(self, text: str, *, pause: float | None = None, word_s: float = 0.3) -> Heard:
        """Says one line. The arguments are those of the function `say`, the result is that of `play`."""
        return await self.play(speech.say(text, pause=pause, word_s=word_s))

    async def play(self, *lines: Say) -> Heard:
        """Says these lines one after the other, each with its pause.

        Between two calls of this method no audio is pushed, as if the caller were muted.

        Returns:
            What has happened so far.

        Raises:
            AssertionError: the turn did not end within 15 s, or the call is over. The text lists what happened.
            TypeError: a line is something else, such as a text.
        """
        for line in lines:
            if not isinstance(line, Say):
                raise TypeError(f"play() takes what say(), silence() and noise() return, not {line!r}")
        for line in lines:
            await self._play(line)
        return self.heard

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Waits until the condition holds.

        Args:
            condition: is called every few milliseconds.
            what: the name of the condition, for the error.

        Raises:
            AssertionError: it did not hold within 15 s. The text lists what happened.
        """
        deadline = time.monotonic() + WAIT_S
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise self.heard.failure(f"{what} did not come within {WAIT_S:g} s")
            await asyncio.sleep(POLL_S)

    def check(self) -> None:
        """Checks that the call is open.

        Raises:
            AssertionError: it is over. The text lists what happened.
        """

    async def _play(self, line: Say) -> None:
        self.heard.note(str(line))
        turns = len(self.heard.turns)
        for pcm in self._voice.sound(line):
            await self._send(pcm)
            self.heard.said()
        self._words += len(line.words)
        await self._send(quiet(line.pause or 0.0))
        deadline = time.monotonic() + WAIT_S
        while line.pause is None and not self._is_told(turns + bool(line.noise_s)):
            self.check()
            if time.monotonic() > deadline:
                raise self.heard.failure(f"the turn in which {line} did not end within {WAIT_S:g} s")
            await self._send(quiet(FRAME_S))

    def _is_told(self, turns: int) -> bool:
        """Whether all words are in turns that are over, and at least so many turns are over."""
        said = len(self.heard.text.split())
        return not self.heard.in_turn and said >= self._words and len(self.heard.turns) >= turns

    async def _send(self, pcm: bytes) -> None:
        pcm = self._rest + pcm
        size = 2 * round(FRAME_S * RATE)
        whole = len(pcm) - len(pcm) % size
        self._rest = pcm[whole:]
        for start in range(0, whole, size):
            self.check()
            await self._pace()
            self._push(rtc.AudioFrame(pcm[start : start + size], RATE, 1, size // 2))

    async def _pace(self) -> None:
        if self._backlog_s is None:
            # A frame is there once its last sample was spoken.
            self._due = max(self._due + FRAME_S, time.monotonic())
            await asyncio.sleep(self._due - time.monotonic())
            return
        await asyncio.sleep(0)
        while self._backlog_s() > MOST_AHEAD_S:  # noqa: ASYNC110  # no event
            await asyncio.sleep(POLL_S)
