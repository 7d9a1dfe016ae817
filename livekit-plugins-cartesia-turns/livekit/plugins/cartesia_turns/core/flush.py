"""A flush: the user is done for now, and what was said is to be final at once, whatever the server thinks of it.

All times are monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .turn import TurnEvent

FLUSH_S = 1.0
"""How long a flush waits for the server to end the turn."""
FLUSH_SILENCE_S = 1.5
"""Silence sent at a flush, at once: enough for the server to hear that the user is done."""


@dataclass(frozen=True, slots=True)
class Flushed:
    """A flush is done and has no final text of its own to show for it."""


class FlushRule:
    """Whether a flush is under way, until when, and what answers it."""

    def __init__(self) -> None:
        self.deadline: float = math.inf
        """When the turn is closed with the text so far."""

    @property
    def is_waiting(self) -> bool:
        """A flush was asked for and has had no answer."""
        return self.deadline != math.inf

    def begin(self, now: float) -> None:
        """A flush was asked for; another one before it is answered is the same one."""
        self.deadline = min(self.deadline, now + FLUSH_S)

    def turn_ended(self, events: Sequence[TurnEvent]) -> list[Flushed]:
        """The turn that a flush waits for is over; without text, the flush has to be acknowledged."""
        if not self.is_waiting:
            return []
        self.deadline = math.inf
        return [] if any(event.transcript for event in events) else [Flushed()]
