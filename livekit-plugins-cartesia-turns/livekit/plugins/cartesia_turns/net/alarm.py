"""A timer whose time may come nearer."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections.abc import Callable


class Alarm:
    """Calls a function once, at the earliest of the times that it was set to since it was called last.

    Args:
        ring: the function. It sets the alarm anew.
    """

    __slots__ = ("_at", "_context", "_loop", "_ring", "_timer")

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._at = math.inf
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
            after_s = max(0.0, at - time.monotonic())
            self._timer = self._loop.call_later(after_s, self._go_off, context=self._context)

    def _go_off(self) -> None:
        self._clear()
        self._ring()

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at = None, math.inf
