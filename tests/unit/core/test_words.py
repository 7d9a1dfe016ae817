"""Text of a turn, told apart from what its consumer has already."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core import words
from livekit.plugins.cartesia_turns.core.words import (
    KnownText,
    Relation,
    Skipper,
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


@pytest.mark.parametrize("text", ["", " ", "\n", ".", "?!", "\u2026", "\u3002", "_", "\u200b", "\U0001f44d"])
def test_anything_else_is_none(text: str) -> None:
    assert not has_words(text)


@pytest.mark.parametrize(
    ("text", "blank"), [("", True), (" \u3000\n", True), ("\u200b\ufeff\x00", True), (".", False), ("\u200ba", False)]
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


@given(texts, texts)
def test_a_text_has_beyond_its_beginning_what_it_grew_by(beginning: str, more: str) -> None:
    text = f"{beginning} {more}"
    rest = Skipper(beginning).rest(text)
    assert text.endswith(rest)
    if has_words(beginning):
        assert word_count(rest) == word_count(more)
        assert has_words(rest) or not rest


@given(st.lists(st.sampled_from(["a", "b.", "-", "\u4eca", "\u65e5\u3002"]), min_size=1, max_size=12), st.data())
def test_beyond_words_that_were_heard_differently_is_what_comes_after_as_many(
    parts: list[str], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(parts)))
    known = Skipper(" ".join(part.replace("a", "x") for part in parts[:cut]))
    for upto in sorted(data.draw(st.lists(st.integers(1, len(parts)), max_size=5))):
        rest = known.rest(" ".join(parts[:upto]))
        assert word_count(rest) <= max(0, word_count(" ".join(parts[cut:upto])))
    assert word_count(known.rest(" ".join([*parts, "end"]))) == word_count(" ".join([*parts[cut:], "end"]))


def test_words_are_counted_once_however_often_a_text_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = CountingPattern(words._WORD)
    monkeypatch.setattr(words, "_WORD", counted)
    heard = [f"w{number}" for number in range(2000)]
    known = Skipper(" ".join(["x", *heard[1:1000]]))
    for upto in range(0, 2000, 10):
        assert known.rest(" ".join(heard[:upto])) == " ".join(heard[1000:upto])
    assert counted.found < 1000 + 1000 + 2 * 200


class CountingPattern:
    """A regular expression that counts what it finds."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self.found = 0

    def search(self, text: str, position: int) -> re.Match[str] | None:
        self.found += 1
        return self._pattern.search(text, position)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        for match in self._pattern.finditer(text):
            self.found += 1
            yield match


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


def test_all_is_news_of_a_turn_that_nobody_has_heard_of() -> None:
    known = KnownText()
    assert known.news(" a  b ") == " a  b "
    assert known.length("a b") == 3
    assert not known.delivered_before


def test_text_that_was_delivered_is_no_news() -> None:
    known = KnownText()
    known.deliver("a b")
    assert known.news("a") == ""
    assert known.news("a b.") == ""
    assert known.news("a b c") == "c"
    assert known.length("c d") == len("a b c d")


def test_text_without_audio_is_put_before_what_the_replay_brings() -> None:
    known = KnownText()
    known.lose_socket(3, "a b c")
    assert known.news("") == "a b"
    assert known.news("c d") == "a b c d"
    assert known.news(" c d") == "a b c d"
    known.forget()
    assert known.news("c d") == "c d"


def test_a_word_whose_audio_is_gone_in_part_is_kept_whole() -> None:
    known = KnownText()
    known.lose_socket(4, "one two")
    assert known.news("three") == "one three"
    known.lose_socket(5, "one two")
    assert known.news("three") == "one two three"


def test_a_replay_brings_delivered_text_again_but_for_what_has_no_audio() -> None:
    known = KnownText()
    known.deliver("a b c")
    known.lose_socket(1, "")
    assert known.delivered_before
    assert known.news("b c d") == "d"


def test_a_replay_may_make_two_turns_of_one() -> None:
    known = KnownText()
    known.deliver("a b c")
    known.lose_socket(0, "")
    known.end("a b")
    assert known.news("c d") == "d"


def test_on_the_same_socket_the_servers_end_is_the_end() -> None:
    known = KnownText()
    known.deliver("a b c")
    known.end("")
    assert known.news("a b c") == "a b c"


def test_a_turn_that_the_server_never_ended_comes_again_with_a_replay_and_not_before() -> None:
    known = KnownText()
    known.keep_unsettled(known.told_so_far("a b"))
    known.begin()
    assert known.news("c") == "c"
    assert known.length("c") == len("a b c")
    known.lose_socket(0, "c")
    assert known.news("a b c d") == "c d"


def test_text_is_news_again_once_the_audio_of_all_that_was_delivered_is_gone() -> None:
    known = KnownText()
    known.deliver("a b")
    known.lose_socket(0, "")
    known.forget_first(2)
    assert known.news("a b c") == "c"
    known.forget_first(3)
    assert known.news("a b c") == "a b c"
    assert not known.delivered_before


SHOWN = "one two three four five six seven eight nine ten"


@pytest.mark.parametrize(
    ("heard", "whole"),
    [
        ("four five six seven", "one two three four five six seven"),
        ("ee four five six, seven", "one two three four five six, seven"),
        (
            "Three, four Five six seven eight nine ten eleven",
            "one two Three, four Five six seven eight nine ten eleven",
        ),
        ("four five", "one two four five"),
        ("something else altogether", "one two something else altogether"),
    ],
)
def test_a_replay_without_its_beginning_goes_on_where_its_words_stand_in_what_was_shown(heard: str, whole: str) -> None:
    known = KnownText()
    known.lose_socket(len("one two"), SHOWN)
    assert known.news(heard) == whole


def test_a_replay_in_a_script_without_spaces_goes_on_where_its_letters_stand_too() -> None:
    shown = "今日はとても天気がいいので散歩に行きましょうか"
    known = KnownText()
    known.lose_socket(len("今日はとて"), shown)
    assert known.news("天気がいいので散歩に行きましょうか、ね") == shown + "、ね"


@given(st.text(), st.integers(0, 50), st.text())
def test_a_seam_is_a_place_in_both_texts(told: str, expected: int, heard: str) -> None:
    found = seam(told, expected, heard)
    assert found is None or (expected <= found[0] < len(told) and 0 <= found[1] < len(heard))
