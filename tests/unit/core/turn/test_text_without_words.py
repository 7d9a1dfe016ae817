"""Text without words is told to nobody who acts on words."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.turn import Turn
from support.script import RESUME, START, eager_end, end, update
from support.turns import Step, play


@pytest.mark.parametrize("blank", ["", " ", "\n", "\t \u3000\xa0", "\u200b", "\ufeff \u2060", "\x00"])
def test_what_does_not_show_is_no_text_anywhere(blank: str) -> None:
    assert play(Turn(), update(blank), eager_end(blank), end(blank)) == []
    assert play(Turn(), START, update(blank), eager_end(blank), RESUME, end(blank)) == ["start", "end"]
    assert play(Turn(), START, update("a"), end(blank)) == ["start", "update a", "end a"]
    assert play(Turn(), START, update(blank), "close") == ["start", "end"]
    assert play(Turn(), START, update("a"), "close", end(f"a{blank}")) == ["start", "update a", "end a"]


def test_text_that_grows_by_white_space_alone_is_no_news() -> None:
    told = play(Turn(), START, update("a"), update("a "), eager_end("a"), eager_end("a\n"), end("a "))
    assert told == ["start", "update a", "eager_end a", "end a"]


@pytest.mark.parametrize("mark", [".", "...", "?!", "\u2026", "\u3002", "\u300c\u300d", "\uff1f", "_", "- \u2014"])
def test_punctuation_alone_neither_interrupts_nor_speculates_and_is_passed_on_at_the_end(mark: str) -> None:
    assert play(Turn(), update(mark), eager_end(mark)) == []
    assert play(Turn(1), START, update(mark), eager_end(mark), RESUME, end(mark)) == ["start", f"end {mark}"]
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


def test_a_word_that_was_told_in_part_is_not_told_again_in_any_script() -> None:
    half, whole = (
        "\u092e\u0948\u0902 \u0939\u093f\u0928\u094d",
        "\u092e\u0948\u0902 \u0939\u093f\u0928\u094d\u0926\u0940",
    )
    assert play(Turn(), START, update("say hel"), "close", end("say hello")) == [
        "start",
        "update say hel",
        "end say hel",
    ]
    assert play(Turn(), START, update(half), "close", end(whole)) == ["start", f"update {half}", f"end {half}"]
