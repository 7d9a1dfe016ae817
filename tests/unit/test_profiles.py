from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.doubts import turn_doubts
from livekit.plugins.cartesia_turns.profiles import PROFILES, profile
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_within_the_servers_ranges(name: str) -> None:
    assert not list(turn_doubts(PROFILES[name]))


def test_yes_no_ends_soonest_and_digits_bears_the_longest_pause() -> None:
    timeouts = {name: settings.end_timeout_ms or 0 for name, settings in PROFILES.items()}
    assert timeouts["yes_no"] < timeouts["open"] < timeouts["digits"]


def test_single_settings_change_a_profile() -> None:
    settings = profile("digits", {"end_timeout_ms": 11000})
    assert settings.end_timeout_ms == 11000
    assert settings.end_threshold == PROFILES["digits"].end_threshold


def test_without_a_name_only_the_given_settings_are_changed() -> None:
    assert profile(None, {"end_threshold": 0.3}) == TurnSettings(end_threshold=0.3)


def test_an_unknown_name_or_setting_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="must be one of yes_no, digits, open"):
        profile("phone", {})
    with pytest.raises(ValueError, match=f"speed is not a turn setting: they are {', '.join(TurnSettings.__slots__)}"):
        profile(None, {"speed": 2.0})
