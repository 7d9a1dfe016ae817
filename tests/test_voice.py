from __future__ import annotations

import pytest
from livekit.agents.voice import audio_recognition
from livekit.plugins.cartesia_turns.voice import may_be_in_session, session_around, turn_handling, turns_are_ignored


def test_the_defaults_leave_turns_to_the_server() -> None:
    options = turn_handling()
    assert options["turn_detection"] == "stt"
    assert options["endpointing"]["mode"] == "fixed"
    assert options["preemptive_generation"]["preemptive_tts"] is False


def test_a_group_of_options_is_merged_key_by_key() -> None:
    options = turn_handling(endpointing={"min_delay": 0.2}, turn_detection="manual")
    assert options["endpointing"] == {"mode": "fixed", "min_delay": 0.2}
    assert options["turn_detection"] == "manual"


def test_a_group_that_the_framework_does_not_know_is_refused_with_those_it_knows() -> None:
    with pytest.raises(ValueError, match=r"'endpointng'.*endpointing"):
        turn_handling(endpointng={"min_delay": 0.2})


def test_what_it_returns_is_the_callers_own() -> None:
    turn_handling()["endpointing"]["min_delay"] = 9.0
    assert turn_handling()["endpointing"]["min_delay"] == 0.5


def test_outside_a_session_nothing_is_told_of_it() -> None:
    assert session_around() is None
    assert may_be_in_session() is not hasattr(audio_recognition, "_STTPipelineContextVar")
    assert not turns_are_ignored()


@pytest.mark.newest
def test_the_frameworks_names_that_lead_to_the_session_are_still_there() -> None:
    # Private to livekit-agents. Without them a session in the wrong mode is not warned, and a turn that was cut off in
    # one STT is not ended by another.
    assert hasattr(audio_recognition, "_STTPipelineContextVar")
