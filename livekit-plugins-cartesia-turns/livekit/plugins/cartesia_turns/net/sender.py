"""Gives the open socket what the client has to send, from the step of the event loop in which it may go out."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from functools import partial

from ..core.client import TurnsClient
from ..core.link import Outgoing
from ..errors import DroppedError
from .connection import Connection


class Sender:
    """Sends for one client, over one socket after another.

    Args:
        client: what it wants to send goes out.
        lost: is called when the socket turns out to be lost.
        has_room: is called when the socket's own buffer has room again, with the item that had filled it. The item is
            not confirmed to the client yet; None if there is nothing to confirm.
    """

    __slots__ = ("_client", "_has_room", "_lost", "connection")

    def __init__(
        self, client: TurnsClient, *, lost: Callable[[], None], has_room: Callable[[Outgoing | None], None]
    ) -> None:
        self.connection: Connection | None = None
        """The open socket, as soon as it takes audio."""
        self._client = client
        self._lost = lost
        self._has_room = has_room

    @property
    def is_free(self) -> bool:
        """There is a socket, and its own buffer has room."""
        return self.connection is not None and not self.connection.is_sending

    @property
    def send_at(self) -> float:
        """When to call `send_waiting` even if nothing else happens; inf unless the sender `is_free`."""
        return self._client.sockets.send_at if self.is_free else math.inf

    def send_live(self, pcm: bytes, now: float) -> bool:
        """Sends the user's audio if that takes neither a decision nor a wait; returns whether it did."""
        connection = self.connection
        if connection is None or not connection.is_clear or not self._client.live.take(pcm, now):
            return False
        try:
            self._follow(connection, None, connection.send_now(pcm))
        except DroppedError:
            self._lost()
        return True

    def send_ping(self, now: float) -> None:
        """Sends the ping that must follow live audio which went out now."""
        connection = self.connection
        if connection is None or connection.is_sending or (ping := self._client.outgoing(now)) is None:
            return
        try:
            if self._follow(connection, ping, connection.send_now(ping)):
                self._client.sent(ping, now)
        except DroppedError:
            self._lost()

    def send_waiting(self) -> None:
        """Sends everything that may go out now, or as much of it as the socket takes without a wait."""
        client, connection = self._client, self.connection
        if connection is None:
            return
        try:
            while not connection.is_sending and (item := client.outgoing(time.monotonic())) is not None:
                if self._follow(connection, item, connection.send_now(item)):
                    client.sent(item, time.monotonic())
        except DroppedError:
            self._lost()

    def _follow(self, connection: Connection, item: Outgoing | None, rest: asyncio.Task[None] | None) -> bool:
        """Has `lost` or `has_room` called at the end of a send, unless it is over already; returns whether it is."""
        if rest is not None:
            rest.add_done_callback(partial(self._sent, connection, item))
        return rest is None

    def _sent(self, connection: Connection, item: Outgoing | None, rest: asyncio.Task[None]) -> None:
        if connection is not self.connection:
            # The socket has ended. The item is not confirmed, so the client keeps it for the next one.
            return
        if rest.cancelled() or rest.exception() is not None:
            self._lost()
        else:
            self._has_room(item)
