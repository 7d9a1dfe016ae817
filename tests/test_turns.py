"""The turn as its consumer sees it, whatever the server sends and however often the socket is lost."""

from __future__ import annotations

import itertools
from typing import TypeAlias, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from livekit.plugins.cartesia_turns.messages import (
    TurnEagerEnd,
    TurnEnd,
    TurnMessage,
    TurnResume,
    TurnStart,
    TurnUpdate,
)
from livekit.plugins.cartesia_turns.turns import (
    IGNORED,
    TRANSITIONS,
    Action,
    Kind,
    State,
    Turn,
    TurnEvent,
)
from livekit.plugins.cartesia_turns.words import word_count

MESSAGES = get_args(TurnMessage)
START, RESUME = TurnStart("r"), TurnResume("r")
Step: TypeAlias = TurnMessage | str


def update(text: str) -> TurnUpdate:
    return TurnUpdate("r", text)


def eager(text: str) -> TurnEagerEnd:
    return TurnEagerEnd("r", text)


def end(text: str) -> TurnEnd:
    return TurnEnd("r", text)


def play(turn: Turn, *steps: Step) -> list[str]:
    """Plays messages, "lost", "lost N" (words without audio) and "close"; tells the events in short."""
    events: list[TurnEvent] = []
    for step in steps:
        if not isinstance(step, str):
            events += turn.receive(step)
        elif step == "close":
            events += turn.close()
        else:
            turn.lost(int(step.removeprefix("lost") or 0))
    return [f"{event.kind.value} {event.transcript}".strip() for event in events]


@pytest.mark.parametrize(("state", "message"), list(itertools.product(State, MESSAGES)))
def test_every_pair_of_state_and_message_is_in_the_table_or_ignored(state: State, message: type[TurnMessage]) -> None:
    assert ((state, message) in TRANSITIONS) != ((state, message) in IGNORED)


