"""Whatever comes, turns alternate and no text is told twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from livekit.plugins.cartesia_turns.core.events import Kind, TurnEvent
from livekit.plugins.cartesia_turns.core.text import has_words, word_count
from livekit.plugins.cartesia_turns.core.turn import Turn
from livekit.plugins.cartesia_turns.wire.messages import SpokenMessage, TurnEnd, TurnStart
from support.script import RESUME, START, eager_end, end, update
from support.turns import Step, play

words = st.lists(st.sampled_from([*"abcdef", ".", "\n", "\u4eca\u65e5"]), max_size=4).map(" ".join)
steps = st.one_of(
    st.just(START),
    st.sampled_from(["1", "2"]).map(lambda turn_id: TurnStart("", turn_id)),
    st.just(RESUME),
    words.map(update),
    words.map(eager_end),
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


@given(st.lists(steps, max_size=30), st.integers(0, 2))
def test_whatever_interrupts_or_speculates_has_words_in_it(life: list[Step], early_preflight: int) -> None:
    turn = Turn(early_preflight)
    for step in life:
        for told in play(turn, step):
            kind, _, text = told.partition(" ")
            assert has_words(text) or kind in ("start", "end"), told
            assert kind != "start" or is_a_beginning(step), told


def is_a_beginning(step: Step) -> bool:
    """A message that may open a turn: its start, any text with words, and an end with punctuation alone."""
    if isinstance(step, SpokenMessage):
        return isinstance(step, TurnEnd) or has_words(step.transcript)
    return isinstance(step, TurnStart)


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
        self.begun = 0
        self.told = 0
        self.in_turn = False
        self.shown = 0

    def text(self) -> str:
        return " ".join(f"w{number}" for number in range(self.begun, self.told))

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
        self.in_turn = True
        self.begun = self.told = self.settled
        self.take(self.turn.receive(START))

    @precondition(lambda self: self.in_turn)
    @rule(share=st.floats(0, 1), is_eager=st.booleans())
    def tell(self, share: float, is_eager: bool) -> None:
        self.told = max(self.told, self.begun + round(share * (self.spoken - self.begun)))
        self.take(self.turn.receive(eager_end(self.text()) if is_eager else update(self.text())))

    @precondition(lambda self: self.in_turn)
    @rule()
    def finish(self) -> None:
        self.told = self.spoken
        self.take(self.turn.receive(end(self.text())))
        self.settled, self.in_turn = self.spoken, False

    @precondition(lambda self: self.in_turn)
    @rule()
    def start_the_same_turn_again(self) -> None:
        self.take(self.turn.receive(START))

    @precondition(lambda self: self.in_turn and self.begun < self.told == self.spoken)
    @rule()
    def start_the_next_turn_without_an_end(self) -> None:
        self.begun = self.told
        self.take(self.turn.receive(START))

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
