"""Which text of a turn its consumer has already: audio that is replayed brings it again.

The server's transcript of a turn is cumulative and append-only, so on one socket text is told apart by comparing its
beginning, at the speed of a memory comparison however long it is. Only a replay that was heard differently has to be
told apart by how many words there are.
"""

from __future__ import annotations

from collections import deque

from .text import GAP, WORD, gap_length, has_words, join, seam, word_count, word_end


class Skipper:
    """Gives what a growing text has beyond the words of another: what was compared is not compared again.

    Args:
        known: the other text.
    """

    def __init__(self, known: str = "") -> None:
        self.known = known
        self._passed = ""
        self._left: int | None = None

    def rest(self, text: str) -> str:
        """`text` from the first word on that `known` does not have; all of it, verbatim, where nothing is known."""
        if not self.known:
            return text
        if text.startswith(self.known):
            end = word_end(text, len(self.known))
        else:
            end = len(text) if self.known.startswith(text) else self._position(text)
        gap = GAP.match(text, end)
        return text[gap.end() if gap else end :]

    def _position(self, text: str) -> int:
        """Where the words end that are as many as `known` has; the end of the text where there are not so many."""
        if self._left is None or not text.startswith(self._passed):
            self._passed, self._left = "", word_count(self.known)
        end = len(self._passed)
        # The last word may go on yet, so it is counted when there is another behind it.
        while self._left and (match := WORD.search(text, end)) and match.end() < len(text):
            end = match.end()
            self._left -= has_words(match[0])
        self._passed = text[:end]
        return len(text) if self._left else end


class KnownText:
    """What is known of the text that the audio of the open turn, or a replay of it, brings."""

    def __init__(self) -> None:
        self._delivered = Skipper()
        """The beginning of what the server takes for one turn: delivered for good, and no news when it comes again."""
        self._unsettled = ""
        """What the server told before that turn and never ended: a replay brings it again all the same."""
        self._gone = ""
        """The beginning of the text that no replay brings back, since its audio is gone."""
        self._seam: tuple[int, int] | None = None
        self._shown = ""
        """What was told of the turn when that audio was found to be gone: what the replay brings goes on in it."""
        self._replaying = False

    @property
    def delivered_before(self) -> bool:
        """A replay is expected to bring text again that was delivered for good."""
        return self._replaying and bool(self._delivered.known)

    def length(self, shown: str) -> int:
        """How many characters there are with the text of the open turn: where it ends, for `lose_socket`."""
        before = self._before
        return len(before) + gap_length(before, shown) + len(shown)

    def begin(self) -> None:
        """The server begins a turn, and nothing of it is known."""
        unsettled = self._unsettled
        self.forget()
        self._unsettled = unsettled

    def news(self, transcript: str) -> str:
        """The text of the open turn, given the server's transcript: without what was delivered before it."""
        return self._delivered.rest(self._whole(transcript))

    def deliver(self, text: str) -> None:
        """The turn was ended with this text, while the server may go on with it: it is no news again."""
        self._delivered = Skipper(join(self._delivered.known, text))

    def lose_socket(self, gone: int, shown: str) -> None:
        """What follows is a replay, without the audio of the first `gone` characters: what was told of them is kept."""
        self._replaying = True
        if self._unsettled:
            self._delivered, self._unsettled = Skipper(self._before), ""
        if gone > len(self._gone):
            self._shown = join(self._before, shown)
            self._gone = self._shown[: word_end(self._shown, gone)]
        self._seam = None

    def forget_first(self, gone: int) -> None:
        """The audio of the first `gone` characters is done with: if no others were delivered, whatever comes is new."""
        if gone >= len(self._before):
            self.forget()

    def end(self, transcript: str) -> None:
        """The server ended a turn: all that it tells next is new, but for what a replay has not brought yet."""
        if self._replaying:
            self.forget_part(transcript)
        else:
            self.forget()

    def forget_part(self, transcript: str) -> None:
        """The server ended a turn in which nothing was new: the replay may make two of one, and the rest is to come."""
        self._delivered = Skipper(Skipper(self._whole(transcript)).rest(self._delivered.known))
        self._gone = self._shown = self._unsettled = ""

    def told_so_far(self, transcript: str) -> str:
        """All that a replay would bring again, given what the server told of its turn."""
        return join(self._unsettled, self._whole(transcript))

    def keep_unsettled(self, text: str) -> None:
        """The server went on to another turn without an end of the one before: a replay begins with this text."""
        self._unsettled = text

    def forget(self) -> None:
        """The server's turn is over: whatever it tells next is new."""
        self._delivered = Skipper()
        self._gone = self._shown = self._unsettled = ""
        self._replaying = False

    def _whole(self, transcript: str) -> str:
        """The whole text, given what the server makes of the audio that is left."""
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
    """How many characters of a turn were known at which point of the audio: which of them no replay brings back."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, int]] = deque()
        self._gone = 0

    @property
    def end(self) -> int:
        """Where the last text became known, in samples since the first audio; 0 where no mark is left."""
        return self._marks[-1][0] if self._marks else 0

    def note(self, position: int, length: int) -> None:
        """So many characters are known with the audio up to this position, in samples since the first, sent."""
        if length > (self._marks[-1][1] if self._marks else self._gone):
            self._marks.append((position, length))

    def length_before(self, position: int) -> int:
        """How many characters were known when no audio behind this position had been sent."""
        while self._marks and self._marks[0][0] <= position:
            self._gone = self._marks.popleft()[1]
        return self._gone

    def clear(self) -> None:
        """The turn is over."""
        self._marks.clear()
        self._gone = 0
