"""Text of a turn, told apart from what its consumer has already."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core import text, words
from livekit.plugins.cartesia_turns.core.text import has_words, word_count
from livekit.plugins.cartesia_turns.core.words import KnownText, Marks, Skipper

texts = st.text(alphabet="ab.,- \n\u4eca\u65e5\u3002\u0e01\u0e34", max_size=20)


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
    counted = CountingPattern(text.WORD)
    monkeypatch.setattr(words, "WORD", counted)
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


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 20))), st.integers(0, 12))
def test_marks_tell_how_much_was_known_before_a_position(notes: list[tuple[int, int]], at: int) -> None:
    marks = Marks()
    known: list[tuple[int, int]] = []
    for position, count in sorted(notes):
        marks.note(position, count)
        known.append((position, max(count, known[-1][1] if known else 0)))
    assert marks.length_before(at) == max((count for position, count in known if position <= at), default=0)


def test_marks_keep_the_first_position_of_a_length_and_forget_with_the_turn() -> None:
    marks = Marks()
    marks.note(10, 3)
    marks.note(20, 5)
    marks.note(5, 2)
    assert marks.length_before(10) == 3
    marks.note(12, 3)
    assert marks.length_before(19) == 3
    marks.clear()
    assert marks.length_before(99) == 0
