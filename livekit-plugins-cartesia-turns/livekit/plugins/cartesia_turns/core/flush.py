"""A flush: the user is done for now, and the open turn must end with a final at once, whatever the server thinks.

All times are monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .events import Flushed, TurnEvent

FLUSH_S = 1.0
"""How long a flush waits for the server to end the turn."""
FLUSH_SILENCE_S = 1.5
"""How much silence a flush sends at once: enough for the server to hear that the user is done."""


class FlushRule:
    """Whether a flush is under way, how long it waits, and what answers it."""

    def __init__(self) -> None:
        self.deadline: float = math.inf
        """When the client closes the turn with the text so far; inf without a flush."""

    @property
    def is_waiting(self) -> bool:
        """A flush was asked for and was not answered yet."""
        return self.deadline != math.inf

    def begin(self, now: float) -> None:
        """A flush was asked for. Another one before the answer counts as the same flush."""
        self.deadline = min(self.deadline, now + FLUSH_S)

    def turn_ended(self, events: Sequence[TurnEvent]) -> list[Flushed]:
        """The turn that a flush waits for is over. If it brought no text, a `Flushed` answers the flush."""
        if not self.is_waiting:
            return []
        self.deadline = math.inf
        return [] if any(event.transcript for event in events) else [Flushed()]
