from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.agent_session import may_be_in_session
from livekit.plugins.cartesia_turns.calls import Calls
from livekit.plugins.cartesia_turns.live import Profile, profile_settings
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings
from livekit.plugins.cartesia_turns.wire.options import Options

OPTIONS = Options(turn=TurnSettings(end_timeout_ms=1000))
DIGITS = profile_settings("digits", {})


@pytest.fixture
def calls() -> Calls:
    return Calls(OPTIONS)


def test_a_call_of_no_session_is_a_new_one_and_forgotten_with_its_streams(calls: Calls) -> None:
    one, other = calls.of(None), calls.of(None)
    assert set(calls) == {one, other}
    del one
    assert list(calls) == [other]


def test_a_change_reaches_the_calls_there_are_and_those_to_come(calls: Calls) -> None:
    call, changed = calls.of(None), Options(turn=TurnSettings(end_timeout_ms=2000))
    calls.change(changed)
    assert calls.base == call.current == calls.to_come().current == calls.of(None).current == changed


def test_a_profile_for_all_holds_for_calls_that_begin_meanwhile_too(calls: Calls) -> None:
    call, profile = calls.of(None), Profile(DIGITS)
    begun = calls.push(profile, None)
    later = calls.of(None)
    assert call.current.turn == later.current.turn == DIGITS
    calls.remove(profile, begun, in_turn=[])
    assert calls.of(None).current == OPTIONS


def test_a_profile_for_one_call_is_for_no_other(calls: Calls) -> None:
    call, other, profile = calls.of(None), calls.of(None), Profile(DIGITS)
    assert list(calls.push(profile, [call])) == [call]
    assert (call.current.turn, other.current, calls.to_come().current) == (DIGITS, OPTIONS, OPTIONS)


@pytest.mark.parametrize(("turns", "in_turn", "stays"), [(0, False, True), (1, False, False), (1, True, True)])
def test_a_profile_stays_until_the_turn_that_answers_is_over(
    calls: Calls, turns: int, *, in_turn: bool, stays: bool
) -> None:
    call, profile = calls.of(None), Profile(DIGITS)
    begun = calls.push(profile, [call])
    call.turns += turns
    calls.remove(profile, begun, in_turn=[call] if in_turn else [])
    assert (call.current.turn == DIGITS) is stays
    call.turn_ended()
    assert call.current == OPTIONS


def test_a_profile_is_checked_against_a_call_that_has_not_begun(calls: Calls) -> None:
    with pytest.raises(ValueError, match="turn_end_threshold"):
        calls.with_profile(Profile(TurnSettings(start_threshold=0.5, end_threshold=0.6)), [])
    assert [options.turn for options in calls.with_profile(Profile(DIGITS), None)] == [DIGITS]


def test_keyterms_of_a_session_that_is_not_named_are_for_the_connection_to_come(calls: Calls) -> None:
    call = calls.of(None)
    calls.set_keyterms(["Ink"])
    assert calls.to_come().current.keyterms == ("Ink",)
    # With an older livekit-agents a stream does not know its session, so that it may be the one.
    assert call.current.keyterms == (("Ink",) if may_be_in_session() else ())
