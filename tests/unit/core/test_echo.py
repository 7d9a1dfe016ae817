"""The end of a turn that is heard again is told from words that are new, loosely."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core import echo as echo_module
from livekit.plugins.cartesia_turns.core.echo import MOST_TEXT, Echo, LastTurn

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


@pytest.mark.parametrize("heard", ["Yes.", "yes", "Yes, please", "yes yes"])
def test_who_says_all_of_a_turn_again_says_it_anew_where_its_beginning_can_not_be_heard_again(heard: str) -> None:
    assert Echo("Yes.", is_whole=False).rest(heard) == heard
    assert not Echo("Yes.").rest("yes")
    assert not Echo("Oh, yes.", is_whole=False).rest("yes")


def test_a_turn_that_is_said_anew_is_given_as_it_grows() -> None:
    echo = Echo("Thank you.", is_whole=False)
    assert [echo.rest(text) for text in ("Thank", "Thank you", "Thank you so much")] == [
        "",
        "Thank you",
        "Thank you so much",
    ]


def test_text_that_grows_is_given_from_the_first_word_on_that_is_no_echo() -> None:
    echo = Echo("What time is it? It is late.")
    assert [echo.rest(text) for text in ("It", "It is", "It is late", "It is late, but", "It is late, but I")] == [
        *[""] * 3,
        "but",
        "but I",
    ]


@pytest.mark.parametrize(
    ("told", "heard", "rest"),
    [
        ("今日はいい天気", "天気", ""),
        ("今日はいい天気", "明日は雨", "明日は雨"),
        ("今日はいい天気です。", "天気です。明日は雨でしょう。", "明日は雨でしょう。"),
    ],
)
def test_scripts_without_spaces_have_echoes_too(told: str, heard: str, rest: str) -> None:
    assert Echo(told).rest(heard) == rest


def test_of_a_long_text_the_beginning_alone_is_looked_at_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    plain = echo_module._letters

    def counting(text: str) -> str:
        looked_at.append(len(text))
        return plain(text)

    monkeypatch.setattr(echo_module, "_letters", counting)
    echo = Echo(TOLD)
    news = "Unless to be rather cold hearted and rather selfish is to be ill disposed " * 1000
    assert all(echo.rest(f"young man. {news[:length]}") == news[:length] for length in range(200, len(news), 500))
    assert max(looked_at) <= MOST_TEXT
    assert len(looked_at) < 20


@given(st.text(), st.text())
def test_it_never_makes_words_up(told: str, heard: str) -> None:
    assert heard.endswith(Echo(told).rest(heard))


@given(st.text())
def test_without_a_turn_that_was_told_there_is_no_echo(heard: str) -> None:
    assert Echo("").rest(heard) == heard


def test_before_the_first_turn_a_replay_repeats_nothing() -> None:
    assert LastTurn().echo(0) == ("", False)


def test_a_replay_may_repeat_a_turn_as_long_as_audio_of_it_is_held() -> None:
    last = LastTurn()
    last.told("hi", 100, is_whole=True)
    assert (last.echo(99), last.is_gone(99)) == (("hi", True), False)
    assert (last.echo(100)[0], last.is_gone(100)) == ("", True)


def test_a_turn_whose_audio_is_settled_is_never_repeated() -> None:
    last = LastTurn()
    last.told("hi", 100, is_whole=True)
    last.told("ho", None, is_whole=False)
    assert last.echo(0) == ("", False)
