from __future__ import annotations

from typing import Any

import pytest
from livekit.plugins.cartesia_turns.core.changes import Rejected, settings_of
from livekit.plugins.cartesia_turns.doubts import turn_doubts
from livekit.plugins.cartesia_turns.live import PROFILES, CallOptions, Profile, UserOptions, profile_settings
from livekit.plugins.cartesia_turns.wire.messages import Config, ErrorMessage, TurnSettings
from livekit.plugins.cartesia_turns.wire.options import Options


def profile(**settings: Any) -> Profile:
    return Profile(TurnSettings(**settings))


def rejected(change: Config, before: Options) -> Rejected:
    return Rejected(change, settings_of(before), ErrorMessage("No."))


def test_profiles_lie_on_top_of_the_users_options_in_their_order() -> None:
    user = UserOptions(Options(turn=TurnSettings(end_timeout_ms=3000, end_threshold=0.1)))
    call = CallOptions(user)
    first, second = profile(end_timeout_ms=9000), profile(end_timeout_ms=1000)
    call.push(first)
    call.push(second)
    assert call.current.turn == TurnSettings(end_timeout_ms=1000, end_threshold=0.1)
    call.remove(second, after_turn=False)
    assert call.current.turn.end_timeout_ms == 9000
    call.remove(first, after_turn=False)
    assert call.current == user.base


def test_a_profile_is_taken_away_once_the_turn_is_over() -> None:
    call = CallOptions(UserOptions(Options()))
    question = profile(end_timeout_ms=9000)
    call.push(question)
    assert not call.turn_ended()
    call.remove(question, after_turn=True)
    assert call.current.turn.end_timeout_ms == 9000
    assert call.turn_ended()
    assert call.current.turn.end_timeout_ms is None


def test_keyterms_that_come_meanwhile_do_not_take_a_profile_away_before_its_time() -> None:
    call = CallOptions(UserOptions(Options()))
    question = profile(end_timeout_ms=9000)
    call.push(question)
    call.remove(question, after_turn=True)
    call.session_keyterms = ("LiveKit",)
    assert call.current == Options(turn=question.settings, keyterms=("LiveKit",))


def test_the_next_profile_takes_the_place_of_one_that_waits_for_the_end_of_a_turn() -> None:
    call = CallOptions(UserOptions(Options()))
    last, following = profile(eager_end_threshold=0.5, end_threshold=0.4), profile(eager_end_threshold=0.3)
    call.push(last)
    call.remove(last, after_turn=True)
    call.push(following)
    assert call.current.turn == TurnSettings(eager_end_threshold=0.3)
    assert not call.turn_ended()


def test_each_call_has_profiles_and_keyterms_of_its_own() -> None:
    user = UserOptions(Options(keyterms=("mine",)))
    one, other = CallOptions(user), CallOptions(user)
    one.push(profile(end_timeout_ms=900))
    one.session_keyterms = ("yours",)
    assert one.current == Options(turn=TurnSettings(end_timeout_ms=900), keyterms=("mine", "yours"))
    assert other.current == user.base
    user.change(Options(sample_rate=8000), [one, other])
    assert one.current.sample_rate == other.current.sample_rate == 8000


def test_a_profile_for_all_calls_holds_for_one_that_begins_meanwhile() -> None:
    user = UserOptions(Options())
    everywhere = profile(end_timeout_ms=900)
    user.profiles.append(everywhere)
    call = CallOptions(user)
    assert call.current.turn.end_timeout_ms == 900
    call.remove(everywhere, after_turn=False)
    assert call.current == user.base


def test_the_sessions_keyterms_come_after_the_users_without_repetition() -> None:
    call = CallOptions(UserOptions(Options(keyterms=("mine",))))
    call.session_keyterms = ("yours", "mine")
    assert call.current.keyterms == ("mine", "yours")
    assert call.keyterms_left_out == 0


def test_keyterms_over_the_limit_are_left_out_and_counted() -> None:
    call = CallOptions(UserOptions(Options(keyterms=("mine",))))
    call.session_keyterms = tuple(f"term {number}" for number in range(120))
    assert len(call.current.keyterms) == 100
    assert call.keyterms_left_out == 21


