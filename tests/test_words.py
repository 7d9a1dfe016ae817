"""Words of a turn, told apart by how many there are before them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.words import KnownWords, first_words, skip_words, word_count


@given(st.text(alphabet="ab \n\t", max_size=20), st.integers(0, 12))
def test_a_text_parts_into_its_first_words_and_the_rest(text: str, count: int) -> None:
    first, rest = first_words(text, count), skip_words(text, count)
    assert word_count(first) == min(count, word_count(text))
    assert first.split() + rest.split() == text.split()
    assert text.startswith(first)
    assert text.endswith(rest)


def test_all_is_news_of_a_turn_that_nobody_has_heard_of() -> None:
    known = KnownWords()
    assert known.news(" a  b ") == " a  b "
    assert known.count("a b") == 2
    assert not known.delivered_before


def test_words_that_were_delivered_are_no_news() -> None:
    known = KnownWords()
    known.deliver("a b")
    assert known.news("a") == ""
    assert known.news("a b c") == "c"
    assert known.count("c d") == 4


def test_words_without_audio_are_put_before_what_the_replay_brings() -> None:
    known = KnownWords()
    known.lose_socket(2, "a b c")
    assert known.news("") == "a b"
    assert known.news("c d") == "a b c d"
    assert known.news(" c d") == "a b c d"
    known.close()
    assert known.news("c d") == "c d"


def test_a_replay_brings_delivered_words_again_but_for_those_without_audio() -> None:
    known = KnownWords()
    known.deliver("a b c")
    known.lose_socket(1, "")
    assert known.delivered_before
    assert known.news("b c d") == "d"


def test_a_replay_may_make_two_turns_of_one() -> None:
    known = KnownWords()
    known.deliver("a b c")
    known.lose_socket(0, "")
    known.forget_part("a b")
    assert known.news("c d") == "d"


def test_words_are_news_again_once_the_audio_of_all_that_were_delivered_is_gone() -> None:
    known = KnownWords()
    known.deliver("a b")
    known.lose_socket(0, "")
    known.forget_first(1)
    assert known.news("a b c") == "c"
    known.forget_first(2)
    assert known.news("a b c") == "a b c"
    assert not known.delivered_before
