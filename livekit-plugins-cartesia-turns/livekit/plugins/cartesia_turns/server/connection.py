"""A connection as the server's user sees it: what answers it, and what the server remembers of it.

The memory is for tests and for looking into a client.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from ..wire.messages import TurnSettings
from .handshake import StreamRequest

MAX_AUDIO_BYTES = 64 * 2**20
MAX_MESSAGES = 10_000

Frame: TypeAlias = str | bytes


class Responder(Protocol):
    """Answers the audio of one connection: the real recognizer, a script, or your own.

    The server checks settings before it passes them on. An exception that leaves a responder is logged; the client gets
    an `error` with status 500, and its socket is closed with 1011.
    """

    def hear(self, pcm: bytes) -> AsyncIterator[Frame]:
        """Takes the next audio, in the connection's encoding and rate; yields what to send, in order.

        It is called with no audio once, before any comes.
        """
        ...

    def configure(self, turn: TurnSettings) -> None:
        """Changes turn detection from here on.

        Raises:
            ValueError: the settings don't fit those in force.
        """
        ...

    def finish(self) -> AsyncIterator[Frame]:
        """Yields what is left to send: no more audio comes."""
        ...

    def close(self) -> None:
        """Frees what it holds; the connection is gone."""
        ...


ResponderFactory: TypeAlias = Callable[[StreamRequest], Responder]
"""Makes the responder of a connection that was accepted."""


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
