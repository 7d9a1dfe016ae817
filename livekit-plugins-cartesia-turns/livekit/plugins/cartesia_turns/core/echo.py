"""Whether words that a replay brings are the end of the turn before, heard a second time.

Where a late server leaves it in doubt which audio a turn.end settles, the end of that turn may be sent again after a
drop (see `settling`). It is little audio, cut in the middle of a word, and a recognizer hears it differently the second
time. So the beginning of the new text is compared with the end of the text just told, letter by letter and loosely.
"""

from __future__ import annotations

from .text import word_ends

ALIKE = 0.75
"""From which part of letters in common on two texts are the same words."""
MOST_LETTERS = 40
"""How much of the end of a turn may be heard again: what a second and a half holds of fast speech."""
MOST_TEXT = 10 * MOST_LETTERS
"""As many characters as are looked at for those letters."""


class Echo:
    """The end of a turn that may be heard again.

    Args:
        told: the text of the turn, as it was told.
        is_whole: the whole of the turn may be heard again. Otherwise who says all of it once more ("yes", "yes") says
            it anew.
    """

    def __init__(self, told: str, *, is_whole: bool = True) -> None:
        # Letters take up less than this, with what stands between them.
        self._told = _letters(told[-MOST_TEXT:])[-MOST_LETTERS:]
        self._whole = "" if is_whole or len(self._told) == MOST_LETTERS else self._told
        self._echo: str | None = None

    def rest(self, text: str) -> str:
        """`text`, the whole so far of what a replay brings, without what of its beginning is an echo.

        Text that may be an echo and not all of it yet is left out until there is more of it.
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
            # No text that follows can be an echo, so the whole is not looked at again as it grows.
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
        """How much these are like the last letters of what was told, from 0 to 1."""
        slack = len(letters) // 5
        lengths = range(max(1, len(letters) - slack), len(letters) + slack + 1)
        return max(_likeness(letters, self._told[-length:]) for length in lengths)

    def _is_within(self, letters: str) -> bool:
        """Whether these are letters from the midst of what was told."""
        starts = range(max(1, len(self._told) - len(letters) + 1))
        return any(_likeness(letters, self._told[start : start + len(letters)]) >= ALIKE for start in starts)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _likeness(text: str, other: str) -> float:
    # Wanted after a drop in doubt alone, so that importing the plugin does not pay for it.
    from difflib import SequenceMatcher  # noqa: PLC0415

    matcher = SequenceMatcher(None, text, other, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= ALIKE else 0.0
