"""Whether words that a replay brings are the end of the turn before, heard a second time.

If a server is late, it is in doubt which audio its turn.end settles, and the end of that turn may be sent again after a
drop (see `settling`). This is little audio, cut in the middle of a word, and a recognizer hears it differently the
second time. So the beginning of the new text is compared loosely, letter by letter, with the end of the text just told.
"""

from __future__ import annotations

from .text import word_ends

ALIKE = 0.75
"""Two texts with at least this part of their letters in common are the same words."""
MOST_LETTERS = 40
"""How many letters of the end of a turn may be heard again: a second and a half of fast speech."""
MOST_TEXT = 10 * MOST_LETTERS
"""How many characters are searched for those letters."""


class Echo:
    """The end of a turn that may be heard again.

    Args:
        told: the text of the turn, as it was told.
        is_whole: the whole turn may be heard again. Otherwise a user whose new text begins with all of it ("yes",
            "yes") has said it anew.
    """

    def __init__(self, told: str, *, is_whole: bool = True) -> None:
        # MOST_LETTERS letters and what stands between them are shorter than MOST_TEXT.
        self._told = _letters(told[-MOST_TEXT:])[-MOST_LETTERS:]
        self._whole = "" if is_whole or len(self._told) == MOST_LETTERS else self._told
        self._echo: str | None = None

    def rest(self, text: str) -> str:
        """`text` without the echo at its beginning.

        Text that may be part of an echo is held back until there is more of it.

        Args:
            text: all that the replay has brought so far.
        """
        if not self._told:
            return text
        if self._echo is not None and text.startswith(self._echo):
            return text[len(self._echo) :]
        head = text[:MOST_TEXT]
        letters = _letters(head)
        if self._whole and letters.startswith(self._whole):
            self._echo = ""
            return text
        if self._is_within(letters):
            return ""
        end = self._end_of_echo(head)
        if len(letters) > 2 * MOST_LETTERS or len(head) < len(text):
            # No echo is longer than this, so the end of the echo is settled and not looked for again.
            self._echo = text[:end]
        return text[end:]

    def _end_of_echo(self, text: str) -> int:
        end, best = 0, ALIKE
        for position in word_ends(text):
            letters = _letters(text[:position])
            if len(letters) > MOST_LETTERS:
                break
            alike = self._like_end(letters) if letters else 0.0
            if alike >= best:
                end, best = position, alike
        return end

    def _like_end(self, letters: str) -> float:
        """How much these letters are like the last ones that were told, from 0 to 1."""
        slack = len(letters) // 5
        lengths = range(max(1, len(letters) - slack), len(letters) + slack + 1)
        return max(_likeness(letters, self._told[-length:]) for length in lengths)

    def _is_within(self, letters: str) -> bool:
        """Whether these letters occur, loosely, anywhere in what was told."""
        starts = range(max(1, len(self._told) - len(letters) + 1))
        return any(_likeness(letters, self._told[start : start + len(letters)]) >= ALIKE for start in starts)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _likeness(text: str, other: str) -> float:
    # Needed only after a drop, if it is in doubt which audio was settled; importing the plugin should not pay for it.
    from difflib import SequenceMatcher  # noqa: PLC0415

    matcher = SequenceMatcher(None, text, other, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= ALIKE else 0.0


class LastTurn:
    """The text of the last turn that was told. A replay may repeat it as long as audio of that turn is held."""

    def __init__(self) -> None:
        self._held_to = 0
        self._text, self._is_whole = "", False

    def told(self, text: str, held_to: int | None, *, is_whole: bool) -> None:
        """A turn with this text was told.

        Args:
            text: its text.
            held_to: the position up to which the audio that is held may belong to it; None if none of it does.
            is_whole: that audio may be all of the turn.
        """
        self._text, self._held_to, self._is_whole = text, held_to or 0, is_whole

    def is_gone(self, begins: int) -> bool:
        """No audio of it is held, since the audio that is held begins at this position."""
        return begins >= self._held_to

    def echo(self, begins: int) -> tuple[str, bool]:
        """What a replay from this position on may repeat of it, as the arguments of `Turn.expect_echo`."""
        return "" if self.is_gone(begins) else self._text, self._is_whole
