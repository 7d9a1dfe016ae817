from __future__ import annotations

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.agents import AgentSession
from livekit.plugins.cartesia_turns import STT, compat
from livekit.plugins.cartesia_turns.agent_session import (
    Commits,
    commits_to_answer,
    fault_of_session,
    interrupt_on_turn_start,
    may_be_in_session,
    remember_session,
    session_around,
    turn_handling,
)


def test_the_defaults_leave_turns_to_the_server() -> None:
    options = turn_handling()
    assert options["turn_detection"] == "stt"
    assert options["endpointing"]["mode"] == "fixed"
    assert options["preemptive_generation"]["preemptive_tts"] is False


def test_a_group_of_options_is_merged_key_by_key() -> None:
    options = turn_handling(endpointing={"min_delay": 0.2}, turn_detection="manual")
    assert options["endpointing"] == {"mode": "fixed", "min_delay": 0.2}
    assert options["turn_detection"] == "manual"


def test_every_option_that_the_framework_knows_is_taken() -> None:
    options = turn_handling(
        turn_detection=None,
        endpointing={"mode": "dynamic", "min_delay": 0.1, "max_delay": 2.0, "alpha": 0.5},
        interruption={"enabled": True, "min_words": 2, "backchannel_boundary": (1.0, 0.5)},
        preemptive_generation={"max_speech_duration": 5.0, "max_retries": 1},
        user_turn_limit={"max_words": 50, "max_duration": None},
    )
    assert options["user_turn_limit"] == {"max_words": 50, "max_duration": None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"endpointng": {"min_delay": 0.2}},
            r"turn_handling has no option 'endpointng': the options are .*endpointing",
        ),
        (
            {"endpointing": {"min_dealy": 1}},
            r"turn_handling: endpointing has no option 'min_dealy': the options are .*min_delay",
        ),
        (
            {"interruption": {"min_word": 1}},
            r"turn_handling: interruption has no option 'min_word': the options are .*min_words",
        ),
        (
            {"preemptive_generation": {"enable": True}},
            r"preemptive_generation has no option 'enable': the options are enabled",
        ),
        ({"user_turn_limit": {"words": 9}}, r"user_turn_limit has no option 'words': the options are max_words"),
        ({"endpointing": {"mode": "fixd"}}, r"endpointing: mode must be one of fixed, dynamic, not 'fixd'"),
        ({"turn_detection": "sst"}, r"turn_handling: turn_detection must be one of stt, .*manual, not 'sst'"),
        ({"endpointing": {"min_delay": "1"}}, r"endpointing: min_delay must be of type float, not '1'"),
        ({"user_turn_limit": {"max_words": "9"}}, r"max_words must be of type int \| None, not '9'"),
        ({"preemptive_generation": False}, r"preemptive_generation must be a mapping of options, not False"),
    ],
)
def test_what_the_framework_would_pass_over_in_silence_is_refused_with_what_it_knows(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        turn_handling(**changes)


def test_a_typo_is_seen_by_a_type_checker_too() -> None:
    # mypy reports an ignore that is not needed.
    with pytest.raises(ValueError, match="min_dealy"):
        turn_handling(endpointing={"min_dealy": 1})  # type: ignore[typeddict-unknown-key]


def test_what_it_returns_is_the_callers_own() -> None:
    turn_handling()["endpointing"]["min_delay"] = 9.0
    assert turn_handling()["endpointing"]["min_delay"] == 0.5


def test_outside_a_session_nothing_is_told_of_it() -> None:
    assert session_around() is None
    assert may_be_in_session() is not compat.TELLS_SESSION
    assert fault_of_session() is None


async def test_a_stream_knows_its_session_while_one_agent_leaves_and_the_other_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = AgentSession[None]()
    activity: Any = SimpleNamespace(_session=session)
    monkeypatch.setattr(compat, "serving_activity", lambda: activity)
    remember_session()
    monkeypatch.setattr(compat, "serving_activity", lambda: None)
    assert session_around() is session
    assert await asyncio.create_task(asyncio.to_thread(session_around)) is session, "so do the tasks that it starts"


async def test_each_commit_that_waits_is_answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    session = AgentSession[None]()
    commits = Commits(session)
    asked = []
    for commit in (None, "first", "first", None, "second"):
        monkeypatch.setattr(compat, "commit_that_waits", lambda _, commit=commit: commit)
        asked.append(commits.is_new())
    assert asked == [False, True, False, False, True]


async def test_the_commits_of_a_session_that_is_gone_ask_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    session = AgentSession[None]()
    commits = Commits(session)
    monkeypatch.setattr(compat, "commit_that_waits", lambda _: "a commit")
    del session
    gc.collect()
    assert not commits.is_new()


def test_outside_a_session_there_are_no_commits_to_answer() -> None:
    assert commits_to_answer() is None


async def test_a_session_is_not_kept_alive_by_what_silences_its_agent() -> None:
    owner = STT(api_key="key")
    session = AgentSession[None](stt=owner)
    interrupt_on_turn_start(session, owner)
    over = weakref.ref(session)
    del session
    gc.collect()
    assert over() is None
    assert not owner._events["turn_start"], "and nothing of it is left"


async def test_an_stt_is_not_kept_alive_by_it_either() -> None:
    owner = STT(api_key="key")
    session = AgentSession[None]()
    interrupt_on_turn_start(session, owner)
    over = weakref.ref(owner)
    del owner
    gc.collect()
    assert over() is None
