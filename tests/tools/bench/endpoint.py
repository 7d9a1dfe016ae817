"""The other end of the line: the least server that can play turns and tell how old audio is: -m tools.bench.endpoint.

It is written by hand on top of TCP, and a frame costs it a few microseconds: with any other server the server would be
what is measured at 200 calls. It plays the same turns to each connection by its audio alone. The last word of each text
is the time at which it was sent. The path of a connection begins with the length of its frames in bytes, `/640`; with
`/640/quiet` no turn is played.
A request for `/heard` or `/ages` tells what came in since the last such request, the latter with each frame's age.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import struct
import sys

from .stamps import BYTES_PER_S, CYCLE_S, STAMP_BYTES, now_ns, read

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
TURN = [
    (0.3, "turn.start"),
    *((round(0.7 + 0.4 * number, 1), "turn.update") for number in range(6)),
    (3.3, "turn.eager_end"),
    (3.6, "turn.end"),
]
"""What is said in each cycle of a call, and at which second of it."""
THINKING_S = 0.007
"""How long after the audio that calls for it a message is sent. No server is so near and so fast that its answer comes
while a client is still busy with that very audio."""


class Tally:
    """What came in on all connections."""

    def __init__(self) -> None:
        self.open = 0
        self.clear()

    def clear(self) -> None:
        """Begins anew."""
        self.heard_bytes = self.unmarked = 0
        self.ages_ns: dict[int, list[int]] = {}
        """By the length of the frames in bytes."""

    def report(self, *, ages: bool) -> bytes:
        """All of it, as JSON; the next report begins here."""
        told: dict[str, object] = {"open": self.open, "heard": self.heard_bytes, "unmarked": self.unmarked}
        if ages:
            told["ages_ns"] = self.ages_ns
        self.clear()
        return json.dumps(told).encode()


class Endpoint(asyncio.Protocol):
    """One connection."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._buffer = b""
        self._is_websocket = False
        self._frame_bytes = 640
        self._is_quiet = False
        self._heard = 0
        self._next = 0
        self._words: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        self._tally.open -= self._is_websocket

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_websocket and not self._greet():
            return
        self._buffer = self._buffer[self._take(self._buffer) :]

    def _greet(self) -> bool:
        """Answers the request; says whether it was for a websocket."""
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        path, *headers = head.split(b"\r\n")
        self._buffer = rest
        named = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in headers)}
        key = named.get(b"sec-websocket-key")
        if key is None:
            body = self._tally.report(ages=b"/ages" in path)
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            return False
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())  # noqa: S324 - as RFC 6455 has it
        self._frame_bytes = int(path.split(b"/")[1])
        self._is_quiet = b"/quiet/" in path
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._is_websocket = True
        self._tally.open += 1
        self._say({"type": "connected", "request_id": "r"})
        return True

    def _take(self, data: bytes) -> int:
        """Reads the frames that are whole; returns where the rest begins."""
        at = 0
        while len(data) - at >= 6:
            length, begin = data[at + 1] & 127, at + 2
            if length == 126:
                length, begin = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                length, begin = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            end = begin + 4 + length
            if end > len(data):
                break
            self._frame(data[at] & 15, data, begin, length)
            at = end
        return at

    def _frame(self, opcode: int, data: bytes, mask_at: int, length: int) -> None:
        if opcode == BINARY:
            self._hear(data, mask_at, length)
            return
        payload = _unmasked(data, mask_at, 0, length)
        if opcode == PING:
            self._transport.write(bytes((0x80 | PONG, length)) + payload)
        elif opcode == CLOSE or (opcode == TEXT and b'"close"' in payload):
            self._transport.write(bytes((0x80 | CLOSE, 2)) + struct.pack(">H", 1000))
            self._transport.close()

    def _hear(self, data: bytes, mask_at: int, length: int) -> None:
        now = now_ns()
        ages = self._tally.ages_ns.setdefault(self._frame_bytes, [])
        for position in range(-self._heard % self._frame_bytes, length, self._frame_bytes):
            pushed = read(_unmasked(data, mask_at, position, STAMP_BYTES))
            if pushed is None:
                self._tally.unmarked += 1
            else:
                ages.append(now - pushed)
        self._heard += length
        self._tally.heard_bytes += length
        while not self._is_quiet and self._heard >= self._due_bytes():
            kind = TURN[self._next % len(TURN)][1]
            self._next += 1
            asyncio.get_running_loop().call_later(THINKING_S, self._play, kind)

    def _due_bytes(self) -> float:
        cycle, number = divmod(self._next, len(TURN))
        return (cycle * CYCLE_S + TURN[number][0]) * BYTES_PER_S

    def _play(self, kind: str) -> None:
        message = {"type": kind, "request_id": "r", "turn_id": "t"}
        if kind == "turn.start":
            self._words.clear()
        else:
            self._words.append(str(now_ns()))
            message["transcript"] = " ".join(self._words)
        self._say(message)

    def _say(self, message: dict[str, str]) -> None:
        if self._transport.is_closing():
            return
        payload = json.dumps(message).encode()
        size = bytes((len(payload),)) if len(payload) < 126 else b"\x7e" + struct.pack(">H", len(payload))
        self._transport.write(bytes((0x80 | TEXT,)) + size + payload)


def _unmasked(data: bytes, mask_at: int, position: int, length: int) -> bytes:
    """Part of a payload; `position` is a multiple of four or zero, as the mask begins anew there."""
    begin = mask_at + 4 + position
    mask = data[mask_at : mask_at + 4] * (length // 4 + 1)
    payload = data[begin : begin + length]
    both = int.from_bytes(payload, "little") ^ int.from_bytes(mask[: len(payload)], "little")
    return both.to_bytes(len(payload), "little")


async def serve() -> asyncio.Server:
    """Listens on a free port of this machine."""
    tally = Tally()
    return await asyncio.get_running_loop().create_server(lambda: Endpoint(tally), "127.0.0.1", 0, backlog=1024)


def url_of(server: asyncio.Server) -> str:
    """Where it listens."""
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def main() -> None:
    """Prints the address, and serves until the standard input ends: a benchmark that was killed leaves nothing."""
    server = await serve()
    sys.stdout.write(f"{url_of(server)}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
