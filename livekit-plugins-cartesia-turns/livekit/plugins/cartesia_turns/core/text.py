"""Texts compared word by word. In scripts without spaces between words each letter counts as a word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import Enum
from itertools import zip_longest

_UNSPACED = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\uff66-\uff9f"  # Japanese
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6"  # Thai, Lao
    "\u1000-\u102a\u103f\u1050-\u1055\u1780-\u17b3"  # Burmese, Khmer
)
"""Letters of scripts that write no spaces between words, as the inside of a character class."""
WORD: re.Pattern[str] = re.compile(rf"[{_UNSPACED}][^\w\s]*|[^\s{_UNSPACED}]+")
"""A word with its punctuation."""
_SHAPELESS = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Characters without a shape, such as a zero width space; Unicode calls some of them letters (Hangul fillers)."""
_HAS_WORDS = re.compile(rf"[^\W_{_SHAPELESS}]")
_INK = re.compile(rf"[^\s\x00-\x1f\x7f-\x9f{_SHAPELESS}]")
"""A visible character: neither white space nor a control character, and not without a shape."""
_MARKS = frozenset({"Mn", "Mc", "Me", "Cf"})
"""Categories of vowel signs, accents and joiners, which belong to the letter before them."""
_REST_OF_WORD = re.compile(rf"[^\s{_UNSPACED}]*")
_REST_OF_PUNCTUATION = re.compile(r"[^\w\s]*")
_ENDS_IN_WORD = re.compile(rf"(?=\w)[^{_UNSPACED}]")
_NO_SPACE = re.compile(rf"[\s{_UNSPACED}\u3000-\u303f\uff00-\uffef]")
GAP: re.Pattern[str] = re.compile(r"\s*(?:[^\w\s]+(?:\s+|$))*")
"""What stands between two words: white space, and punctuation that stands alone, which belongs to the word before."""

_SENTENCE_ENDS = tuple(".?!\u3002\uff1f\uff01\uff0e\u0964\u06d4\u061f")
"""Ends of sentences in European languages, Japanese and Chinese, Hindi, Urdu and Arabic."""
_CLOSING = "\"')]\u201d\u2019\u00bb\u300d\u300f\uff09"

SEAM_LETTERS = 12
"""This many equal letters in a row are the same words in two texts."""
SEAM_WORDS = 8
"""How many of the first words of a replay are tried as the beginning of such letters."""
SEAM_WITHIN = 400
"""How many characters behind the expected place are searched: more than are spoken while words are on the way."""


class Relation(Enum):
    """How a text relates to one that was told before: it begins with all of it, is its beginning, or is another."""

    GOES_ON = "goes on"
    BEHIND = "behind"
    OTHER = "other"


def has_words(text: str) -> bool:
    """Whether the text has a letter or a digit. White space and punctuation alone are no words."""
    return _HAS_WORDS.search(text) is not None


def is_blank(text: str) -> bool:
    """Whether nothing of the text is visible: white space, zero width spaces, byte order marks, control characters."""
    return _INK.search(text) is None


def ends_sentence(text: str) -> bool:
    """Whether the last words are the end of a sentence, by their punctuation."""
    return text.rstrip().rstrip(_CLOSING).endswith(_SENTENCE_ENDS)


def is_same(text: str, other: str) -> bool:
    """Whether two texts differ at most in the white space at their ends."""
    return text == other or text.rstrip() == other.rstrip()


def relation(text: str, told: str) -> Relation:
    """Whether `text` begins with all of `told`, is the beginning of it, or neither; compared loosely, word by word.

    The last of several words may have been told in part. A single word ("I") is not taken for a part of another ("It").
    """
    if text.startswith(told) and (word_end(text, len(told)) == len(told) or len(told.split(maxsplit=1)) > 1):
        return Relation.GOES_ON
    if told.startswith(text):
        return Relation.BEHIND
    for word, other in zip_longest(_plain_words(text), _plain_words(told)):
        if word is None:
            return Relation.BEHIND
        if other is None:
            return Relation.GOES_ON
        if word != other:
            return Relation.OTHER
    return Relation.GOES_ON


def join(first: str, second: str) -> str:
    """Both texts, with a space between them if their scripts use one."""
    if not first or not second:
        return first or second
    return f"{first}{' ' * gap_length(first, second)}{second}"


def gap_length(first: str, second: str) -> int:
    """How many spaces belong between the two: one or none."""
    return int(bool(first and second) and not (_NO_SPACE.match(first[-1]) or _NO_SPACE.match(second[0])))


def word_count(text: str) -> int:
    """The number of words; punctuation that stands alone belongs to the word before it."""
    return sum(has_words(match[0]) for match in WORD.finditer(text))


def word_ends(text: str) -> Iterator[int]:
    """The position behind each word and the white space that follows it."""
    starts = (match.start() for match in WORD.finditer(text))
    next(starts, None)
    yield from starts
    yield len(text)


def word_end(text: str, position: int) -> int:
    """The end of the word in which this position lies, with its punctuation; the position itself between words."""
    if not 0 < position < len(text):
        return min(position, len(text))
    letter = position - 1
    while letter and unicodedata.category(text[letter]) in _MARKS:
        letter -= 1
    rest = _REST_OF_WORD if _ENDS_IN_WORD.match(text[letter]) else _REST_OF_PUNCTUATION
    match = rest.match(text, position)
    return match.end() if match else position


def seam(told: str, expected: int, heard: str) -> tuple[int, int] | None:
    """Finds where a replay continues a text that was told: SEAM_LETTERS letters in a row that both have.

    Args:
        told: the text.
        expected: the replay begins at this position of `told`, or somewhat behind it.
        heard: the text that the replay has brought so far. Its first word may be half a word.

    Returns:
        Where the same word begins in `told` and in `heard`; None if there is none.
    """
    window = told[expected : expected + SEAM_WITHIN]
    starts = {match.start() for match in WORD.finditer(window)}
    places = [place for place, letter in enumerate(window) if letter.isalnum()]
    letters = "".join(window[place].casefold()[0] for place in places)
    for word, _ in zip(WORD.finditer(heard), range(SEAM_WORDS), strict=False):
        behind = filter(str.isalnum, heard[word.start() : word.start() + 4 * SEAM_LETTERS])
        wanted = "".join(letter.casefold()[0] for letter in behind)[:SEAM_LETTERS]
        at = letters.find(wanted) if len(wanted) == SEAM_LETTERS else -1
        if at >= 0 and places[at] in starts:
            return expected + places[at], word.start()
    return None


def _plain_words(text: str) -> Iterator[str]:
    """The words without punctuation and capitals."""
    plain = ("".join(filter(str.isalnum, match[0])).casefold() for match in WORD.finditer(text))
    return filter(None, plain)
