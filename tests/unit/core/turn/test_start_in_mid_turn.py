"""A turn.start in mid-turn is decided by the text that follows."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.turn import Turn
from support.script import RESUME, START, eager_end, end, update
from support.turns import Step, named, play


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        pytest.param(
            [START, update("a b"), START, update("a b"), update("a b c"), end("a b c d")],
            ["start", "update a b", "update a b c", "end a b c d"],
            id="text that goes on is the same turn",
        ),
        pytest.param(
            [START, update("A b"), START, update("a, b c"), end("a, b c")],
            ["start", "update A b", "update a, b c", "end a, b c"],
            id="capitals and punctuation do not matter",
        ),
        pytest.param(
            [START, update("a b"), START, update("a"), eager_end("a"), update("a b"), update("a b c"), end("a b c")],
            ["start", "update a b", "update a b c", "end a b c"],
            id="text that is told again from its beginning is held back until it goes on",
        ),
        pytest.param(
            [START, update("a b"), START, update("a"), update("a c"), end("a c")],
            ["start", "update a b", "end a b", "start", "update a c", "end a c"],
            id="unless it turns out to be another",
        ),
        pytest.param(
            [START, update("a b"), START, end("a")],
            ["start", "update a b", "end a b", "start", "end a"],
            id="a turn can not end with less than was told",
        ),
        pytest.param(
            [START, update("a"), START, eager_end("b"), RESUME, end("b c")],
            ["start", "update a", "end a", "start", "eager_end b", "resume b", "end b c"],
            id="an eager end with other text splits it too",
        ),
        pytest.param(
            [START, eager_end("a"), START, RESUME, update("a b"), end("a b")],
            ["start", "eager_end a", "resume a", "update a b", "end a b"],
            id="and it may be resumed before any text comes",
        ),
        pytest.param(
            [START, update("a"), START, end("b")],
            ["start", "update a", "end a", "start", "end b"],
            id="so does an end with other text",
        ),
        pytest.param(
            [START, update("a"), START, end(""), START, end("b")],
            ["start", "update a", "end a", "start", "end b"],
            id="an end without text ends what is open",
        ),
        pytest.param(
            [START, update("a"), START, update(""), eager_end(" "), START, end("a b")],
            ["start", "update a", "end a b"],
            id="messages without text and a third start decide nothing",
        ),
        pytest.param(
            [START, update("a"), START, update("b"), START, update("c"), end("c")],
            ["start", "update a", "end a", "start", "update b", "end b", "start", "update c", "end c"],
            id="a server that ends no turn but the last",
        ),
        pytest.param(
            [START, START, update("a"), end("a")],
            ["start", "update a", "end a"],
            id="where nothing was told, all goes on",
        ),
        pytest.param(
            [START, update("a"), START, "lost", START, update("a"), update("a b"), end("a b")],
            ["start", "update a", "update a b", "end a b"],
            id="a drop before text came: the replay tells",
        ),
        pytest.param(
            [START, update("a"), START, update("b"), "lost", START, update("a"), update("a b c"), end("a b c")],
            ["start", "update a", "end a", "start", "update b", "update b c", "end b c"],
            id="a drop after a split: the replay brings both turns and tells the first no more",
        ),
        pytest.param(
            [START, update("a"), START, update("b"), "lost", START, end("a"), START, update("b"), end("b c")],
            ["start", "update a", "end a", "start", "update b", "end b c"],
            id="nor where it makes two turns of them",
        ),
        pytest.param(
            [START, update("a"), START, update("b"), end("b"), "lost", START, end("c")],
            ["start", "update a", "end a", "start", "update b", "end b", "start", "end c"],
            id="the end of the second settles the first",
        ),
        pytest.param(
            [START, update("a b"), "lost", START, START, update("a"), START, update("a b c"), end("a b c")],
            ["start", "update a b", "update a b c", "end a b c"],
            id="two starts in a replay",
        ),
        pytest.param(
            [START, update("a b"), "close", START, update("a b c"), end("a b c d")],
            ["start", "update a b", "end a b", "start", "update c", "end c d"],
            id="a start after we closed the turn, which goes on",
        ),
        pytest.param(
            [START, update("a b"), "close", START, update("c"), end("c d")],
            ["start", "update a b", "end a b", "start", "update c", "end c d"],
            id="or is another",
        ),
        pytest.param(
            [START, update("a b"), "close", START, end("")], ["start", "update a b", "end a b"], id="or is nothing"
        ),
        pytest.param(
            [START, update("a b"), START, "close", update("a b c"), end("a b c")],
            ["start", "update a b", "end a b", "start", "update c", "end c"],
            id="closed by us before text came",
        ),
        pytest.param(
            [START, update("a b"), START, "close", update("c"), end("c")],
            ["start", "update a b", "end a b", "start", "update c", "end c"],
            id="closed by us before other text came",
        ),
        pytest.param(
            [START, update("a b"), "close", end(""), START, update("a b"), end("a b")],
            ["start", "update a b", "end a b", "start", "update a b", "end a b"],
            id="the same words said again after the server's end are another turn",
        ),
        pytest.param(
            [*named("1", START, update("a")), *named("2", START), *named("2", update("a b"), end("a b"))],
            ["start", "update a", "end a", "start", "update a b", "end a b"],
            id="another name is another turn at once",
        ),
        pytest.param(
            [*named("1", START, update("a")), *named("1", START), *named("1", update("a b"), end("a b"))],
            ["start", "update a", "update a b", "end a b"],
            id="the same name with text that goes on is the same turn",
        ),
        pytest.param(
            [*named("1", START, update("a")), *named("1", START), *named("1", update("b"), end("b c"))],
            ["start", "update a", "end a", "start", "update b", "end b c"],
            id="with other text it is not, since text is never revised",
        ),
        pytest.param(
            [*named("1", START, update("a")), START, *named("2", update("a b")), *named("2", end("a b"))],
            ["start", "update a", "end a", "start", "update a b", "end a b"],
            id="the name may come with the text",
        ),
        pytest.param(
            [*named("1", START, update("a b")), *named("2", update("c"), end("c d"))],
            ["start", "update a b", "end a b", "start", "update c", "end c d"],
            id="text with another name is another turn without its start too",
        ),
        pytest.param(
            [*named("1", START, update("a b")), *named("2", end("c"))],
            ["start", "update a b", "end a b", "start", "end c"],
            id="and so is its end",
        ),
        pytest.param(
            [*named("1", START, update("a b")), *named("2", update(""), end(""))],
            ["start", "update a b", "end a b"],
            id="another name without text is none",
        ),
        pytest.param(
            [*named("1", START, update("a")), *named("2", update("a b"), end("a b"))],
            ["start", "update a", "update a b", "end a b"],
            id="nor is another name with text that goes on",
        ),
        pytest.param(
            [START, update("a"), *named("2", START), update("a b"), end("a b")],
            ["start", "update a", "update a b", "end a b"],
            id="a name on one side alone decides nothing",
        ),
    ],
)
def test_a_start_in_mid_turn_is_decided_by_the_text_that_follows(steps: list[Step], told: list[str]) -> None:
    assert play(Turn(), *steps) == told
