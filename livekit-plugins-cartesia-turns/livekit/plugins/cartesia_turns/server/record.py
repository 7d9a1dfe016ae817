"""What the server remembers of a connection, for tests and for looking into a client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from .handshake import StreamRequest

MAX_AUDIO_BYTES = 64 * 2**20
MAX_MESSAGES = 10_000

Frame: TypeAlias = str | bytes


@dataclass(slots=True)
class ConnectionRecord:
    """One websocket, from its handshake to its end. The key is in none of its fields.

    Audio bytes, commands and messages are kept only by a server with `record=True`, and only so many: the first
    MAX_AUDIO_BYTES and MAX_MESSAGES. Times are of the event loop's clock, in seconds.

    Attributes:
        request_id: as in every message of this socket.
        query: the URL's parameters in order.
        headers: the handshake's headers.
        opened_s: when the handshake was answered.
        stream: what is in force after the handshake and each `config`; None if the handshake's settings were refused.
        closed_s: when the connection ended; None while it is open.
        close_code: of the first close frame, whichever side sent it; 1006 if there was none.
        audio_bytes: how much audio was received.
        audio_s: how much of it has been heard and answered, in seconds.
        audio: the bytes themselves.
        commands: text frames received.
        messages: frames sent, each with the audio time in seconds at which it went out.
    """

    request_id: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    opened_s: float
    keeps_content: bool = False
    stream: StreamRequest | None = None
    closed_s: float | None = None
    close_code: int | None = None
    audio_bytes: int = 0
    audio_s: float = 0.0
    audio: bytearray = field(default_factory=bytearray)
    commands: list[str] = field(default_factory=list)
    messages: list[tuple[float, Frame]] = field(default_factory=list)

    def closing(self, code: int) -> None:
        """Notes the code of a close; the first one counts."""
        if self.close_code is None:
            self.close_code = code

    def heard(self, pcm: bytes) -> None:
        """Notes received audio."""
        self.audio_bytes += len(pcm)
        if self.keeps_content:
            self.audio += pcm[: MAX_AUDIO_BYTES - len(self.audio)]

    def commanded(self, text: str) -> None:
        """Notes a received text frame."""
        if self.keeps_content and len(self.commands) < MAX_MESSAGES:
            self.commands.append(text)

    def sent(self, frame: Frame) -> None:
        """Notes a sent frame."""
        if self.keeps_content and len(self.messages) < MAX_MESSAGES:
            self.messages.append((self.audio_s, frame))


@dataclass(frozen=True, slots=True)
class Handshake:
    """One attempt to connect: when, in seconds of the event loop's clock, and the status it got, 0 for a reset."""

    at_s: float
    status: int
