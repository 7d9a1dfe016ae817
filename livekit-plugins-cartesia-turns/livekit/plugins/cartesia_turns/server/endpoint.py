"""The websocket endpoint: lets a client in or refuses it, and knows who is connected."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from uuid import uuid4

from aiohttp import web

from ..wire.messages import ErrorMessage
from ..wire.protocol import API_KEY_HEADER, serialize
from . import handshake
from .connection import ConnectionRecord, Handshake, ResponderFactory
from .faults import FaultPlan, Faults, faults_of, reset
from .handshake import RefusedError, StreamRequest
from .inbox import MAX_FRAME_BYTES
from .session import CLOSE_WAIT_S, Session
from .vendor import Vendor

MAX_RECORDS = 1000
REQUEST_ID_HEADERS = ("X-Request-Id", "cartesia-request-id")
"""Both have been seen (field reports, read 2026-11-25)."""
SECRET_HEADERS = {API_KEY_HEADER.lower(), "authorization", "cookie"}


class Endpoint:
    """Answers handshakes and runs a session for each that it accepts.

    Args:
        host: what the server listens on.
        key: the only key that is let in.
        vendor: the vendor's numbers to use.
        max_streams: further connections are refused with 429.
        idle_timeout_s: seconds without a message after which a socket is closed.
        record: keep audio, commands and messages in `connections`.
    """

    def __init__(
        self, *, host: str, key: str, vendor: Vendor, max_streams: int, idle_timeout_s: float, record: bool
    ) -> None:
        self.faults: FaultPlan = Faults()
        self.connections: deque[ConnectionRecord] = deque(maxlen=MAX_RECORDS)
        self.handshakes: deque[Handshake] = deque(maxlen=MAX_RECORDS)
        self.sessions: set[Session] = set()
        self.respond: ResponderFactory | None = None
        self._host = host
        self._key = key
        self._vendor = vendor
        self._max_streams = max_streams
        self._idle_timeout_s = idle_timeout_s
        self._record = record
        self._attempts = 0
        self._refused_nonce: str | None = None
        self._stopped = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers one request: with a websocket until that is closed, or with an error."""
        if self._is_repeated(request):
            return _hang_up(request.transport)
        faults = faults_of(self.faults, self._attempts)
        self._attempts += 1
        request_id = str(uuid4())
        await self._delay(faults.handshake_delay_s)
        try:
            return await self._accept(request, request_id, faults)
        except RefusedError as refusal:
            self._note(refusal.error.status_code)
            headers = dict.fromkeys(REQUEST_ID_HEADERS, request_id) | dict(refusal.headers)
            return web.Response(
                status=refusal.error.status_code,
                text=refusal.body(),
                content_type="application/json",
                headers=headers,
            )

    async def stop(self) -> None:
        """Closes every connection with 1001 and lets delayed handshakes go."""
        self._stopped.set()
        await self.end_all(lambda session: session.close(1001, "Server stopped"))

    async def end_all(self, end: Callable[[Session], None]) -> None:
        """Ends the sessions that are open now, and returns when they are over."""
        sessions = list(self.sessions)
        for session in sessions:
            end(session)
        for session in sessions:
            await session.over.wait()

    async def _accept(self, request: web.Request, request_id: str, faults: Faults) -> web.StreamResponse:
        transport = request.transport
        if faults.refuse or transport is None or transport.is_closing():
            self._note(0)
            self._refused_nonce = request.headers.get("Sec-WebSocket-Key")
            return _hang_up(transport)
        if faults.status is not None:
            error = ErrorMessage("A fault set from Python.", "Server fault", faults.status, None, request_id)
            raise RefusedError(error, faults.status_headers)
        query = self._admit(request, request_id)
        socket = web.WebSocketResponse(timeout=CLOSE_WAIT_S, max_msg_size=MAX_FRAME_BYTES, compress=False)
        if not _can_upgrade(socket, request):
            raise RefusedError(handshake.bad_request("This is the address of a websocket.", request_id))
        record = self._new_record(request_id, query, request.headers)
        try:
            stream = handshake.read_request(query, request_id, self._vendor)
        except ValueError as error:
            await self._turn_away(socket, request, record, handshake.bad_request(str(error), request_id))
        else:
            await self._run(self._session(socket, transport, stream, faults, record), socket, request, record)
        return socket

    def _admit(self, request: web.Request, request_id: str) -> list[tuple[str, str]]:
        """Checks all that is refused with an HTTP status; returns the query."""
        origins = request.headers.getall("Origin", [])
        handshake.check_origin(origins, self._host, request.headers.get("Host", ""), request_id)
        query = handshake.read_query(request.rel_url.raw_query_string)
        handshake.check_key(request.headers, query, self._key, request_id)
        if len(self.sessions) >= self._max_streams:
            raise handshake.too_many_streams(self._max_streams, request_id)
        return query

    def _session(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        stream: StreamRequest,
        faults: Faults,
        record: ConnectionRecord,
    ) -> Session:
        if self.respond is None:
            raise RuntimeError("the server has not been started")
        return Session(
            socket,
            transport,
            stream,
            self.respond,
            vendor=self._vendor,
            faults=faults,
            record=record,
            idle_timeout_s=self._idle_timeout_s,
        )

    async def _run(
        self, session: Session, socket: web.WebSocketResponse, request: web.Request, record: ConnectionRecord
    ) -> None:
        # Before the first await: of two handshakes at once the second must see the first.
        self.sessions.add(session)
        try:
            await self._upgrade(socket, request, record)
            await session.run()
        finally:
            self.sessions.discard(session)
            self._note_end(socket, record)
            session.over.set()

    async def _turn_away(
        self, socket: web.WebSocketResponse, request: web.Request, record: ConnectionRecord, error: ErrorMessage
    ) -> None:
        """Reports wrong settings as the vendor does: after the upgrade, in place of `connected`."""
        try:
            await self._upgrade(socket, request, record)
            frame = serialize(error)
            await socket.send_str(frame)
            record.sent(frame)
            record.closing(1008)
            await socket.close(code=1008, message=error.title.encode())
        finally:
            self._note_end(socket, record)

    async def _upgrade(self, socket: web.WebSocketResponse, request: web.Request, record: ConnectionRecord) -> None:
        self.connections.append(record)
        self._note(101)
        for name in REQUEST_ID_HEADERS:
            socket.headers[name] = record.request_id
        await socket.prepare(request)

    def _note_end(self, socket: web.WebSocketResponse, record: ConnectionRecord) -> None:
        record.closing(int(socket.close_code or 1006))
        record.closed_s = asyncio.get_running_loop().time()

    def _new_record(
        self, request_id: str, query: list[tuple[str, str]], headers: Mapping[str, str]
    ) -> ConnectionRecord:
        return ConnectionRecord(
            request_id,
            [(name, value) for name, value in query if name != handshake.TOKEN_PARAMETER],
            {name: value for name, value in headers.items() if name.lower() not in SECRET_HEADERS},
            asyncio.get_running_loop().time(),
            keeps_content=self._record,
        )

    async def _delay(self, delay_s: float) -> None:
        # Not a sleep: the client may be gone long before the delay is over, and nothing would end the sleep then.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), delay_s)

    def _is_repeated(self, request: web.Request) -> bool:
        """Whether this repeats a refused request, as aiohttp does by itself, unseen by its user, after a reset."""
        nonce = request.headers.get("Sec-WebSocket-Key")
        return nonce is not None and nonce == self._refused_nonce

    def _note(self, status: int) -> None:
        self.handshakes.append(Handshake(asyncio.get_running_loop().time(), status))


def _hang_up(transport: asyncio.Transport | None) -> web.Response:
    if transport is not None:
        reset(transport)
    return web.Response()


def _can_upgrade(socket: web.WebSocketResponse, request: web.Request) -> bool:
    try:
        return bool(socket.can_prepare(request))
    except ValueError:  # a Sec-WebSocket-Key that is not even ASCII
        return False
