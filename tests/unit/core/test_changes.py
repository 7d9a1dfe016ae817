"""What a change of options changes, what a rejection undoes, and what a refusal was for."""

from __future__ import annotations

from typing import Any

from livekit.plugins.cartesia_turns.core.changes import Rejected, names_of, refused, settings_of, without
from livekit.plugins.cartesia_turns.wire.messages import Config, ErrorMessage, TurnSettings
from livekit.plugins.cartesia_turns.wire.options import Options

BAD = ErrorMessage("That is out of range.", status_code=400)


def turn(**settings: Any) -> Options:
    return Options(turn=TurnSettings(**settings))


def test_options_are_without_a_rejected_change_and_keep_what_was_changed_since() -> None:
    rejected = Rejected(
        Config(TurnSettings(end_threshold=0.15, end_timeout_ms=900), keyterms=("a",)),
        settings_of(turn(end_timeout_ms=700)),
        BAD,
    )
    asked = Options(turn=TurnSettings(end_threshold=0.15, end_timeout_ms=1000), keyterms=("a",))
    assert without(asked, rejected) == turn(end_timeout_ms=1000)


def test_settings_that_are_in_no_order_any_more_are_all_as_they_were() -> None:
    before = turn(eager_end_threshold=0.5, end_threshold=0.2)
    rejected = Rejected(Config(TurnSettings(eager_end_threshold=0.6)), settings_of(before), BAD)
    assert without(turn(eager_end_threshold=0.6, end_threshold=0.5), rejected) == before


def test_a_socket_is_refused_for_what_the_last_one_did_not_have() -> None:
    taken = settings_of(turn(end_timeout_ms=700))
    asked = settings_of(turn(end_timeout_ms=700, end_threshold=0.15))
    assert refused(asked, taken, BAD) == Rejected(Config(TurnSettings(end_threshold=0.15)), taken, BAD)
    assert refused(taken, taken, BAD) is refused(asked, None, BAD) is refused(asked, taken, None) is None
    assert refused(asked, taken, ErrorMessage("No.", status_code=401)) is None


def test_the_names_of_what_a_config_changes_are_those_of_the_arguments() -> None:
    assert names_of(Config(TurnSettings(end_threshold=0.1), keyterms=())) == ["turn_end_threshold", "keyterms"]
