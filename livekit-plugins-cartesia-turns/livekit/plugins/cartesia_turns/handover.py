"""From one stream of a conversation to the next: a turn that was cut off with its stream is ended by another one.

The framework cancels a stream in mid-turn (`clear_user_turn`, another agent, another STT) and drops what it still says:
without an END_OF_SPEECH from elsewhere the user would be speaking for ever, and every reply would wait.
"""

from __future__ import annotations

from typing import Protocol
from weakref import WeakKeyDictionary


class Successor(Protocol):
    """What is asked of a stream."""

    @property
    def _has_had_turn(self) -> bool:
        """A turn of its own has begun."""

    def _end_stray_turn(self) -> None:
        """Says END_OF_SPEECH for a turn of another stream."""


class Handover:
    """The streams of one conversation: of an AgentSession where that is known, else of one STT."""

    def __init__(self) -> None:
        self._live: WeakKeyDictionary[Successor, int] = WeakKeyDictionary()
        self._begun = 0
        self._left_open = False

    def enter(self, stream: Successor) -> None:
        """A stream begins."""
        self._begun += 1
        self._live[stream] = self._begun
        if self._left_open:
            self._left_open = False
            stream._end_stray_turn()

    def leave(self, stream: Successor, *, left_open: bool, in_session: bool = True) -> None:
        """A stream is over.

        Args:
            stream: it.
            left_open: its turn is open, with nobody left to hear its end from it.
            in_session: it may have served an AgentSession. One starts the next stream before it cancels the last;
                anywhere else a stream that lives on belongs to somebody else.
        """
        begun = self._live.pop(stream)
        if not left_open:
            return
        heirs = [other for other, later in self._live.items() if later > begun and not other._has_had_turn]
        if heirs and in_session:
            heirs[0]._end_stray_turn()
        else:
            self._left_open = not self._live


_handovers: WeakKeyDictionary[object, Handover] = WeakKeyDictionary()


def handover_of(conversation: object) -> Handover:
    """The one of this conversation."""
    return _handovers.setdefault(conversation, Handover())
