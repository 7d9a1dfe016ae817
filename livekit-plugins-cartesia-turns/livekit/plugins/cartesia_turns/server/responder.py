"""What answers a connection: it takes audio and gives messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol, TypeAlias

from ..wire.messages import TurnSettings
from .handshake import StreamRequest
from .record import Frame


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
