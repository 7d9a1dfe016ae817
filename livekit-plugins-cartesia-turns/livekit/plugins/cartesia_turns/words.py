"""Which words of a turn its consumer has already: audio that is replayed brings them again.

The server's transcript of a turn is cumulative, so words are told apart by how many there are before them.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"\S+")


def word_count(text: str) -> int:
    """The number of words, as white space parts them."""
    return len(_WORD.findall(text))


def skip_words(text: str, count: int) -> str:
    """`text` from its word number `count` on, without the white space before it; all of it, verbatim, for 0."""
    if count == 0:
        return text
    starts = [match.start() for match in _WORD.finditer(text)]
    return text[starts[count] :] if count < len(starts) else ""


def first_words(text: str, count: int) -> str:
    """`text` up to the end of its word number `count`, verbatim."""
    ends = [match.end() for match in _WORD.finditer(text)]
    return text[: ends[min(count, len(ends)) - 1]] if count > 0 and ends else ""


class KnownWords:
    """The words of what the server takes for one turn: those delivered for good, and those no replay brings back."""

    def __init__(self) -> None:
        self._delivered = 0
        self._gone = 0
        self._kept = ""
        self._replaying = False

    @property
    def delivered_before(self) -> bool:
        """A replay is expected to bring words again that were delivered for good."""
        return self._replaying and self._delivered > 0

    def count(self, shown: str) -> int:
        """How many there are with the text of the open turn, those delivered before it included."""
        return self._delivered + word_count(shown)

    def news(self, transcript: str) -> str:
        """The text of the open turn, given the server's transcript: without words that were delivered before it."""
        text = skip_words(transcript, max(0, self._delivered - self._gone))
        if not self._kept:
            return text
        gap = "" if text[:1].isspace() else " "
        return f"{self._kept}{gap}{text}" if text else self._kept

    def deliver(self, text: str) -> None:
        """The turn was ended with this text, while the server may go on with it: its words are not news again."""
        self._delivered += word_count(text)

    def lose_socket(self, gone: int, shown: str) -> None:
        """What follows is a replay, without the audio of the first `gone` words: what was shown of them is kept."""
        self._replaying = True
        self._gone = max(self._gone, gone)
        self._kept = first_words(shown, self._gone - self._delivered)

    def forget_first(self, gone: int) -> None:
        """The audio of the first `gone` words is done with: if no others were delivered, whatever comes is new."""
        if gone >= self._delivered:
            self.forget()

    def forget_part(self, transcript: str) -> None:
        """The server ended a turn in which nothing was new: the replay may make two of one, and the rest is to come."""
        self._delivered = max(0, self._delivered - self._gone - word_count(transcript))
        self._gone = 0

    def close(self) -> None:
        """The consumer's turn is over: nothing is put before the text of the next one."""
        self._kept = ""

    def forget(self) -> None:
        """The server's turn is over: whatever it tells next is new."""
        self._delivered = self._gone = 0
        self._replaying = False
