from __future__ import annotations

import asyncio
import importlib
import inspect
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.agents import Agent, __version__
from livekit.agents.stt import FallbackAdapter
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns import compat
from packaging.specifiers import SpecifierSet


def is_there(where: str) -> bool:
    """Whether the installed framework has this name: in the module, in the class, or set on its instances."""
    module_name, _, path = where.partition(":")
    try:
        found: Any = importlib.import_module(f"livekit.agents.{module_name}")
    except ImportError:
        return False
    owner, _, attribute = path.rpartition(".")
    if not owner:
        return hasattr(found, path)
    kind = getattr(found, owner, None)
    return hasattr(kind, attribute) or (kind is not None and f"self.{attribute}" in inspect.getsource(kind))


@pytest.mark.parametrize("name", compat.NAMES, ids=lambda name: name.where)
def test_each_name_is_in_the_versions_that_it_is_said_to_be_of_and_in_no_others(name: compat.Name) -> None:
    expected = SpecifierSet(name.versions).contains(__version__, prereleases=True)
    assert is_there(name.where) is expected, name.without


def test_a_name_that_was_never_there_is_noticed() -> None:
    assert not is_there("voice.agent_activity:AgentActivity._never_there")
    assert not is_there("voice.never_there:AgentActivity")


def test_each_private_name_that_the_module_uses_is_in_its_table() -> None:
    used = {word for word in inspect.getsource(compat).split('"') if word.startswith("_") and word.isidentifier()}
    assert used <= {name.where.replace(":", ".").rpartition(".")[2] for name in compat.NAMES} | {"__self__"}


def test_a_capability_that_the_framework_does_not_know_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "FLUSHES", False)
    assert not getattr(compat.capabilities(manual_flush=True), "manual_flush", False)
    assert compat.capabilities(manual_flush=True).keyterms


def around(monkeypatch: pytest.MonkeyPatch, *, pipeline: object = None, activity: object = None) -> None:
    """The framework as it was, with these set for the present task."""
    for module, name, value in (
        ("_RECOGNITION", compat._PIPELINE, pipeline),
        ("_ACTIVITIES", compat._ACTIVITY, activity),
    ):
        variable: ContextVar[object] = ContextVar(name)
        variable.set(value)
        monkeypatch.setattr(compat, module, SimpleNamespace(**{name: variable}))


def agent_with(activity: object) -> Any:
    agent: Any = Agent(instructions="")
    agent._activity = activity
    return agent


def test_by_the_pipeline_a_stream_finds_the_activity_of_its_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    session = object()
    activity = SimpleNamespace(_session=session)
    node = SimpleNamespace(_stt_node=agent_with(activity).stt_node)
    around(monkeypatch, pipeline=node, activity="of whoever started the node")
    monkeypatch.setattr(compat, "_BINDS_NODES", False)
    assert compat.serving_activity() is activity
    assert compat.session_of(compat.serving_activity()) is session
    assert compat.is_in_stt_node()


@pytest.mark.parametrize("node", [print, SimpleNamespace(__self__="no agent")])
def test_under_a_node_that_is_no_agents_the_activity_can_not_be_told(
    node: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    around(monkeypatch, pipeline=SimpleNamespace(_stt_node=node))
    monkeypatch.setattr(compat, "_BINDS_NODES", False)
    assert compat.serving_activity() is None
    assert compat.is_in_stt_node()


def test_by_the_bound_node_a_stream_finds_its_activity(monkeypatch: pytest.MonkeyPatch) -> None:
    activity = SimpleNamespace(_session="the session")
    around(monkeypatch, activity=activity)
    monkeypatch.setattr(compat, "_BINDS_NODES", True)
    assert compat.serving_activity() is activity
    assert compat.is_in_stt_node()


@pytest.mark.parametrize("binds_nodes", [True, False])
def test_where_the_names_are_gone_nothing_is_known_and_nothing_fails(
    binds_nodes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compat, "_RECOGNITION", None)
    monkeypatch.setattr(compat, "_ACTIVITIES", None)
    monkeypatch.setattr(compat, "_BINDS_NODES", binds_nodes)
    session: Any = SimpleNamespace()
    assert compat.serving_activity() is None
    assert compat.calling_activity() is None
    assert compat.session_of(None) is None
    assert not compat.is_in_stt_node()
    assert compat.turn_detection_of(None) == "stt"
    assert not compat.has_vad(None)
    assert compat.way_to_pause(session) is None
    assert compat.commit_that_waits(session) is None
    assert compat._module("voice.never_there") is None


async def test_a_commit_waits_until_it_is_answered_or_done() -> None:
    answered = asyncio.Event()
    commit = asyncio.create_task(asyncio.sleep(0))
    recognition = SimpleNamespace(_commit_user_turn_atask=commit, _final_transcript_received=answered)
    session: Any = SimpleNamespace(_activity=SimpleNamespace(_audio_recognition=recognition))
    assert compat.commit_that_waits(session) is commit
    answered.set()
    assert compat.commit_that_waits(session) is None
    answered.clear()
    await commit
    assert compat.commit_that_waits(session) is None


def test_the_stts_within_an_adapter_are_found() -> None:
    one, other = cartesia_turns.STT(api_key="k"), cartesia_turns.STT(api_key="k")
    assert compat.wrapped_stts(FallbackAdapter([one, other])) == [one, other]
    assert compat.wrapped_stts(one) == []
