"""The handover between the streams of a conversation: if a turn is cut off with its stream, another stream ends it.

The framework may cancel a stream in mid-turn (`clear_user_turn`, another agent, another STT) and drop its last events.
Without an END_OF_SPEECH from another stream, the user would count as speaking for ever, and every reply would wait.
"""

from __future__ import annotations

from typing import Protocol
from weakref import WeakKeyDictionary


class Successor(Protocol):
    """What the handover needs of a stream."""

    @property
    def _has_had_turn(self) -> bool:
        """A turn of its own has begun."""

    def _end_stray_turn(self) -> None:
        """Sends the END_OF_SPEECH of another stream's turn."""


class Handover:
    """The streams of one conversation: those of an AgentSession if it is known, else those of one STT."""

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
            stream: the stream that is over.
            left_open: its turn is still open, and nobody hears its end from this stream.
            in_session: it may have served an AgentSession, which starts the next stream before it cancels the last.
                Outside a session, a stream that lives on serves somebody else.
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
    """The handover of this conversation."""
    return _handovers.setdefault(conversation, Handover())
