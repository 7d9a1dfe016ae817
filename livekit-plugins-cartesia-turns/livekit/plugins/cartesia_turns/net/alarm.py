"""A timer whose time may come nearer."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable


class Alarm:
    """Calls a function once, at the earliest of the times that it was set to since it was called last.

    Args:
        ring: the function. It sets the alarm anew.
    """

    __slots__ = ("_at", "_is_on", "_ring", "_timer")

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._is_on = False
        self._at = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """From now on the alarm can be set."""
        self._is_on = True

    def stop(self) -> None:
        """The alarm rings no more."""
        self._is_on = False
        self._clear()

    def set(self, at: float) -> None:
        """Rings at this time, in monotonic seconds, unless it rings before; inf sets nothing."""
        if self._is_on and at < self._at:
            self._clear()
            self._at = at
            self._timer = asyncio.get_running_loop().call_later(max(0.0, at - time.monotonic()), self._go_off)

    def _go_off(self) -> None:
        self._clear()
        self._ring()

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at = None, math.inf
