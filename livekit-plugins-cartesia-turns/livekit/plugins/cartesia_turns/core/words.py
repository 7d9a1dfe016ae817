"""Which text of a turn its consumer has already, since audio that is replayed brings it again.

The server's transcript of a turn is cumulative and append-only. So on one socket known text is found by comparing the
beginning, which is as fast as a memory comparison however long the text is. Only if a replay was heard differently,
words are counted instead.
"""

from __future__ import annotations

from .text import GAP, WORD, gap_length, has_words, join, seam, word_count, word_end


class Skipper:
    """Cuts the words of a known text off a growing text, and compares no part of it twice.

    Args:
        known: the known text.
    """

    def __init__(self, known: str = "") -> None:
        self.known = known
        self._passed = ""
        self._left: int | None = None

    def rest(self, text: str) -> str:
        """`text` from the first word that `known` does not have; all of it, verbatim, if nothing is known."""
        if not self.known:
            return text
        if text.startswith(self.known):
            end = word_end(text, len(self.known))
        else:
            end = len(text) if self.known.startswith(text) else self._position(text)
        gap = GAP.match(text, end)
        return text[gap.end() if gap else end :]

    def _position(self, text: str) -> int:
        """The position behind as many words as `known` has; the end of the text if it has fewer."""
        if self._left is None or not text.startswith(self._passed):
            self._passed, self._left = "", word_count(self.known)
        end = len(self._passed)
        # The last word may still grow, so it is counted once another follows it.
        while self._left and (match := WORD.search(text, end)) and match.end() < len(text):
            end = match.end()
            self._left -= has_words(match[0])
        self._passed = text[:end]
        return len(text) if self._left else end


class KnownText:
    """The text of the open turn that is known already, and that the server or a replay may bring again."""

    def __init__(self) -> None:
        self._delivered = Skipper()
        """The beginning of the server's turn that was delivered in a final: it is no news when it comes again."""
        self._unsettled = ""
        """Text of an earlier turn that the server never ended, so a replay brings it again too."""
        self._gone = ""
        """The beginning of the text that no replay brings back, since its audio is gone."""
        self._seam: tuple[int, int] | None = None
        self._shown = ""
        """What was told of the turn when that audio was found to be gone. The replay continues somewhere in it."""
        self._replaying = False

    @property
    def delivered_before(self) -> bool:
        """A replay is expected to bring text again that was delivered in a final."""
        return self._replaying and bool(self._delivered.known)

    def length(self, shown: str) -> int:
        """How many characters are known, including the text shown of the open turn. `lose_socket` counts the same."""
        before = self._before
        return len(before) + gap_length(before, shown) + len(shown) if before else len(shown)

    def begin(self) -> None:
        """The server begins a turn: what was known is forgotten, except text that is not settled."""
        unsettled = self._unsettled
        self.forget()
        self._unsettled = unsettled

    def news(self, transcript: str) -> str:
        """The text of the open turn: the server's transcript without what was delivered before it."""
        return self._delivered.rest(self._whole(transcript))

    def deliver(self, text: str) -> None:
        """The client ended the turn with this text. If the server goes on with the turn, the text is no news again."""
        self._delivered = Skipper(join(self._delivered.known, text))

    def lose_socket(self, gone: int, shown: str) -> None:
        """A replay follows, without the audio of the first `gone` characters: what was told of these is kept."""
        self._replaying = True
        if self._unsettled:
            self._delivered, self._unsettled = Skipper(self._before), ""
        if gone > len(self._gone):
            self._shown = join(self._before, shown)
            self._gone = self._shown[: word_end(self._shown, gone)]
        self._seam = None

    def forget_first(self, gone: int) -> None:
        """No replay brings the first `gone` characters again: if no others were delivered, whatever comes is new."""
        if gone >= len(self._before):
            self.forget()

    def end(self, transcript: str) -> None:
        """The server ended a turn. Whatever it tells next is new, except for text that a replay has yet to bring."""
        if self._replaying:
            self.forget_part(transcript)
        else:
            self.forget()

    def forget_part(self, transcript: str) -> None:
        """The server ended a turn without news. A replay may split one turn in two, so the rest is still expected."""
        self._delivered = Skipper(Skipper(self._whole(transcript)).rest(self._delivered.known))
        self._gone = self._shown = self._unsettled = ""

    def told_so_far(self, transcript: str) -> str:
        """All text that a replay would bring again, given the server's transcript of its turn."""
        return join(self._unsettled, self._whole(transcript))

    def keep_unsettled(self, text: str) -> None:
        """The server began another turn and did not end the one before: a replay begins with this text."""
        self._unsettled = text

    def forget(self) -> None:
        """The server's turn is over, so whatever it tells next is new."""
        self._delivered = Skipper()
        self._gone = self._shown = self._unsettled = ""
        self._replaying = False

    def _whole(self, transcript: str) -> str:
        """The whole text: what was told of audio that is gone, and the transcript of the audio that was left."""
        if not self._gone:
            return transcript
        self._seam = self._seam or seam(self._shown, len(self._gone), transcript)
        if self._seam is None:
            return join(self._gone, transcript)
        return self._shown[: self._seam[0]] + transcript[self._seam[1] :]

    @property
    def _before(self) -> str:
        return join(self._unsettled, self._delivered.known)


class Marks:
    """How many characters of a turn were known at which point of the audio, to tell which ones no replay brings."""

    def __init__(self) -> None:
        self._marks: list[tuple[int, int]] = []
        self._gone = 0

    @property
    def end(self) -> int:
        """The position at which the last text became known, in samples since the first audio; 0 if no mark is left."""
        return self._marks[-1][0] if self._marks else 0

    def note(self, position: int, length: int) -> None:
        """Notes how many characters are known when the audio up to this position (samples) has been sent."""
        if length > (self._marks[-1][1] if self._marks else self._gone):
            self._marks.append((position, length))

    def length_before(self, position: int) -> int:
        """How many characters were known before audio behind this position was sent."""
        while self._marks and self._marks[0][0] <= position:
            self._gone = self._marks.pop(0)[1]
        return self._gone

    def clear(self) -> None:
        """The turn is over."""
        self._marks.clear()
        self._gone = 0