def test_a_change_that_does_not_fit_a_profile_in_force_changes_nothing() -> None:
    user = UserOptions(Options())
    call = CallOptions(user)
    call.push(profile(eager_end_threshold=0.55))
    with pytest.raises(ValueError, match="must hold"):
        user.change(Options(turn=TurnSettings(start_threshold=0.5)), [call])
    assert user.base == Options()


def test_a_profile_that_does_not_fit_is_not_put_on() -> None:
    user = UserOptions(Options(turn=TurnSettings(start_threshold=0.5)))
    call = CallOptions(user)
    with pytest.raises(ValueError, match="must hold"):
        call.push(profile(eager_end_threshold=0.55))
    assert call.current == user.base


# What the server rejected.


def test_a_rejected_change_of_the_users_is_undone_for_the_calls_to_come_too() -> None:
    before, asked = Options(turn=TurnSettings(end_timeout_ms=700)), Options(turn=TurnSettings(end_timeout_ms=900))
    user = UserOptions(before)
    call = CallOptions(user)
    user.change(asked, [call])
    call.reject(rejected(Config(asked.turn), before))
    assert call.current == CallOptions(user).current == before


def test_a_change_that_followed_the_rejected_one_stays() -> None:
    user = UserOptions(Options())
    call = CallOptions(user)
    for turn in (TurnSettings(end_timeout_ms=900), TurnSettings(end_timeout_ms=900, end_threshold=0.1)):
        user.change(Options(turn=turn), [call])
    call.reject(rejected(Config(TurnSettings(end_timeout_ms=900)), Options()))
    assert call.current == Options(turn=TurnSettings(end_threshold=0.1))


def test_what_was_rejected_of_a_profile_is_left_out_of_it_for_that_call_alone() -> None:
    user = UserOptions(Options())
    calls = CallOptions(user), CallOptions(user)
    question = profile(end_timeout_ms=900, end_threshold=0.1)
    for call in calls:
        call.push(question)
    calls[0].reject(rejected(Config(TurnSettings(end_timeout_ms=900)), Options()))
    assert [call.current.turn.end_timeout_ms for call in calls] == [None, 900]
    calls[0].remove(question, after_turn=False)
    assert calls[0].current == user.base


def test_keyterms_that_were_rejected_give_way_to_those_in_force() -> None:
    user = UserOptions(Options(keyterms=("mine",)))
    call = CallOptions(user)
    call.session_keyterms = ("bad",)
    call.reject(rejected(Config(keyterms=("mine", "bad")), user.base))
    assert call.current == user.base
    call.session_keyterms = ("good",)
    assert call.current == Options(keyterms=("mine", "good"))


def test_what_is_left_after_a_rejection_is_in_order() -> None:
    user = UserOptions(Options(turn=TurnSettings(eager_end_threshold=0.35)))
    call = CallOptions(user)
    call.push(profile(eager_end_threshold=0.5, end_threshold=0.4))
    call.reject(rejected(Config(TurnSettings(eager_end_threshold=0.5)), user.base))
    assert call.current == user.base


# Profiles.


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_within_the_servers_ranges(name: str) -> None:
    assert not list(turn_doubts(PROFILES[name]))


def test_yes_no_ends_soonest_and_digits_bears_the_longest_pause() -> None:
    timeouts = {name: settings.end_timeout_ms or 0 for name, settings in PROFILES.items()}
    assert timeouts["yes_no"] < timeouts["open"] < timeouts["digits"]


def test_single_settings_change_a_profile() -> None:
    settings = profile_settings("digits", {"end_timeout_ms": 11000})
    assert settings.end_timeout_ms == 11000
    assert settings.end_threshold == PROFILES["digits"].end_threshold


def test_without_a_name_only_the_given_settings_are_changed() -> None:
    assert profile_settings(None, {"end_threshold": 0.3}) == TurnSettings(end_threshold=0.3)


def test_an_unknown_name_or_setting_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="must be one of yes_no, digits, open"):
        profile_settings("phone", {})
    with pytest.raises(
        ValueError, match=f"speed is not a turn setting: the settings are {', '.join(TurnSettings.__slots__)}"
    ):
        profile_settings(None, {"speed": 2.0})
