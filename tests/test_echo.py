"""The end of a turn that is heard again is told from words that are new, loosely."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.echo import Echo

TOLD = "He was not an ill-disposed young man."


@pytest.mark.parametrize(
    ("heard", "rest"),
    [
        ("Young man.", ""),
        ("man", ""),
        ("Isposed young man.", ""),
        ("Posed young men", ""),
        ("ill disposed", ""),
        ("", ""),
        ("Man. And then he left", "And then he left"),
        ("young man, unless to be", "unless to be"),
        ("Unless to be rather cold", "Unless to be rather cold"),
        ("Yes.", "Yes."),
        ("And", "And"),
        ("He might even have been made amiable himself", "He might even have been made amiable himself"),
    ],
)
def test_what_is_heard_again_of_the_end_of_a_turn_is_left_out_and_nothing_else(heard: str, rest: str) -> None:
    assert Echo(TOLD).rest(heard) == rest


def test_text_that_grows_is_given_from_the_first_word_on_that_is_no_echo() -> None:
    echo = Echo("What time is it? It is late.")
    assert [echo.rest(text) for text in ("It", "It is", "It is late", "It is late, but", "It is late, but I")] == [
        *[""] * 3,
        "but",
        "but I",
    ]


@pytest.mark.parametrize(
    ("told", "heard", "rest"), [("今日はいい天気", "天気", ""), ("今日はいい天気", "明日は雨", "明日は雨")]
)
def test_scripts_without_spaces_have_echoes_too(told: str, heard: str, rest: str) -> None:
    assert Echo(told).rest(heard) == rest


@given(st.text(), st.text())
def test_it_never_makes_words_up(told: str, heard: str) -> None:
    assert heard.endswith(Echo(told).rest(heard))


@given(st.text())
def test_without_a_turn_that_was_told_there_is_no_echo(heard: str) -> None:
    assert Echo("").rest(heard) == heard
