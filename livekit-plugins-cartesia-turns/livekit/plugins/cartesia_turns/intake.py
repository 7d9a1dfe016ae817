"""Passes the frames that a user pushes to the driver, in order: at once where it can, else by way of a channel."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from livekit import rtc
from livekit.agents import stt, utils

from .agent_session import commits_to_answer
from .audio import PcmConverter, pieces_of
from .core.client import TurnsClient
from .net.driver import Driver
from .net.tasks import finish
from .settings import StreamSettings

LONGEST_PIECE_S = 0.5
"""A longer frame is converted and taken in pieces: others get a turn between them, and `max_buffer` may be as short as
a second."""
LONGEST_STEP_S = 1.0
"""Others get a turn of the event loop after so much audio, however much was pushed at once."""
LOOK_EVERY_S = 0.02
"""How often a long recording that is pushed all at once looks whether there is room for more of it."""

Input: TypeAlias = "rtc.AudioFrame | stt.RecognizeStream._FlushSentinel"


class Intake:
    """The input of one stream.

    Args:
        channel: what the user has pushed and what could not be passed on at once.
        driver: takes the audio.
        client: the driver's.
        settings: the stream's.
    """

    __slots__ = (
        "_channel",
        "_client",
        "_converter",
        "_driver",
        "_failure",
        "_is_waiting",
        "_rate",
        "_settings",
        "_taken_s",
    )

    def __init__(
        self, channel: utils.aio.Chan[Input], driver: Driver, client: TurnsClient, settings: StreamSettings
    ) -> None:
        self._channel = channel
        self._driver = driver
        self._client = client
        self._settings = settings
        self._rate = client.sockets.options.sample_rate
        self._converter = PcmConverter(self._rate, settings.audio_chunk_duration_ms)
        self._is_waiting = False
        """All earlier input has been passed on, so a frame need not go through the channel."""
        self._taken_s = 0.0
        """Seconds of audio since other tasks last got a turn."""
        self._failure: Exception | None = None

    def push_now(self, frame: rtc.AudioFrame) -> bool:
        """Sends a frame before it returns, if nothing waits before it and it needs no conversion.

        Returns:
            Whether it did. If not, the frame is for the channel.
        """
        if not self._is_waiting or not self._channel.empty():
            return False
        try:
            pcm = self._converter.as_it_is(frame)
            return pcm is not None and self._driver.push_now(pcm)
        except Exception as error:
            # The framework's task that pushes frames must not end with it. `run` does, as soon as it takes this frame.
            self._failure = error
            return False

    async def run(self) -> None:
        """Passes on what comes through the channel, until that is closed."""
        commits = commits_to_answer() if self._settings.manual_flush else None
        while True:
            self._is_waiting = commits is None
            try:
                item = await self._next()
            except utils.aio.ChanClosed:
                break
            finally:
                self._is_waiting = False
            if self._failure is not None:
                raise self._failure
            if isinstance(item, rtc.AudioFrame):
                for piece in pieces_of(item, LONGEST_PIECE_S):
                    await self._push(self._converter.push(piece))
            else:
                await self._push(self._converter.flush())
            if isinstance(item, stt.RecognizeStream._FlushSentinel):
                self._flush()
            elif commits is not None and commits.is_new():
                await self._push(self._converter.flush())
                self._flush()
        self._driver.end_input()

    async def _next(self) -> Input | None:
        """The next frame or flush; None if a chunk that is not full has waited for the length of a chunk."""
        if not self._converter.is_holding:
            return await self._channel.recv()
        hold_s = (self._settings.audio_chunk_duration_ms or 0) / 1000
        receiving = await finish(asyncio.create_task(self._channel.recv()), hold_s)
        return None if receiving.cancelled() else receiving.result()

    async def _push(self, pieces: list[bytes]) -> None:
        for pcm in pieces:
            if self._channel.closed:
                await self._wait_for_room()
            self._driver.push(pcm)
            self._taken_s += len(pcm) / 2 / self._rate
            if self._taken_s >= LONGEST_STEP_S:
                self._taken_s = 0.0
                await asyncio.sleep(0)

    async def _wait_for_room(self) -> None:
        """Waits for room after the end of the input, since more audio would push out what waits to be sent."""
        while self._client.stats.backlog_s > self._settings.buffer_s / 2:  # noqa: ASYNC110  # no event
            await asyncio.sleep(LOOK_EVERY_S)

    def _flush(self) -> None:
        # `end_input` flushes too, but the close that follows brings the final.
        if not self._channel.closed:
            self._driver.flush()
