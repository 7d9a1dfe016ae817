"""Messages that come after a turn.end without another turn.start. Mostly they repeat what was said before.

A repeated turn.end, or an update that comes late, must not be told as a turn of its own.
"""

from __future__ import annotations

from dataclasses import replace

from ..wire.messages import ServerMessage, SpokenMessage, TurnEnd, TurnStart
from .text import Relation, has_words, is_blank, relation, word_count
from .words import Skipper


class AfterEnd:
    """Takes the messages of one socket, and leaves out the words of a turn that comes again behind its end."""

    __slots__ = ("_before", "_ended", "_goes_on", "_text", "_turn_id")

    def __init__(self) -> None:
        self._text = self._turn_id = ""
        """Of the server's turn, or of its last one if none is open."""
        self._ended: Skipper | None = None
        """Cuts off the text of the turn that the server has ended; None from the start of another turn on."""
        self._goes_on = False
        """There were more words behind the end of the turn, so another end follows."""
        self._before: tuple[str, Skipper] | None = None
        """The turn_id and the text of the turn that had ended before another one began."""

    def news(self, message: ServerMessage) -> ServerMessage | None:
        """Returns the message without words that belong to a turn which is over; None if nothing is left of it."""
        if isinstance(message, TurnStart):
            self._begin(message.turn_id)
            return message
        if not isinstance(message, SpokenMessage):
            return message
        if self._is_late(message):
            return None
        if self._ended is not None and not self._is_about(self._ended.known, message):
            if is_blank(message.transcript):
                return None
            self._begin(message.turn_id)
        self._turn_id = message.turn_id or self._turn_id
        if self._ended is None:
            self._text = message.transcript if has_words(message.transcript) else self._text
            if isinstance(message, TurnEnd):
                self._ended = Skipper(self._text)
            return message
        return self._rest(message, self._ended)

    def _rest(self, message: SpokenMessage, ended: Skipper) -> SpokenMessage | None:
        rest = ended.rest(message.transcript)
        if has_words(rest):
            self._text = message.transcript
        elif not self._goes_on:
            return None
        self._goes_on = not isinstance(message, TurnEnd)
        if isinstance(message, TurnEnd):
            self._ended = Skipper(self._text)
        return replace(message, transcript=rest)

    def _begin(self, turn_id: str) -> None:
        if self._ended is not None:
            self._before = self._turn_id, self._ended
        self._text, self._turn_id = "", turn_id
        self._ended, self._goes_on = None, False

    def _is_late(self, message: SpokenMessage) -> bool:
        """Whether a message is of the turn before the present one, by its turn_id, and has no more words than that."""
        if self._before is None or not message.turn_id:
            return False
        turn_id, known = self._before
        is_of_it = message.turn_id == turn_id and self._turn_id not in {"", turn_id}
        return is_of_it and not has_words(known.rest(message.transcript))

    def _is_about(self, ended: str, message: SpokenMessage) -> bool:
        """Whether a message is about the turn with this text, which is over."""
        both = self._turn_id and message.turn_id
        # Who says one word again may well mean it, but hardly who says a whole sentence again.
        is_known = self._turn_id == message.turn_id if both else word_count(ended) > 1
        return is_known and relation(message.transcript, ended) is not Relation.OTHER
