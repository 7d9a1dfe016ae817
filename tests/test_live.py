from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.live import LiveOptions
from livekit.plugins.cartesia_turns.messages import TurnSettings
from livekit.plugins.cartesia_turns.options import Options


def test_profiles_lie_on_top_of_the_users_options_in_their_order() -> None:
    live = LiveOptions(Options(turn=TurnSettings(end_timeout_ms=3000, end_threshold=0.1)))
    first, second = TurnSettings(end_timeout_ms=9000), TurnSettings(end_timeout_ms=1000)
    live.push(first)
    live.push(second)
    assert live.current.turn == TurnSettings(end_timeout_ms=1000, end_threshold=0.1)
    live.remove(second)
    assert live.current.turn.end_timeout_ms == 9000
    live.remove(first)
    assert live.current == live.base


def test_the_sessions_keyterms_come_after_the_users_without_repetition() -> None:
    live = LiveOptions(Options(keyterms=("mine",)))
    live.session_keyterms = ("yours", "mine")
    assert live.current.keyterms == ("mine", "yours")
    assert live.keyterms_left_out == 0


def test_keyterms_over_the_limit_are_left_out_and_counted() -> None:
    live = LiveOptions(Options(keyterms=("mine",)))
    live.session_keyterms = tuple(f"term {number}" for number in range(120))
    assert len(live.current.keyterms) == 100
    assert live.keyterms_left_out == 21


def test_a_change_out_of_range_changes_nothing() -> None:
    live = LiveOptions(Options())
    with pytest.raises(ValueError, match="end_threshold"):
        live.change(TurnSettings(end_timeout_ms=1000, end_threshold=1.9), ())
    assert live.base == Options()


def test_a_change_that_does_not_fit_a_profile_in_force_changes_nothing() -> None:
    live = LiveOptions(Options())
    live.push(TurnSettings(eager_end_threshold=0.55))
    with pytest.raises(ValueError, match="must hold"):
        live.change(TurnSettings(start_threshold=0.5), ())
    assert live.base == Options()


def test_a_profile_that_does_not_fit_is_not_put_on() -> None:
    live = LiveOptions(Options(turn=TurnSettings(start_threshold=0.5)))
    with pytest.raises(ValueError, match="must hold"):
        live.push(TurnSettings(eager_end_threshold=0.55))
    assert live.current == live.base
