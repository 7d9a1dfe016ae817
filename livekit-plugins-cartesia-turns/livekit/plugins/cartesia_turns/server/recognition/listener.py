"""Hears one connection: audio becomes turn likelihood and text, and those become the dialogue's messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from ...wire.messages import DetectedLanguage, TurnEnd, TurnMessage, TurnSettings
from ...wire.protocol import serialize
from ..connection import Frame
from ..dialogue import Dialogue, TurnLikelihood, TurnState
from ..handshake import StreamRequest
from .pcm import WINDOW_S, PcmReader, Samples
from .recognizer import Decoder, Recognizer
from .segment import Segment
from .transcript import TurnTranscript

UPDATE_S = 0.4
"""A growing segment is looked at again after so many seconds of audio, where the decoder is free."""

ENGLISH = (DetectedLanguage("en", 1.0),)
"""The only language that the recognizer knows."""


@dataclass(slots=True)
class _Look:
    """A hypothesis of the segment's first `windows` windows; `taken` once the turn has its words."""

    text: Future[str]
    windows: int
    at_pause: bool
    taken: bool = False


class Listener:
    """The responder with a recognizer behind it.

    The speech detector runs here, window by window; text comes from the decoder's thread. While the user speaks, the
    open segment is transcribed from time to time (a "look"), and nothing waits for the result. A pause asks for a look
    at once: if the turn ends there, it is the whole text; if the turn goes on, a long segment is cut there. The
    connection and its audio wait for the decoder only when a message must carry all that was said.

    The stream's keyterms are checked at the handshake and have no effect: the model can't be biased.
    """

    def __init__(self, stream: StreamRequest, recognizer: Recognizer, decoder: Decoder) -> None:
        self._pcm = PcmReader(stream.encoding, stream.sample_rate)
        self._detector = recognizer.detector()
        self._new_transcript = partial(TurnTranscript, recognizer.agreed_s, recognizer.context_s)
        self._decoder = decoder
        self._likelihood = TurnLikelihood()
        self._dialogue = Dialogue(stream.turn, stream.request_id, ENGLISH if stream.tells_languages else ())
        self._segment = Segment()
        self._transcript = self._new_transcript()
        self._look: _Look | None = None
        self._unseen_s = 0.0

    async def hear(self, pcm: bytes) -> AsyncIterator[Frame]:
        """Takes the next audio; yields the messages it leads to."""
        async for frame in self._hear(self._pcm.push(pcm)):
            yield frame

    def configure(self, turn: TurnSettings) -> None:
        """Changes turn detection.

        Raises:
            ValueError: the settings don't fit those in force.
        """
        self._dialogue.configure(turn)

    async def finish(self) -> AsyncIterator[Frame]:
        """Yields the messages of what is buffered, and ends the open turn."""
        async for frame in self._hear(self._pcm.flush()):
            yield frame
        text = None if self._dialogue.state is TurnState.IDLE else await self._settle()
        for message in self._dialogue.close(text):
            yield serialize(message)

    def close(self) -> None:
        """Leaves the decoder to others."""
        self._forget_look()

    async def _hear(self, windows: Iterable[Samples]) -> AsyncIterator[Frame]:
        for window in windows:
            for message in await self._hear_window(window):
                yield serialize(message)

    async def _hear_window(self, window: Samples) -> list[TurnMessage]:
        speech = self._detector(window)
        likelihood = self._likelihood.step(speech, WINDOW_S)
        self._segment.push(window, speech)
        messages = self._dialogue.step(likelihood, WINDOW_S, await self._text(likelihood))
        if self._dialogue.state is not TurnState.SPEAKING:
            self._segment.keep_pre_roll()
        if any(isinstance(message, TurnEnd) for message in messages):
            self._transcript = self._new_transcript()
        return messages

    async def _text(self, likelihood: float) -> str | None:
        """The turn's text if a look has brought a new one, or if a message needs it; else None."""
        if self._dialogue.needs_whole_text(likelihood, WINDOW_S):
            return await self._settle()
        if self._dialogue.state is not TurnState.SPEAKING:
            return None
        if (cut := self._segment.quietest_cut()) is not None:
            return self._transcript.cut(await self._take(cut))
        self._begin_look()
        return self._end_look()

    def _begin_look(self) -> None:
        self._unseen_s += WINDOW_S
        paused = self._segment.is_paused()
        if self._unseen_s < UPDATE_S and not paused:
            return
        under_way = self._look is not None and not self._look.taken
        if under_way or self._has_heard_all(at_pause=paused) or not self._segment.is_spoken():
            return
        # What was said before a pause is needed in any case, whether the turn ends or not; other looks can be left out.
        if not paused and not self._decoder.is_free:
            return
        self._look = _Look(self._decoder.submit(self._segment.audio(), final=paused), len(self._segment), paused)
        self._unseen_s = 0.0

    def _end_look(self) -> str | None:
        look = self._look
        if look is None or look.taken or not look.text.done():
            return None
        look.taken = True
        if not look.at_pause or look.windows < Segment.LONG:
            return self._transcript.agree(look.text.result(), look.windows * WINDOW_S)
        self._segment.take(look.windows)
        self._look = None
        return self._transcript.cut(look.text.result())

    def _has_heard_all(self, *, at_pause: bool) -> bool:
        """Whether the look has all that was said, and at a pause the pause too: a last word cut short is misheard."""
        look = self._look
        return look is not None and look.at_pause >= at_pause and not self._segment.speaks_after(look.windows)

    async def _settle(self) -> str:
        """Transcribes the segment for good; returns the turn's text."""
        if self._look is None or not self._has_heard_all(at_pause=True):
            return self._transcript.settle(await self._take())
        text = await asyncio.wrap_future(self._look.text)
        self._look = None
        self._segment.take()
        return self._transcript.settle(text)

    async def _take(self, cut: int | None = None) -> str:
        """Removes the segment, or its part before the cut; returns the words in it."""
        self._forget_look()
        audio = self._segment.take(cut)
        return "" if audio is None else await asyncio.wrap_future(self._decoder.submit(audio, final=True))

    def _forget_look(self) -> None:
        if self._look is not None:
            self._look.text.cancel()
        self._look = None
        self._unseen_s = 0.0
