"""Text of a turn, told apart from what its consumer has already."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core.text import (
    Relation,
    has_words,
    is_blank,
    is_same,
    join,
    relation,
    seam,
    word_count,
    word_end,
    word_ends,
)

texts = st.text(alphabet="ab.,- \n\u4eca\u65e5\u3002\u0e01\u0e34", max_size=20)


@pytest.mark.parametrize("text", ["a", " 1 ", "\xe9", "...a", "\u4eca", "\u0915\u094d", "\uff11"])
def test_a_letter_or_a_digit_is_what_makes_text(text: str) -> None:
    assert has_words(text)


@pytest.mark.parametrize("text", ["", " ", "\n", ".", "?!", "\u2026", "\u3002", "_", "\u200b", "\u3164", "\U0001f44d"])
def test_anything_else_is_none(text: str) -> None:
    assert not has_words(text)


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        ("", True),
        (" \u3000\n", True),
        ("\u200b\ufeff\x00", True),
        ("\ufe0f\u034f", True),
        ("\u3164\uffa0\u2800", True),
        (".", False),
        ("\u200ba", False),
        ("\U0001f44d\ufe0f", False),
    ],
)
def test_what_does_not_show_is_blank(text: str, blank: bool) -> None:
    assert is_blank(text) is blank


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" a  b\nc ", 3),
        ("don't stop-it.", 2),
        ("\xe7a va ?", 2),
        ("\u4eca\u65e5\u306f\u3001\u3044\u3044", 5),
        ("iPhone\u3092\u8cb7\u3046", 4),
        ("\u0e01\u0e34\u0e19", 2),
        ("\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e", 2),
        ("\uc548\ub155 \uc138\uacc4", 2),
    ],
)
def test_words_are_parted_by_space_and_letters_by_themselves_where_a_script_has_no_spaces(
    text: str, count: int
) -> None:
    assert word_count(text) == count


@given(texts, texts)
def test_what_is_joined_comes_apart_again(first: str, second: str) -> None:
    joined = join(first, second)
    assert joined.startswith(first)
    assert joined.endswith(second)
    assert joined.split() == f"{first} {second}".split() or "".join(joined.split()) == "".join((first + second).split())


@pytest.mark.parametrize(
    ("text", "told", "expected"),
    [
        ("a b", "a b", Relation.GOES_ON),
        ("a b c", "a b", Relation.GOES_ON),
        ("a. b", "a", Relation.GOES_ON),
        ("say hello", "say hel", Relation.GOES_ON),
        ("It is", "I", Relation.OTHER),
        ("\u4eca\u65e5", "\u4eca", Relation.GOES_ON),
        ("A, b c", "a b.", Relation.GOES_ON),
        ("a", "a b", Relation.BEHIND),
        ("A.", "a b", Relation.BEHIND),
        ("b", "a", Relation.OTHER),
        ("a c", "a b", Relation.OTHER),
        ("a c", "a b c", Relation.OTHER),
        ("\u4eca\u65e5\u306f", "\u4eca\u3001\u65e5", Relation.GOES_ON),
        ("\u4eca\u306f", "\u4eca\u65e5", Relation.OTHER),
    ],
)
def test_how_a_text_relates_to_what_was_told_is_seen_word_by_word(text: str, told: str, expected: Relation) -> None:
    assert relation(text, told) is expected


@pytest.mark.parametrize(
    ("text", "position", "end"),
    [
        ("", 3, 0),
        ("ab cd", 0, 0),
        ("ab cd", 1, 2),
        ("ab, cd", 2, 3),
        ("ab cd", 3, 3),
        ("ab", 9, 2),
        ("\u4eca\u65e5\u3002\u306f", 1, 1),
        ("\u4eca\u65e5\u3002\u306f", 2, 3),
        ("\u306f\u3002OK", 2, 2),
        # A vowel sign or an accent of its own belongs to the letter before it.
        ("\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902", 4, 6),
        ("\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902", 6, 6),
        ("e\u0301te\u0301s, a", 2, 7),
        ("\u0e01\u0e34\u0e19", 2, 2),
        ("\u0301ab", 1, 1),
    ],
)
def test_a_word_that_lies_across_a_position_ends_with_its_punctuation(text: str, position: int, end: int) -> None:
    assert word_end(text, position) == end


def test_words_end_behind_their_white_space_and_letters_of_a_script_without_spaces_each() -> None:
    assert list(word_ends("ab  c. ")) == [4, 7]
    assert list(word_ends("\u4eca\u65e5\u3002OK")) == [1, 3, 5]


def test_white_space_at_the_ends_makes_no_difference() -> None:
    assert is_same("a b", "a b \n")
    assert not is_same("a b", "a  b")


@given(st.text(), st.integers(0, 50), st.text())
def test_a_seam_is_a_place_in_both_texts(told: str, expected: int, heard: str) -> None:
    found = seam(told, expected, heard)
    assert found is None or (expected <= found[0] < len(told) and 0 <= found[1] < len(heard))
