"""A turn goes on over sockets that are lost and over closes by the client."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.turn import Turn
from support.script import RESUME, START, eager_end, end, update
from support.turns import Step, play


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        pytest.param(
            [START, update("a b"), "lost", START, update("a"), update("a b"), update("a b c"), end("a b c")],
            ["start", "update a b", "update a b c", "end a b c"],
            id="the text is held back until it is longer than what was shown",
        ),
        pytest.param(
            [START, eager_end("a b"), "lost", START, eager_end("a"), RESUME, eager_end("a b"), end("a b")],
            ["start", "eager_end a b", "resume a b", "end a b"],
            id="a speculative text is not told again",
        ),
        pytest.param(
            [START, update("a b c"), "lost 3", START, update("c"), update("c d"), end("c d")],
            ["start", "update a b c", "update a b c d", "end a b c d"],
            id="words without audio stay in front",
        ),
        pytest.param(
            [START, update("a b c"), "lost 3", "lost 5", START, end("d")],
            ["start", "update a b c", "end a b c d"],
            id="more of them with each drop",
        ),
        pytest.param(
            [START, update("a b"), "lost", START, end(""), "close"],
            ["start", "update a b", "end a b"],
            id="what was shown is final where the replay brings nothing",
        ),
        pytest.param([START, "lost", START, START, end("a")], ["start", "end a"], id="a start is not told twice"),
        pytest.param(
            [START, update("a"), "lost", update(""), eager_end(" "), START, update("b")],
            ["start", "update a"],
            id="a message without text brings no turn back",
        ),
        pytest.param(["lost", START, end("a")], ["start", "end a"], id="a drop between turns is nothing"),
        pytest.param(
            [START, update("a b"), "close", update("a b c"), end("a b c d")],
            ["start", "update a b", "end a b", "start", "update c", "end c d"],
            id="the server goes on with a turn that was closed",
        ),
        pytest.param(
            [START, update("a b"), "close", "lost", START, update("a"), update("a b"), end("a b"), START, end("c")],
            ["start", "update a b", "end a b", "start", "end c"],
            id="words of a closed turn do not come again",
        ),
        pytest.param(
            [START, update("a b"), "close", "lost", START, "lost", START, end("a b c")],
            ["start", "update a b", "end a b", "start", "end c"],
            id="not even after a second drop",
        ),
        pytest.param(
            [START, update("a b"), "lost", START, end(""), START, update("a b"), end("a b c")],
            ["start", "update a b", "end a b c"],
            id="a noise before the replayed turn is not its end",
        ),
        pytest.param(
            [
                START,
                update("a b c d"),
                "close",
                "lost",
                START,
                update("a b"),
                end("a b"),
                START,
                update("c d"),
                end("c d e"),
            ],
            ["start", "update a b c d", "end a b c d", "start", "end e"],
            id="nor when the replay makes two turns of one",
        ),
        pytest.param(
            [START, update("a b c"), "close", "lost 3", START, end("c d")],
            ["start", "update a b c", "end a b c", "start", "end d"],
            id="only words that have audio left are waited for",
        ),
        pytest.param(
            [START, update("a b"), "close", "lost 3", START, end("c d")],
            ["start", "update a b", "end a b", "start", "end c d"],
            id="where none has, what comes is new",
        ),
        pytest.param(
            [START, update("a b"), "close", update("a b c"), "lost 1", START, end("b c d")],
            ["start", "update a b", "end a b", "start", "update c", "end c d"],
            id="a closed turn went on and was lost",
        ),
        pytest.param([START, "close", "lost", START, end("a")], ["start", "end", "start", "end a"], id="closed empty"),
        pytest.param(["close"], [], id="nothing to close"),
    ],
)
def test_a_turn_goes_on_over_drops_and_closes(steps: list[Step], told: list[str]) -> None:
    assert play(Turn(), *steps) == told


def test_words_of_a_closed_turn_are_not_waited_for_once_their_audio_is_forgotten() -> None:
    turn = Turn()
    play(turn, START, update("a b"), "close", "lost")
    turn.forget(3)
    assert play(turn, START, update("c")) == ["start", "update c"]


def test_words_of_a_closed_turn_that_the_replay_did_not_bring_are_no_longer_waited_for_with_their_audio() -> None:
    turn = Turn()
    play(turn, START, update("a b c"), "close", "lost", START, end("a b"))
    turn.forget(turn.length)
    assert play(turn, START, update("d")) == ["start", "update d"]


def test_what_is_forgotten_while_the_server_repeats_a_turn_was_heard_by_it_all_the_same() -> None:
    turn = Turn()
    play(turn, START, update("a b"), "close", "lost")
    turn.forget(1)
    assert play(turn, START, update("a b"), end("a b c")) == ["start", "end c"]
