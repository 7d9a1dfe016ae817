"""A timer whose time may come nearer."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections.abc import Callable

LATE_ALARM_S = 0.05
"""An alarm that is so late shows that the event loop was held up."""
READ_S = 0.01
"""How much longer such an alarm waits, once."""


class Alarm:
    """Calls a function once, at the earliest of the times that it was set to since it was called last.

    If the event loop was held up, messages and audio of that time wait to be read. The timer would come before them and
    take them for missing. So a late alarm lets them be read first.

    Args:
        ring: the function. It sets the alarm anew.
    """

    __slots__ = ("_at", "_context", "_due_at", "_has_waited", "_loop", "_ring", "_timer")

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._at = self._due_at = math.inf
        self._has_waited = False
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: contextvars.Context | None = None

    def start(self) -> None:
        """From now on the alarm can be set. It rings in the context of this call, whoever sets it."""
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()

    def stop(self) -> None:
        """The alarm rings no more."""
        self._loop = self._context = None
        self._clear()

    def set(self, at: float) -> None:
        """Rings at this time, in monotonic seconds, unless it rings before; inf sets nothing."""
        if self._loop is not None and at < self._at:
            self._clear()
            self._at = at
            now = time.monotonic()
            self._due_at = max(at, now)
            self._timer = self._loop.call_later(self._due_at - now, self._go_off, context=self._context)

    def put_off(self, now: float) -> None:
        """Cancels the alarm unless its time has come.

        If an event loop that is held up again and again could put off an alarm that is due, it would never ring.
        """
        if now < self._at:
            self._clear()

    def _go_off(self) -> None:
        if self._loop is not None and not self._has_waited and time.monotonic() > self._due_at + LATE_ALARM_S:
            self._has_waited = True
            self._timer = self._loop.call_later(READ_S, self._go_off, context=self._context)
            return
        self._clear()
        self._has_waited = False
        self._ring()

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at = None, math.inf
