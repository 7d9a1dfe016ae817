"""Fakes for a session: a microphone, a speaker, an LLM and a TTS that need no network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, llm, tts
from livekit.agents.voice import io

VOICE_RATE = 24000
"""Of what the agent says, in Hz."""


class Microphone(io.AudioInput):
    """An audio input that delivers the pushed frames."""

    def __init__(self) -> None:
        super().__init__(label="Microphone")
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.get()

    def push(self, frame: rtc.AudioFrame) -> None:
        """Pushes a frame to the session."""
        self._frames.put_nowait(frame)


class Speaker(io.AudioOutput):
    """A silent audio output in real time. It records when each speech began, stopped, was paused and resumed.

    Times are seconds of the wall clock. `played_s` has the played length of each speech.

    Args:
        pausable: whether it can pause, like a room's output.
    """

    def __init__(self, *, pausable: bool = True) -> None:
        super().__init__(
            label="Speaker", capabilities=io.AudioOutputCapabilities(pause=pausable), sample_rate=VOICE_RATE
        )
        self.started_at: list[float] = []
        self.stopped_at: list[float] = []
        self.paused_at: list[float] = []
        self.resumed_at: list[float] = []
        self.played_s: list[float] = []
        self._pushed_s = 0.0
        self._from = 0.0
        self._paused_since: float | None = None
        self._is_complete = False
        self._player: asyncio.TimerHandle | None = None

    @property
    def is_audible(self) -> bool:
        """Whether a speech has begun and is not over. It may be paused."""
        return bool(self._pushed_s)

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Receives a frame of the agent's speech."""
        await super().capture_frame(frame)
        if not self._pushed_s:
            self._from = self._now
            self.started_at.append(time.time())
            self.on_playback_started(created_at=time.time())
        self._pushed_s += frame.duration

    def flush(self) -> None:
        """Ends the speech: it has no more frames."""
        super().flush()
        self._is_complete = bool(self._pushed_s)
        self._play()

    def clear_buffer(self) -> None:
        """Stops at once."""
        if self._pushed_s:
            self._finish(True)

    def pause(self) -> None:
        """Pauses."""
        super().pause()
        if self._paused_since is not None:
            return
        self._paused_since = time.monotonic()
        self._stop()
        if self.is_audible:
            self.paused_at.append(time.time())

    def resume(self) -> None:
        """Resumes."""
        super().resume()
        if self._paused_since is None:
            return
        self._from += time.monotonic() - self._paused_since
        self._paused_since = None
        self._play()
        if self.is_audible:
            self.resumed_at.append(time.time())

    @property
    def _now(self) -> float:
        return time.monotonic() if self._paused_since is None else self._paused_since

    def _play(self) -> None:
        if self._is_complete and self._paused_since is None:
            left_s = self._from + self._pushed_s - time.monotonic()
            self._player = asyncio.get_running_loop().call_later(left_s, self._finish, False)

    def _stop(self) -> None:
        if self._player is not None:
            self._player.cancel()

    def _finish(self, interrupted: bool) -> None:
        self._stop()
        self.played_s.append(min(self._pushed_s, self._now - self._from))
        self._pushed_s, self._is_complete = 0.0, False
        self.stopped_at.append(time.time())
        self.on_playback_finished(playback_position=self.played_s[-1], interrupted=interrupted)


class FakeLLM(llm.LLM[Any]):
    """A fake LLM that answers at once. It records the time and the user's last words of each call.

    Args:
        reply: the answer, or a function that returns it for the user's last words.
    """

    def __init__(self, reply: str | Callable[[str], str] = "Certainly.") -> None:
        super().__init__()
        self.reply = reply
        """May be changed at any time."""
        self.asked_at: list[float] = []
        """In seconds of the wall clock."""
        self.heard: list[str] = []

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> llm.LLMStream:
        """Answers the user's last words."""
        said = [message.text_content or "" for message in chat_ctx.messages() if message.role == "user"]
        self.asked_at.append(time.time())
        self.heard.append(said[-1] if said else "")
        return _Answer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _Answer(llm.LLMStream):
    async def _run(self) -> None:
        model = self._llm
        if isinstance(model, FakeLLM):
            reply = model.reply if isinstance(model.reply, str) else model.reply(model.heard[-1])
            self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=llm.ChoiceDelta(role="assistant", content=reply)))


class FakeTTS(tts.TTS[str]):
    """Says each text in so many seconds of silence.

    Args:
        duration_s: may be changed at any time.
    """

    def __init__(self, duration_s: float = 0.2) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=VOICE_RATE, num_channels=1)
        self.duration_s = duration_s

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Says this text."""
        return _Utterance(tts=self, input_text=text, conn_options=conn_options)


class _Utterance(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(request_id="1", sample_rate=VOICE_RATE, num_channels=1, mime_type="audio/pcm")
        duration_s = self._tts.duration_s if isinstance(self._tts, FakeTTS) else 0.0
        output_emitter.push(bytes(2 * round(VOICE_RATE * duration_s)))
        output_emitter.flush()
