"""What a connection has received and not yet heard, bounded in bytes."""

from __future__ import annotations

import asyncio

from .connection import Frame

MAX_FRAME_BYTES = 2 * 2**20
"""The longest message that a client may send: a minute of 16 kHz audio. A longer one closes its socket with 1009."""
MAX_BYTES = 2 * 2**20
"""From so many bytes on the client has to wait. Add one message of the greatest length, and another one that the
websocket puts together meanwhile: a stream takes less than 8 MB, whatever its client sends."""
FRAME_COST_BYTES = 100
"""What each message takes beside its content, so that many small ones count too."""


class Inbox:
    """The messages of one connection in order: audio as bytes, commands as str.

    `put` never waits, so that the connection's reader goes on answering pings and sees a close. When the inbox is full,
    the TCP connection is not read, and the client's own buffers fill: nothing is lost.

    Args:
        transport: that of the connection.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()
        self._bytes = 0
        self._in_hand_bytes = 0
        self._is_full = False

    @property
    def is_empty(self) -> bool:
        """Whether `get` would wait."""
        return self._frames.empty()

    def put(self, frame: Frame) -> None:
        """Takes a message."""
        self._bytes += len(frame) + FRAME_COST_BYTES
        self._frames.put_nowait(frame)
        if self._bytes > MAX_BYTES:
            # Each time anew: the websocket has limits of its own, and lets the transport read again when it is below.
            self._is_full = True
            self._transport.pause_reading()

    async def get(self) -> Frame:
        """Waits for the next message. The one before it counts as held until this is called."""
        self._bytes -= self._in_hand_bytes
        self._in_hand_bytes = 0
        if self._is_full and self._bytes <= MAX_BYTES // 2:
            self.let_in()
        frame = await self._frames.get()
        self._in_hand_bytes = len(frame) + FRAME_COST_BYTES
        return frame

    def let_in(self) -> None:
        """Reads from the connection again, even if the inbox is full."""
        if self._is_full:
            self._is_full = False
            self._transport.resume_reading()
