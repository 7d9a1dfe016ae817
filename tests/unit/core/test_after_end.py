from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.after_end import AfterEnd
from livekit.plugins.cartesia_turns.wire.messages import Connected, ServerMessage, TurnEnd, TurnMessage, TurnUpdate
from support.script import RESUME, START, eager_end, end, update
from support.turns import named


def news(*messages: ServerMessage) -> list[ServerMessage]:
    after_end = AfterEnd()
    heard = map(after_end.news, messages)
    return [message for message in heard if message is not None]


@pytest.mark.parametrize("again", [end("a b"), update("a b"), update("a"), eager_end("A b."), end(""), update(" ")])
def test_what_the_server_repeats_behind_the_end_of_a_turn_is_no_news(again: ServerMessage) -> None:
    turn: list[ServerMessage] = [START, update("a"), end("a b")]
    assert news(*turn, again, again, Connected("r"), RESUME) == [*turn, Connected("r"), RESUME]


def test_a_turn_that_ends_without_its_text_is_known_by_what_was_told_of_it() -> None:
    turn: list[ServerMessage] = [START, update("a b"), end("")]
    assert news(*turn, end("a b")) == turn


def test_only_words_that_go_beyond_the_turn_are_news_and_so_is_their_end() -> None:
    turn: list[ServerMessage] = [START, end("a b")]
    late: list[ServerMessage] = [
        update("a b"),
        update("a b c"),
        update("a b"),
        update("a b c d"),
        end("a b"),
        end("a b c d"),
    ]
    assert news(*turn, *late) == [*turn, update("c"), update(""), update("c d"), end("")]
    assert news(*turn, end("a b c"), end("a b c"), end("a b c d")) == [*turn, end("c"), end("d")]


@pytest.mark.parametrize(
    "messages",
    [
        # Another turn has its own start, or other words.
        [START, end("a b"), START, update("a b"), end("a b")],
        [START, end("I would"), update("You"), update("You would"), end("You would")],
        # A single word may well be meant again.
        [START, end("yes"), update("yes"), end("yes")],
        [TurnEnd("", "a b", "t-1"), TurnEnd("", "a b", "t-2")],
    ],
)
def test_what_another_turn_says_is_news_although_its_words_are_known(messages: list[ServerMessage]) -> None:
    assert news(*messages) == messages


def test_the_name_of_a_turn_tells_that_a_single_word_is_repeated() -> None:
    ended = TurnEnd("", "yes", "t-1")
    assert news(START, ended, TurnUpdate("", "yes", "t-1"), ended) == [START, ended]


def test_text_that_begins_as_the_last_turn_did_is_told_as_soon_as_it_differs() -> None:
    said: list[ServerMessage] = [START, end("I would")]
    assert news(*said, update("I"), update("I see"), end("I see")) == [*said, update("I see"), end("I see")]


@pytest.mark.parametrize("late", [end("a b"), update("a"), eager_end("A b."), end("")])
def test_what_the_server_repeats_of_a_turn_is_no_news_in_the_next_turn_either(late: TurnMessage) -> None:
    first: list[ServerMessage] = [*named("1", START, update("a"), end("a b"))]
    second: list[ServerMessage] = [*named("2", START, update("c"), end("c d"))]
    again = named("1", late)
    heard = news(*first, second[0], *again, second[1], *again, second[2], *again)
    assert heard == [*first, *second]


def test_more_words_of_a_turn_are_news_in_the_next_turn_too() -> None:
    said: list[ServerMessage] = [*named("1", START, end("a")), *named("2", START), *named("1", end("a b"))]
    assert news(*said) == said


def test_a_name_that_comes_again_with_a_start_is_that_of_another_turn() -> None:
    said: list[ServerMessage] = [*named("1", START, end("a"), START, update("a"), end("a"))]
    assert news(*said) == said
    unnamed: list[ServerMessage] = [*named("1", START, end("a")), START, *named("1", update("a"), end("a"))]
    assert news(*unnamed) == unnamed
