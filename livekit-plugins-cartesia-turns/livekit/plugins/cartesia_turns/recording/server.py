"""Plays a recorded call to a real agent: a server on this machine that says what was said, and fails where it failed.

No audio and no recognizer is needed. The agent sends its own audio, and hears the messages where they came in the
recorded audio. If it sends the audio of the recording, it hears the recorded call.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from os import PathLike
from typing import Any

from livekit import rtc

from ..server.app import LocalServer
from ..server.connection import Frame, Responder
from ..server.faults import Faults
from ..server.handshake import StreamRequest
from ..server.vendor import Vendor
from ..wire.messages import TurnSettings
from ..wire.options import merge
from ..wire.vendor import Model
from .attempts import MOMENT_S, Attempt, attempts_of
from .files import Recording, load, pieces_of
from .schema import SchemaError

AWAY_S = 2.0
"""A client that hung up by itself and connects again within so many seconds goes on with the call."""
TOLD_AT_END_S = 0.5
"""Asked to finish, the server says what comes in the next so many seconds of audio, and the rest of an open turn."""


class RecordedServer(LocalServer):
    """Plays a recorded call, with its messages, lost sockets and refusals, to one client after the other.

        async with RecordedServer("calls/X") as server:
            stt = cartesia_turns.STT(**server.arguments)

    Messages, losses and refusals come where they came in the audio of each socket. When the call is over, the next
    client that connects begins it again. Serve one call at a time: two at once would share the recording.

    Args:
        recording: a call, or its folder. Its audio is needed for `speak` alone.
        host: the address to listen on.
        port: 0 takes a free one.
        key: the only key that is let in; a random one where none is given.
        tell: is told in a sentence of each step, and when the call is over.

    Raises:
        SchemaError: it is no recording that this version can read, or no server was ever asked in it.
        OSError: the files can't be read.
    """

    def __init__(
        self,
        recording: str | PathLike[str] | Recording,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        key: str | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> None:
        self.recording: Recording = recording if isinstance(recording, Recording) else load(recording)
        attempts = attempts_of(self.recording)
        if not attempts:
            raise SchemaError(f"{self.recording.folder} has no socket: there is nothing to play")
        self._playing = _Playing(attempts, tell)
        respond, plan = self._playing.respond, self._playing.plan
        super().__init__(host=host, port=port, key=key, responder=respond, vendor=_Lenient(), faults=plan)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of an `STT` that connects to this server, with the options that the call began with."""
        options = self.recording.options
        turn = {f"turn_{name}": getattr(options.turn, name) for name in options.turn.__slots__}
        lists = {"keyterm": list(options.keyterms), "language_hints": list(options.language_hints)}
        asked = {"model": options.model, "sample_rate": options.sample_rate, **turn, **lists}
        return {"base_url": self.url, "api_key": self.key, **{name: value for name, value in asked.items() if value}}

    @property
    def is_over(self) -> bool:
        """The call was played to its end, at least once."""
        return self._playing.over.is_set()

    async def __aenter__(self) -> RecordedServer:
        await self.start()
        return self

    async def over(self, within_s: float = 60.0) -> None:
        """Waits until the call was played to its end.

        Raises:
            TimeoutError: that takes more than `within_s` seconds.
        """
        await asyncio.wait_for(self._playing.over.wait(), within_s)

    async def speak(self, push: Callable[[rtc.AudioFrame], object]) -> None:
        """Pushes the recorded audio in the same pieces at the same times, in real time.

        Args:
            push: takes a frame, such as `stream.push_frame`.

        Raises:
            SchemaError: the audio was not kept.
        """
        rate, began = self.recording.options.sample_rate, time.monotonic()
        for since_s, pcm in pieces_of(self.recording):
            await asyncio.sleep(max(0.0, began + since_s - time.monotonic()))
            push(rtc.AudioFrame(pcm, rate, 1, len(pcm) // 2))


class _Playing:
    """Where the call stands: which attempt comes next, and whether the client is still there."""

    def __init__(self, attempts: list[Attempt], tell: Callable[[str], object] | None) -> None:
        self.over = asyncio.Event()
        self._attempts = attempts
        self._tell = tell
        self._next = 0
        self._responder: _Responder | None = None
        """What answers the socket that is open now."""
        self._ended_at = -math.inf
        """When the last socket ended or the last attempt was refused, in monotonic seconds."""
        self._has_left = False
        """The client hung up where it did not in the recording."""

    def plan(self, _: int) -> Faults:
        """What goes wrong with the next attempt. A refused one is over with that."""
        is_away = self._responder is None and time.monotonic() - self._ended_at > AWAY_S
        if is_away and (self._has_left or self._next == len(self._attempts)):
            self._next = 0
        attempt = self._upcoming
        if attempt.is_refused:
            self._go_on("is refused, as recorded")
            self._ended()
        return attempt.faults

    def respond(self, stream: StreamRequest) -> Responder:
        """What answers the next socket."""
        attempt = self._upcoming
        self._has_left = False
        self._responder = _Responder(attempt, stream, self)
        self._go_on("is connected")
        return self._responder

    def heard(self, responder: _Responder) -> None:
        """A socket has had more audio."""
        if responder is self._responder and responder.is_through:
            self._end_call()

    def closed(self, responder: _Responder) -> None:
        """A socket has ended."""
        if responder is not self._responder:
            return
        self._responder = None
        self._has_left = not (responder.is_through or responder.attempt.is_closed_by_client)
        if self._has_left:
            self._say(f"the client hung up after {responder.heard_s:.1f} s of audio, which it did not in the recording")
        self._ended()

    @property
    def _upcoming(self) -> Attempt:
        """The next attempt. If the client goes on where the recording ends, it hears nothing more."""
        return self._attempts[self._next] if self._next < len(self._attempts) else Attempt(Faults())

    def _go_on(self, what: str) -> None:
        if self._next < len(self._attempts):
            self._next += 1
            self.over.clear()
            self._say(f"connection {self._next} of {len(self._attempts)} {what}")

    def _ended(self) -> None:
        self._ended_at = time.monotonic()
        self._end_call()

    def _end_call(self) -> None:
        if self._next == len(self._attempts) and not self.over.is_set():
            self.over.set()
            self._say("the call is over; the next client begins it again")

    def _say(self, sentence: str) -> None:
        if self._tell is not None:
            self._tell(sentence)


class _Responder:
    """Says what was said on one socket."""

    def __init__(self, attempt: Attempt, stream: StreamRequest, playing: _Playing) -> None:
        self.attempt = attempt
        self.heard_s = 0.0
        self._bytes = 0
        self._bytes_per_second = stream.bytes_per_second
        self._left = deque(attempt.sayings)
        self._in_turn = False
        self._playing = playing

    @property
    def is_through(self) -> bool:
        """The socket has had as much audio as in the recording, and all was said."""
        return not self._left and self.heard_s >= self.attempt.ends_s - MOMENT_S

    async def hear(self, pcm: bytes) -> AsyncIterator[Frame]:
        """Yields the messages whose time has come."""
        self._bytes += len(pcm)
        self.heard_s = self._bytes / self._bytes_per_second
        while self._left and self._left[0].at_s <= self.heard_s:
            yield self._take()
        self._playing.heard(self)

    def configure(self, turn: TurnSettings) -> None:
        """Changes nothing: the server says what it said."""

    async def finish(self) -> AsyncIterator[Frame]:
        """Yields what would come next: no more audio follows."""
        while self._left and (self._in_turn or self._left[0].at_s <= self.heard_s + TOLD_AT_END_S):
            yield self._take()
        self._playing.heard(self)

    def close(self) -> None:
        """The connection is gone."""
        self._playing.closed(self)

    def _take(self) -> Frame:
        saying = self._left.popleft()
        self._in_turn = saying.in_turn
        return saying.frame


class _Lenient(Vendor):
    """Takes whatever the agent asks for. What the recorded server refused is in the recording."""

    def model(self, name: str) -> Model:
        """A model of any name."""
        return Model(name, (), takes_hints=True, tells_languages=False, changes_lists=True)

    def changed(self, turn: TurnSettings, change: TurnSettings) -> TurnSettings:
        """The settings after any change."""
        return merge(turn, change)

    def check_keyterms(self, terms: Sequence[str]) -> None:
        """Takes all."""

    def check_language_hints(self, model: Model, hints: Sequence[str]) -> None:
        """Takes all."""
