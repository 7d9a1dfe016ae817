from __future__ import annotations

import time

import pytest
from livekit.plugins.cartesia_turns import (
    STT,
    TurnEagerEndEvent,
    TurnEndEvent,
    TurnResumeEvent,
    TurnStartEvent,
    TurnUpdateEvent,
)
from livekit.plugins.cartesia_turns.testing import Heard, Turn


@pytest.fixture
def stt() -> STT:
    return STT(api_key="not used")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The present, in its only entry."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def a_turn(stt: STT, heard: Heard, clock: list[float], text: str, *, takes_s: float = 0.5) -> None:
    """The user says a text of one word, and the turn's end is told `takes_s` later."""
    stt.emit("turn_start", TurnStartEvent("r"))
    stt.emit("turn_update", TurnUpdateEvent("r", text))
    clock[0] += 1.0
    heard.said()
    clock[0] += takes_s
    stt.emit("turn_end", TurnEndEvent("r", text))


def test_a_turn_is_all_that_the_plugin_told_of_it(stt: STT, clock: list[float]) -> None:
    heard = Heard(stt)
    clock[0] += 0.2
    stt.emit("turn_start", TurnStartEvent("r"))
    assert heard.in_turn
    stt.emit("turn_update", TurnUpdateEvent("r", "what"))
    stt.emit("turn_eager_end", TurnEagerEndEvent("r", "what"))
    stt.emit("turn_resume", TurnResumeEvent("r", "what"))
    clock[0] += 0.3
    heard.said()
    clock[0] += 0.5
    stt.emit("turn_update", TurnUpdateEvent("r", "what time"))
    stt.emit("turn_end", TurnEndEvent("r", "what time"))
    assert not heard.in_turn
    (turn,) = heard.turns
    assert turn == Turn("what time", turn.started_s, turn.ended_s, turn.delay_s, ("what", "what time"), ("what",), 1)
    assert (turn.started_s, turn.ended_s, turn.delay_s) == pytest.approx((0.2, 1.0, 0.5))
    assert heard.text == "what time"


def test_other_turns_than_were_said_are_told_with_the_whole_call(stt: STT, clock: list[float]) -> None:
    heard = Heard(stt)
    a_turn(stt, heard, clock, "what")
    heard.assert_turns("what")
    with pytest.raises(AssertionError) as caught:
        heard.assert_turns("what time", "now")
    assert str(caught.value).splitlines() == [
        'the turns should have been "what time", "now", and were "what"',
        "what was said and heard, in seconds of the call:",
        "    0.00 s  a turn starts",
        '    0.00 s  the turn so far: "what"',
        '    1.50 s  the turn is over: "what", 0.50 s after its last word',
    ]
    with pytest.raises(AssertionError, match='should have been none, and were "what"'):
        heard.assert_turns()


def test_of_a_call_in_which_nothing_happened_that_is_told(stt: STT) -> None:
    with pytest.raises(AssertionError, match=r'been "hello", and were none\n.*\n   nothing$'):
        Heard(stt).assert_turns("hello")


def test_a_turn_that_ended_late_is_named_with_its_delay(stt: STT, clock: list[float]) -> None:
    heard = Heard(stt)
    with pytest.raises(AssertionError, match="a turn should have ended, and none did"):
        heard.assert_turns_ended_within(1.0)
    a_turn(stt, heard, clock, "soon", takes_s=0.5)
    heard.assert_turns_ended_within(0.6)
    a_turn(stt, heard, clock, "late", takes_s=0.75)
    with pytest.raises(AssertionError, match=r'"late" ended 0\.75 s after its last word, and not within 0\.6 s'):
        heard.assert_turns_ended_within(0.6)
    heard.assert_turns_ended_within(0.8)


def test_a_reply_is_held_to_its_words_and_its_delay(stt: STT, clock: list[float]) -> None:
    heard = Heard(stt)
    heard.assert_no_reply()
    with pytest.raises(AssertionError, match='should have replied "yes", and said nothing'):
        heard.assert_reply("yes")
    heard.replied("Hello!", heard.now_s, interrupted=False)
    with pytest.raises(AssertionError, match='"Hello!" came before the user\'s first word, and not within 1 s'):
        heard.assert_reply(within=1.0)
    a_turn(stt, heard, clock, "what")
    heard.replied("It is noon.", heard.now_s + 0.1, interrupted=True)
    heard.assert_reply("it IS", within=0.61)
    assert [reply.interrupted for reply in heard.replies] == [False, True]
    with pytest.raises(AssertionError, match=r'should have replied "midnight", and said "It is noon\."'):
        heard.assert_reply("midnight")
    with pytest.raises(AssertionError, match=r'"It is noon\." came 0\.60 s after the user, and not within 0\.5 s'):
        heard.assert_reply("noon", within=0.5)
    with pytest.raises(AssertionError, match=r'said nothing, and said "Hello!", "It is noon\."'):
        heard.assert_no_reply()


def test_a_reply_that_was_cut_off_is_measured_from_the_word_before_it(stt: STT, clock: list[float]) -> None:
    heard = Heard(stt)
    a_turn(stt, heard, clock, "what")
    began_s = heard.now_s + 0.1
    a_turn(stt, heard, clock, "stop")
    heard.replied("It", began_s, interrupted=True)
    assert heard.replies[0].delay_s == pytest.approx(0.6)


def test_delays_of_audio_that_was_pushed_fast_are_not_told(stt: STT, clock: list[float]) -> None:
    heard = Heard(stt, fast=True)
    a_turn(stt, heard, clock, "what")
    heard.replied("It is noon.", heard.now_s, interrupted=False)
    assert heard.turns[0].delay_s is None
    assert heard.replies[0].delay_s is None
    with pytest.raises(ValueError, match="fast=True"):
        heard.assert_turns_ended_within(10.0)
    with pytest.raises(ValueError, match="fast=True"):
        heard.assert_reply(within=10.0)
    heard.assert_turns("what")
    heard.assert_reply("noon")


def test_what_failed_for_good_is_told(stt: STT) -> None:
    heard = Heard(stt)
    heard.assert_no_errors()
    heard.failed(TimeoutError("too long"))
    with pytest.raises(AssertionError, match="should have failed, and there was TimeoutError: too long"):
        heard.assert_no_errors()


def test_a_text_in_no_turn_is_taken_for_one(stt: STT) -> None:
    heard = Heard(stt)
    stt.emit("turn_end", TurnEndEvent("r", "words"))
    heard.assert_turns("words")
    assert heard.turns[0].delay_s is None


def test_after_its_end_a_call_hears_nothing_more(stt: STT, clock: list[float]) -> None:
    heard = Heard(stt)
    heard.close()
    a_turn(stt, heard, clock, "later")
    heard.assert_turns()
