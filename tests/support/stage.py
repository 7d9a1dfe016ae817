"""A server that says what the test tells it to, as the audio comes in: as with the vendor's, no audio, no progress."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator

from livekit.plugins.cartesia_turns.server import StreamRequest
from livekit.plugins.cartesia_turns.server.connection import Frame
from livekit.plugins.cartesia_turns.wire.messages import ServerMessage, TurnSettings
from livekit.plugins.cartesia_turns.wire.protocol import serialize


class Stage:
    """Makes the responders of a `LocalServer(responder=stage)` and cues them.

    `said_at` has the wall clock's time of the last message of each kind.
    `after_silence_s`: how much digital silence in a row makes it say `at_silence`, once; as a server ends a turn.
    """

    def __init__(self) -> None:
        self.cues: deque[ServerMessage] = deque()
        self.at_silence: ServerMessage | None = None
        self.after_silence_s = 0.5
        self.requests: list[StreamRequest] = []
        self.configured: list[TurnSettings] = []
        self.said_at: dict[type[ServerMessage], float] = {}

    def __call__(self, stream: StreamRequest) -> Player:
        self.requests.append(stream)
        return Player(self, stream)

    def cue(self, *messages: ServerMessage) -> None:
        """What the next audio on any connection is answered with."""
        self.cues.extend(messages)


class Player:
    """Answers one connection."""

    def __init__(self, stage: Stage, stream: StreamRequest) -> None:
        self._stage = stage
        self._bytes_per_second = stream.bytes_per_second
        self._silence_s = 0.0

    async def hear(self, pcm: bytes) -> AsyncIterator[Frame]:
        if pcm:
            self._silence_s = 0.0 if any(pcm) else self._silence_s + len(pcm) / self._bytes_per_second
            if self._stage.at_silence and self._silence_s >= self._stage.after_silence_s:
                self._stage.cue(self._stage.at_silence)
                self._stage.at_silence = None
            while self._stage.cues:
                message = self._stage.cues.popleft()
                self._stage.said_at[type(message)] = time.time()
                yield serialize(message)

    def configure(self, turn: TurnSettings) -> None:
        self._stage.configured.append(turn)

    async def finish(self) -> AsyncIterator[Frame]:
        while self._stage.cues:
            yield serialize(self._stage.cues.popleft())

    def close(self) -> None:
        """Holds nothing."""
