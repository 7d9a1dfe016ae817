"""What the server says becomes a turn with a name and its languages."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.events import Kind, TurnEvent
from livekit.plugins.cartesia_turns.core.turn import Turn
from livekit.plugins.cartesia_turns.wire.messages import DetectedLanguage, TurnEnd, TurnMessage, TurnStart, TurnUpdate
from support.script import RESUME, START, eager_end, end, update
from support.turns import named, play


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([START, update("a"), end("a b")], ["start", "update a", "end a b"]),
        ([START, update("a"), update("a"), end("a")], ["start", "update a", "end a"]),
        ([START, update(""), end("")], ["start", "end"]),
        ([START, update("a"), end("")], ["start", "update a", "end a"]),
        ([START, update("a"), eager_end("a b"), end("")], ["start", "update a", "eager_end a b", "end a b"]),
        ([START, update(" a "), end(" a ")], ["start", "update  a", "end  a"]),
        (
            [START, eager_end("a"), RESUME, update("a b"), eager_end("a b"), end("a b")],
            ["start", "eager_end a", "resume a", "update a b", "eager_end a b", "end a b"],
        ),
        ([START, eager_end("a"), RESUME, eager_end("a"), end("a")], ["start", "eager_end a", "resume a", "end a"]),
        ([START, eager_end("a"), eager_end("a")], ["start", "eager_end a"]),
        ([START, eager_end("a"), update("a"), RESUME, end("a b")], ["start", "eager_end a", "resume a", "end a b"]),
        ([START, eager_end(""), RESUME], ["start"]),
        ([update("a"), end("a")], ["start", "update a", "end a"]),
        ([eager_end("a"), end("a")], ["start", "eager_end a", "end a"]),
        ([end("a")], ["start", "end a"]),
        ([end(""), update(" "), eager_end(""), RESUME], []),
        ([START, START, update("a")], ["start", "update a"]),
        (
            [START, update("a"), START, update("b"), end("b")],
            ["start", "update a", "end a", "start", "update b", "end b"],
        ),
        ([START, RESUME, end("a"), end("a")], ["start", "end a", "start", "end a"]),
    ],
)
def test_what_the_server_says_becomes_a_turn(messages: list[TurnMessage], told: list[str]) -> None:
    assert play(Turn(), *messages) == told


def test_events_have_the_name_of_the_turn_and_the_languages_heard_last() -> None:
    hindi, english = (DetectedLanguage("hi", 1.0),), (DetectedLanguage("en"),)
    turn = Turn()
    events = [
        *turn.receive(TurnStart("", "1")),
        *turn.receive(TurnUpdate("r", "a", "1", hindi)),
        *turn.receive(TurnEnd("r", "a b", "1", english)),
        *turn.receive(TurnUpdate("r", "c")),
        *turn.close(),
    ]
    assert events == [
        TurnEvent(Kind.START, "", "1"),
        TurnEvent(Kind.UPDATE, "a", "1", hindi),
        TurnEvent(Kind.END, "a b", "1", english),
        TurnEvent(Kind.START),
        TurnEvent(Kind.UPDATE, "c"),
        TurnEvent(Kind.END, "c"),
    ]


def test_a_turn_that_is_split_has_the_name_it_was_told_with() -> None:
    turn = Turn()
    events = [event for message in named("1", START, update("a")) for event in turn.receive(message)]
    events += [event for message in named("2", START, end("b")) for event in turn.receive(message)]
    assert [(event.kind, event.turn_id) for event in events] == [
        (Kind.START, "1"),
        (Kind.UPDATE, "1"),
        (Kind.END, "1"),
        (Kind.START, "2"),
        (Kind.END, "2"),
    ]


def test_languages_of_a_turn_that_was_closed_before_its_end_are_not_those_of_the_next_turn() -> None:
    turn = Turn()
    play(turn, START, update("a"), "close", TurnEnd("", "a", "", (DetectedLanguage("hi"),)), START, update("b"))
    assert turn.close() == [TurnEvent(Kind.END, "b")]
