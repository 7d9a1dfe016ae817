"""The local server in a process of its own, and a responder that costs nothing: python -m tools.bench.local_server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from livekit.plugins.cartesia_turns.server import LocalServer, StreamRequest
from livekit.plugins.cartesia_turns.server.connection import Frame
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings, TurnStart, TurnUpdate
from livekit.plugins.cartesia_turns.wire.protocol import serialize

from .contestants import KEY
from .stamps import STAMP_BYTES, read

UPDATE_EVERY = 20
"""Messages of audio."""
MOST_STREAMS = 1000


class Echo:
    """Answers audio with the time at which it was pushed, as the last word of an update."""

    def __init__(self, stream: StreamRequest) -> None:
        self._request_id = stream.request_id
        self._heard = 0

    async def hear(self, pcm: bytes) -> AsyncIterator[Frame]:
        """Takes one frame."""
        pushed = read(pcm[:STAMP_BYTES])
        if pushed is None:
            return
        self._heard += 1
        if self._heard == 1:
            yield serialize(TurnStart(self._request_id))
        if self._heard % UPDATE_EVERY == 0:
            yield serialize(TurnUpdate(self._request_id, f"so it is {pushed}"))

    def configure(self, turn: TurnSettings) -> None:
        """Changes nothing."""

    async def finish(self) -> AsyncIterator[Frame]:
        """Has nothing left to say."""
        for _ in ():
            yield ""

    def close(self) -> None:
        """Holds nothing."""


async def main() -> None:
    """Prints the address, and serves until the standard input ends: a benchmark that was killed leaves nothing."""
    async with LocalServer(responder=Echo, key=KEY, max_streams=MOST_STREAMS) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
