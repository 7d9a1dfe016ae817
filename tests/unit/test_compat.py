from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
from collections.abc import Iterable
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.agents import Agent, __version__
from livekit.agents.stt import FallbackAdapter
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns import compat
from packaging.specifiers import SpecifierSet

PACKAGE = Path(inspect.getfile(compat)).parent
NOT_THE_FRAMEWORKS = {"_default_proxy", "__code__"}
"""Private names of aiohttp and of Python that other modules ask for."""


def is_there(where: str) -> bool:
    """Whether what is installed has this name: in the module, in the class, or set on its instances."""
    module_name, _, path = where.partition(":")
    try:
        found: Any = importlib.import_module(f"livekit.{module_name}")
    except ImportError:
        return False
    owner, _, attribute = path.rpartition(".")
    if not owner:
        return hasattr(found, path)
    kind = vars(found).get(owner)  # not the old name of a class, which the module would give with a warning
    return hasattr(kind, attribute) or (kind is not None and f"self.{attribute}" in inspect.getsource(kind))


@pytest.mark.parametrize("name", [*compat.NAMES, *compat.BASE_NAMES], ids=lambda name: name.where)
def test_each_name_is_in_the_versions_that_it_is_said_to_be_of_and_in_no_others(name: compat.Name) -> None:
    expected = SpecifierSet(name.versions).contains(__version__, prereleases=True)
    assert is_there(name.where) is expected, name.without


def test_a_name_that_was_never_there_is_noticed() -> None:
    assert not is_there("agents.voice.agent_activity:AgentActivity._never_there")
    assert not is_there("agents.voice.never_there:AgentActivity")


def last_parts(names: tuple[compat.Name, ...]) -> set[str]:
    return {name.where.replace(":", ".").rpartition(".")[2] for name in names}


def private_strings(nodes: Iterable[ast.AST]) -> set[str]:
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in strings if text.isidentifier() and text.startswith("_")}


def probes_of(path: Path) -> set[str]:
    """The private names that the module asks for by `getattr` and `hasattr`."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    probes = [call for call in calls if ast.unparse(call.func) in {"getattr", "hasattr"}]
    return private_strings(argument for probe in probes for argument in probe.args)


def inherited_names(*paths: Path) -> set[str]:
    """The private names of `self` that the modules use and do not make: together they hold a class and its bases."""
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text()))]
    own = [node for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"]
    made = {node.attr for node in own if isinstance(node.ctx, ast.Store)}
    made |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return {node.attr for node in own if node.attr.startswith("_")} - made


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_each_private_name_of_the_framework_is_in_a_table_and_asked_for_in_this_module_alone(path: Path) -> None:
    if path.name == "compat.py":
        used = private_strings(ast.walk(ast.parse(path.read_text())))
        assert used - {"__self__"} == {name for name in last_parts(compat.NAMES) if name.startswith("_")}
    else:
        assert probes_of(path) <= NOT_THE_FRAMEWORKS


@pytest.mark.parametrize("modules", [("stt", "changeable", "emitter"), ("stream",)], ids=lambda modules: modules[0])
def test_each_private_name_that_is_inherited_from_the_framework_is_in_a_table(modules: tuple[str, ...]) -> None:
    assert inherited_names(*(PACKAGE / f"{module}.py" for module in modules)) <= last_parts(compat.BASE_NAMES)


def test_the_guard_sees_a_private_name_that_is_in_no_table(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "class A:\n    def f(self):\n        self._made = self._inherited\n        getattr(self, '_asked')"
    )
    assert probes_of(module) == {"_asked"}
    assert inherited_names(module) == {"_inherited"}


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
