"""A client without a socket: a scenario plays the socket, the server and the clock."""

from __future__ import annotations

import math

from livekit.plugins.cartesia_turns.core.changes import Rejected
from livekit.plugins.cartesia_turns.core.chunk import Chunk
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.events import Notice, TurnEvent, Usage
from livekit.plugins.cartesia_turns.core.link import Outgoing, Ping
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.wire.messages import Connected, ServerMessage, TurnSettings, TurnStart, TurnUpdate
from livekit.plugins.cartesia_turns.wire.options import Options

RATE = 8000
FRAME_S = 0.1
TIMEOUT_S = 0.64
OPTIONS = Options(sample_rate=RATE, turn=TurnSettings(end_timeout_ms=round(TIMEOUT_S * 1000)))
START = TurnStart("r")


class Scenario:
    """A client, its present time, and what it sent and said.

    Sockets take everything at once; a server only says what the test says.
    """

    def __init__(self, options: Options = OPTIONS, *, limits: Limits | None = None, linked: bool = True) -> None:
        self.now = 100.0
        self.client = TurnsClient(options, limits or Limits(), self.now)
        self.sent: list[Outgoing] = []
        self.told: list[str] = []
        self.notices: list[Notice] = []
        self.rejections: list[Rejected] = []
        self.usage_s = 0.0
        self.number = 0
        self.pongs = True
        if linked:
            self.open()

    @property
    def audio(self) -> list[int]:
        """The number of each frame that was sent, 0 for silence of the client's own."""
        return [
            abs(int.from_bytes(item.pcm[:2], "little", signed=True)) // 100
            for item in self.sent
            if isinstance(item, Chunk)
        ]

    @property
    def commands(self) -> list[Outgoing]:
        """What was sent beside audio and pings."""
        return [item for item in self.sent if not isinstance(item, Chunk | Ping)]

    def open(self) -> None:
        self.client.link_opened(self.client.sockets.options, self.now)
        self.say(Connected("r"))
        self.pump()

    def note(self) -> None:
        for event in self.client.take_events():
            if isinstance(event, TurnEvent):
                self.told.append(f"{event.kind.value} {event.transcript}".strip())
                self.usage_s += event.usage_s
            elif isinstance(event, Notice):
                self.notices.append(event)
            elif isinstance(event, Rejected):
                self.rejections.append(event)
            elif isinstance(event, Usage):
                self.usage_s += event.seconds

    def usage(self) -> float:
        """Seconds of audio that were told as sent since the last call."""
        self.client.report_usage(self.now)
        self.note()
        told_s, self.usage_s = self.usage_s, 0.0
        return told_s

    def say(self, *messages: ServerMessage) -> None:
        for message in messages:
            self.client.receive(message, self.now)
            self.note()
        self.pump()

    def pump(self) -> None:
        while (item := self.client.outgoing(self.now)) is not None:
            self.sent.append(item)
            self.client.sent(item, self.now)
            if isinstance(item, Ping) and self.pongs:
                self.client.pong(item.payload, self.now)

    def speak(self, seconds: float, *, is_silent: bool = False, answers: bool = True) -> None:
        """Pushes audio in real time. Each frame has a number in its first sample; speech has a gap now and then."""
        for _ in range(round(seconds / FRAME_S)):
            self.number += 1
            self.wait(FRAME_S, answers=answers)
            swing = b"\0\0" if is_silent else b"\0\x20\0\xe0" if self.number % 10 else b"\0\2\0\xfe"
            frame = bytearray((swing * round(RATE * FRAME_S))[: 2 * round(RATE * FRAME_S)])
            frame[:2] = (0 if is_silent else 100 * (self.number % 300)).to_bytes(2, "little")
            self.client.push_audio(bytes(frame), self.now)
            self.note()
            if answers:
                self.pump()

    def wait(self, seconds: float, *, answers: bool = True) -> None:
        """Lets time pass and does what is due meanwhile."""
        until = self.now + seconds
        for _ in range(10_000):
            wake = min(self.client.deadline, self.client.sockets.send_at if answers else math.inf)
            if wake > until:
                break
            self.now = max(self.now, wake)
            if self.now >= self.client.deadline:
                self.client.tick(self.now)
                self.note()
            if answers:
                self.pump()
        else:
            raise AssertionError("the client asks for ever")
        self.now = until

    def lose(self, *, clean: bool = False, leaving: bool = False) -> None:
        self.client.link_lost(self.now, clean=clean, leaving=leaving)
        self.note()
        self.sent.clear()


def in_turn(text: str = "a b", *, limits: Limits | None = None) -> Scenario:
    """A turn that has begun a second ago."""
    scenario = Scenario(limits=limits)
    scenario.speak(1.0)
    scenario.say(START, TurnUpdate("r", text))
    scenario.told.clear()
    return scenario
