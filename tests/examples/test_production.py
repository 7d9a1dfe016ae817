"""The worker of `examples/production`, its container and its services fit together."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
import yaml
from livekit.agents import AgentServer, AgentSession
from livekit.plugins import cartesia_turns
from roomkit.livekit_server import pinned_version

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/production"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
LIVEKIT = yaml.safe_load((FOLDER / "livekit.yaml").read_text())
SERVICES = COMPOSE["services"]


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The worker's module, with its vendors' plugins replaced by ones that do nothing."""
    for name, part in (("openai", "LLM"), ("cartesia", "TTS")):
        vendor = types.ModuleType(f"livekit.plugins.{name}")
        setattr(vendor, part, lambda: None)
        monkeypatch.setitem(sys.modules, vendor.__name__, vendor)
        monkeypatch.setattr(f"livekit.plugins.{name}", vendor, raising=False)
    spec = importlib.util.spec_from_file_location("production_agent", FOLDER / "agent.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_agent_leaves_turns_to_the_stt_alone(
    agent: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[AgentSession[None]] = []

    async def start(session: AgentSession[None], *_: object, **__: object) -> None:
        started.append(session)

    monkeypatch.setenv("CARTESIA_API_KEY", "k")
    monkeypatch.setattr(AgentSession, "start", start)
    await agent.converse(types.SimpleNamespace(room=None))
    (session,) = started
    assert isinstance(session.stt, cartesia_turns.STT)
    assert session.vad is None
    assert session.turn_detection == "stt"


def test_start_finds_the_agents_server(agent: types.ModuleType) -> None:
    assert isinstance(agent.server, AgentServer)
    (command,) = re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)
    assert json.loads(command) == ["python", "-m", "livekit.agents", "start", "agent.py"]


def test_the_probe_asks_the_port_where_the_worker_answers(agent: types.ModuleType) -> None:
    assert f"http://127.0.0.1:{agent.HEALTH_PORT}/" in DOCKERFILE


def test_the_container_is_made_of_files_that_exist() -> None:
    context = (FOLDER / SERVICES["agent"]["build"]["context"]).resolve()
    assert context == ROOT
    assert context / SERVICES["agent"]["build"]["dockerfile"] == FOLDER / "Dockerfile"
    copied = re.findall(r"^COPY (\S+) ", DOCKERFILE, re.MULTILINE)
    assert len(copied) == 3
    assert all((context / source).exists() for source in copied)


@pytest.mark.skipif(shutil.which("hadolint", path=str(Path(sys.executable).parent)) is None, reason="needs hadolint")
def test_hadolint_has_nothing_to_say() -> None:
    hadolint = [str(Path(sys.executable).parent / "hadolint"), str(FOLDER / "Dockerfile")]
    done = subprocess.run(hadolint, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_services_find_each_other() -> None:
    livekit, agent = SERVICES["livekit"], SERVICES["agent"]
    assert livekit["network_mode"] == agent["network_mode"] == "host"
    assert agent["environment"]["LIVEKIT_URL"] == f"ws://127.0.0.1:{LIVEKIT['port']}"
    source, target, _ = livekit["volumes"][0].split(":")
    assert (FOLDER / source).is_file()
    assert livekit["command"] == f"--config {target}"


def test_each_key_that_the_services_take_is_named_at_the_top_and_asked_for() -> None:
    text = (FOLDER / "compose.yaml").read_text()
    taken = set(re.findall(r"\$\{(\w+)(?::\?)?\}", text))
    assert taken == {"LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "CARTESIA_API_KEY", "OPENAI_API_KEY"}
    assert text.count(":?}") == text.count("${")
    assert all(key in text.split("services:")[0] for key in taken)
    assert all(key in (ast.get_docstring(ast.parse((FOLDER / "agent.py").read_text())) or "") for key in taken)


def test_the_livekit_server_is_the_one_that_is_tested_here() -> None:
    assert SERVICES["livekit"]["image"] == f"livekit/livekit-server:v{pinned_version()}"


def test_the_orchestrator_waits_longer_than_the_worker_drains(agent: types.ModuleType) -> None:
    minutes = re.fullmatch(r"(\d+)m", SERVICES["agent"]["stop_grace_period"])
    assert minutes is not None
    drains_s = re.search(r"drain_timeout=(\d+)", (FOLDER / "agent.py").read_text())
    assert drains_s is not None
    assert int(minutes[1]) * 60 > int(drains_s[1])


def test_the_versions_are_those_that_are_tested_here() -> None:
    pinned = dict(re.findall(r'^  "([\w-]+)<=([\d.]+)",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    for line in (FOLDER / "requirements.txt").read_text().split():
        name, version = line.split("==")
        assert pinned[name] == version
