"""The turn as its consumer sees it, whatever the server sends and however often the socket is lost."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TypeAlias, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from livekit.plugins.cartesia_turns.core.text import has_words, word_count
from livekit.plugins.cartesia_turns.core.turn import (
    IGNORED,
    TRANSITIONS,
    Action,
    Incident,
    Kind,
    State,
    Turn,
    TurnEvent,
)
from livekit.plugins.cartesia_turns.wire.messages import (
    DetectedLanguage,
    TurnEagerEnd,
    TurnEnd,
    TurnMessage,
    TurnResume,
    TurnStart,
    TurnUpdate,
)

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
    """Plays messages, "lost", "lost N" (characters without audio) and "close"; tells the events in short."""
    events: list[TurnEvent] = []
    for step in steps:
        if not isinstance(step, str):
            events += turn.receive(step)
        elif step == "close":
            events += turn.close()
        else:
            turn.lost(int(step.removeprefix("lost") or 0))
    return [f"{event.kind.value} {event.transcript}".strip() for event in events]


@pytest.mark.parametrize(("state", "step"), list(itertools.product(State, [*MESSAGES, *Incident])))
def test_every_pair_of_state_and_step_is_in_the_table_or_ignored(
    state: State, step: type[TurnMessage] | Incident
) -> None:
    assert ((state, step) in TRANSITIONS) != ((state, step) in IGNORED)


def test_every_action_is_used_and_no_message_leads_to_resuming() -> None:
    assert {action for _, actions in TRANSITIONS.values() for action in actions} == set(Action)
    by_messages = {target for (_, step), (target, _) in TRANSITIONS.items() if not isinstance(step, Incident)}
    assert State.RESUMING not in by_messages


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
        ([START, eager(""), RESUME], ["start"]),
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


def named(turn_id: str, *messages: TurnMessage) -> list[TurnMessage]:
    return [replace(message, turn_id=turn_id) for message in messages]


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
            [START, update("a b"), START, update("a"), eager("a"), update("a b"), update("a b c"), end("a b c")],
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
            [START, update("a"), START, eager("b"), RESUME, end("b c")],
            ["start", "update a", "end a", "start", "eager_end b", "resume b", "end b c"],
            id="an eager end with other text splits it too",
        ),
        pytest.param(
            [START, eager("a"), START, RESUME, update("a b"), end("a b")],
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
            [START, update("a"), START, update(""), eager(" "), START, end("a b")],
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
            [START, update("a"), *named("2", START), update("a b"), end("a b")],
            ["start", "update a", "update a b", "end a b"],
            id="a name on one side alone decides nothing",
        ),
    ],
)
def test_a_start_in_mid_turn_is_decided_by_the_text_that_follows(steps: list[Step], told: list[str]) -> None:
    assert play(Turn(), *steps) == told


@pytest.mark.parametrize("blank", ["", " ", "\n", "\t \u3000\xa0", "\u200b", "\ufeff \u2060", "\x00"])
def test_what_does_not_show_is_no_text_anywhere(blank: str) -> None:
    assert play(Turn(), update(blank), eager(blank), end(blank)) == []
    assert play(Turn(), START, update(blank), eager(blank), RESUME, end(blank)) == ["start", "end"]
    assert play(Turn(), START, update("a"), end(blank)) == ["start", "update a", "end a"]
    assert play(Turn(), START, update(blank), "close") == ["start", "end"]
    assert play(Turn(), START, update("a"), "close", end(f"a{blank}")) == ["start", "update a", "end a"]


def test_text_that_grows_by_white_space_alone_is_no_news() -> None:
    told = play(Turn(), START, update("a"), update("a "), eager("a"), eager("a\n"), end("a "))
    assert told == ["start", "update a", "eager_end a", "end a"]


@pytest.mark.parametrize("mark", [".", "...", "?!", "\u2026", "\u3002", "\u300c\u300d", "\uff1f", "_", "- \u2014"])
def test_punctuation_alone_neither_interrupts_nor_speculates_and_is_passed_on_at_the_end(mark: str) -> None:
    assert play(Turn(), update(mark), eager(mark)) == []
    assert play(Turn(1), START, update(mark), eager(mark), RESUME, end(mark)) == ["start", f"end {mark}"]
    assert play(Turn(), START, update(mark), update(f"{mark} a")) == ["start", f"update {mark} a"]
    assert play(Turn(), START, update(mark), end("")) == ["start", "end"]
    assert play(Turn(), START, update("a"), end(mark)) == ["start", "update a", "end a"]
    assert play(Turn(), end(mark)) == ["start", f"end {mark}"]


def test_the_punctuation_of_a_turn_that_was_closed_is_no_turn_of_its_own() -> None:
    closed = ["start", "update \xe7a va", "end \xe7a va"]
    assert play(Turn(), START, update("\xe7a va"), "close", update("\xe7a va ?"), end("\xe7a va ?")) == closed
    assert play(Turn(), START, update("\xe7a va"), "close", end("\xe7a va ? Bien.")) == [*closed, "start", "end Bien."]


def test_an_end_without_text_in_a_replay_ends_what_the_replay_told_and_waits_where_it_told_nothing() -> None:
    lost: list[Step] = [START, update("a"), "lost", START]
    assert play(Turn(), *lost, end(""), START, end("a b")) == ["start", "update a", "end a b"]
    assert play(Turn(), *lost, end("."), START, end("a b")) == ["start", "update a", "end a b"]
    assert play(Turn(), *lost, update("a b"), end("")) == ["start", "update a", "update a b", "end a b"]
    assert play(Turn(), *lost, update("a"), end("")) == ["start", "update a", "end a"]


JAPANESE = "\u4eca\u65e5\u306f\u3001\u3044\u3044\u5929\u6c17\u3067\u3059\u306d\u3002"


def test_a_script_without_spaces_is_kept_and_skipped_by_the_letter() -> None:
    first, rest = JAPANESE[:6], JAPANESE[6:]
    gone: list[Step] = [START, update(first), f"lost {len(first)}", START, update(rest[:2]), end(rest)]
    assert play(Turn(), *gone) == ["start", f"update {first}", f"update {first}{rest[:2]}", f"end {JAPANESE}"]
    closed: list[Step] = [
        START,
        update(first),
        "close",
        "lost",
        START,
        update(first[:3]),
        update(JAPANESE[:8]),
        end(JAPANESE),
    ]
    told = ["start", f"update {first}", f"end {first}", "start", f"update {rest[:2]}", f"end {rest}"]
    assert play(Turn(), *closed) == told
    heard_differently = JAPANESE.replace("\u3001", "")
    assert play(Turn(), *closed[:4], end(heard_differently)) == [*told[:4], f"end {rest}"]


def test_events_have_the_name_of_the_turn_and_the_languages_heard_last() -> None:
    hindi, english = (DetectedLanguage("hi", 1.0),), (DetectedLanguage("en"),)
    turn = Turn()
    events = [
        *turn.receive(TurnStart("r", "1")),
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


words = st.lists(st.sampled_from([*"abcdef", ".", "\n", "\u4eca\u65e5"]), max_size=4).map(" ".join)
steps = st.one_of(
    st.just(START),
    st.sampled_from(["1", "2"]).map(lambda turn_id: TurnStart("r", turn_id)),
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
    if isinstance(step, str | TurnResume):
        return False
    return isinstance(step, TurnStart | TurnEnd) or has_words(step.transcript)


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
        self.take(self.turn.receive(eager(self.text()) if is_eager else update(self.text())))

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
