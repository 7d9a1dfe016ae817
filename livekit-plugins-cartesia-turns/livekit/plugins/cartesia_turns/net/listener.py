"""Whom a driver tells what happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from livekit.agents import APIError

from ..core.events import ClientEvent
from ..core.stats import Stats
from ..errors import DroppedError


class Listener(Protocol):
    """Is told what happens by a driver."""

    def events(self, events: Sequence[ClientEvent], stats: Stats | None) -> None:
        """The client has these events. Its counters are `stats`; None where the events are new text alone."""

    def connected(self, request_id: str, connect_s: float, *, reused: bool, is_first: bool) -> None:
        """A socket is open and the server said so, `connect_s` seconds after it was asked for."""

    def disconnected(self, reason: str, code: int | None) -> None:
        """A socket has ended; `reason` is a static text, and `code` the close code if there was one."""

    def attempt_failed(self, error: APIError, retry_in_s: float | None) -> None:
        """A connection could not be made or did not last. The next attempt follows in `retry_in_s`; None: no other."""

    def dropped(self, error: DroppedError, *, in_turn: bool, at_once: bool) -> None:
        """A socket was lost. The next one follows, `at_once` or in the time that `attempt_failed` is told."""

    def odd_frame(self, kind: str) -> None:
        """A frame came in that is no message, or one of a type that this client does not know."""