def test_every_action_is_used_and_no_message_leads_to_resuming() -> None:
    assert {action for _, actions in TRANSITIONS.values() for action in actions} == set(Action)
    assert State.RESUMING not in {target for target, _ in TRANSITIONS.values()}


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([START, update("a"), end("a b")], ["start", "update a", "end a b"]),
        ([START, update("a"), update("a"), end("a")], ["start", "update a", "end a"]),
        ([START, update(""), end("")], ["start", "end"]),
        ([START, update("a"), end("")], ["start", "update a", "end a"]),
        ([START, update("a"), eager("a b"), end("")], ["start", "update a", "eager_end a b", "end a b"]),
        ([START, update(" a "), end(" a ")], ["start", "update  a", "end  a"]),
        (
            [START, eager("a"), RESUME, update("a b"), eager("a b"), end("a b")],
            ["start", "eager_end a", "resume a", "update a b", "eager_end a b", "end a b"],
        ),
        ([START, eager("a"), RESUME, eager("a"), end("a")], ["start", "eager_end a", "resume a", "end a"]),
        ([START, eager("a"), eager("a")], ["start", "eager_end a"]),
        ([START, eager(""), RESUME], ["start", "resume"]),
        ([update("a"), end("a")], ["start", "update a", "end a"]),
        ([eager("a"), end("a")], ["start", "eager_end a", "end a"]),
        ([end("a")], ["start", "end a"]),
        ([end(""), update(" "), eager(""), RESUME], []),
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


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        pytest.param(
            [START, update("a b"), "lost", START, update("a"), update("a b"), update("a b c"), end("a b c")],
            ["start", "update a b", "update a b c", "end a b c"],
            id="the text is held back until it is longer than what was shown",
        ),
        pytest.param(
            [START, eager("a b"), "lost", START, eager("a"), RESUME, eager("a b"), end("a b")],
            ["start", "eager_end a b", "resume a b", "end a b"],
            id="a speculative text is not told again",
        ),
        pytest.param(
            [START, update("a b c"), "lost 2", START, update("c"), update("c d"), end("c d")],
            ["start", "update a b c", "update a b c d", "end a b c d"],
            id="words without audio stay in front",
        ),
        pytest.param(
            [START, update("a b c"), "lost 2", "lost 3", START, end("d")],
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
            [START, update("a"), "lost", update(""), eager(" "), START, update("b")],
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
            [START, update("a b c"), "close", "lost 2", START, end("c d")],
            ["start", "update a b c", "end a b c", "start", "end d"],
            id="only words that have audio left are waited for",
        ),
        pytest.param(
            [START, update("a b"), "close", "lost 2", START, end("c d")],
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
    turn.forget(2)
    assert play(turn, START, update("c")) == ["start", "update c"]


def test_words_of_a_closed_turn_that_the_replay_did_not_bring_are_no_longer_waited_for_with_their_audio() -> None:
    turn = Turn()
    play(turn, START, update("a b c"), "close", "lost", START, end("a b"))
    turn.forget(turn.words)
    assert play(turn, START, update("d")) == ["start", "update d"]


def test_what_is_forgotten_while_the_server_repeats_a_turn_was_heard_by_it_all_the_same() -> None:
    turn = Turn()
    play(turn, START, update("a b"), "close", "lost")
    turn.forget(1)
    assert play(turn, START, update("a b"), end("a b c")) == ["start", "end c"]


words = st.lists(st.sampled_from("abcdef"), max_size=4).map(" ".join)
steps = st.one_of(
    st.just(START),
    st.just(RESUME),
    words.map(update),
    words.map(eager),
    words.map(end),
    st.sampled_from(["lost", "lost 1", "close"]),
)


@given(st.lists(steps, max_size=30))
def test_starts_and_ends_alternate_whatever_comes(life: list[Step]) -> None:
    turn = Turn()
    kinds = [told.split()[0] for told in play(turn, *life, "close")]
    assert [kind for kind in kinds if kind in ("start", "end")] == ["start", "end"] * (
        len(kinds) and kinds.count("end")
    )
    assert not turn.is_open


@given(st.lists(steps, max_size=30))
def test_no_text_is_told_twice_in_a_row(life: list[Step]) -> None:
    turn, shown, speculated = Turn(), "", ""
    for step in life:
        for told in play(turn, step):
            kind, _, text = told.partition(" ")
            if kind == "start":
                shown = speculated = ""
            if kind == "update":
                assert text != shown
            if kind == "eager_end":
                assert text != speculated
                speculated = text
            shown = text if kind in ("update", "eager_end") else shown


class CallOverSockets(RuleBasedStateMachine):
    """A server that hears words and tells them as it should, over sockets that are lost at any time.

    It splits the words into turns; after a loss it starts over at the first word of the turn that was not ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.turn = Turn()
        self.events: list[TurnEvent] = []
        self.spoken = 0
        self.settled = 0
        self.told = 0
        self.in_turn = False
        self.shown = 0

    def text(self) -> str:
        return " ".join(f"w{number}" for number in range(self.settled, self.told))

    def take(self, events: list[TurnEvent]) -> None:
        for event in events:
            count = word_count(event.transcript)
            assert event.kind is Kind.START or count >= self.shown, "the text fell back"
            self.shown = 0 if event.kind in (Kind.START, Kind.END) else count
        self.events += events

    @rule(count=st.integers(1, 3))
    def speak(self, count: int) -> None:
        self.spoken += count

    @precondition(lambda self: not self.in_turn and self.spoken > self.settled)
    @rule()
    def start(self) -> None:
        self.in_turn, self.told = True, self.settled
        self.take(self.turn.receive(START))

    @precondition(lambda self: self.in_turn)
    @rule(share=st.floats(0, 1), is_eager=st.booleans())
    def tell(self, share: float, is_eager: bool) -> None:
        self.told = max(self.told, self.settled + round(share * (self.spoken - self.settled)))
        self.take(self.turn.receive(eager(self.text()) if is_eager else update(self.text())))

    @precondition(lambda self: self.in_turn)
    @rule()
    def finish(self) -> None:
        self.told = self.spoken
        self.take(self.turn.receive(end(self.text())))
        self.settled, self.in_turn = self.spoken, False

    @rule()
    def lose(self) -> None:
        self.in_turn = False
        self.turn.lost()

    @rule()
    def close(self) -> None:
        self.take(self.turn.close())

    @invariant()
    def starts_and_ends_alternate(self) -> None:
        kinds = [event.kind for event in self.events if event.kind in (Kind.START, Kind.END)]
        assert kinds == ([Kind.START, Kind.END] * len(kinds))[: len(kinds)]
        assert self.turn.is_open == (len(kinds) % 2 == 1)

    def teardown(self) -> None:
        """Lets the server tell all: each word is final exactly once, and in order."""
        if not self.in_turn and self.spoken > self.settled:
            self.start()
        if self.in_turn:
            self.finish()
        self.close()
        finals = " ".join(event.transcript for event in self.events if event.kind is Kind.END)
        assert finals.split() == [f"w{number}" for number in range(self.spoken)]


TestCallOverSockets = CallOverSockets.TestCase
