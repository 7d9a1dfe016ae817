"""Starts the stage once for all room tests, and says in pytest's last lines what a machine lacks for them."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Generator, Iterator

import psutil
import pytest
from room.guest import Guest
from room.stage import ARTIFACTS, Part, SpeechServer, Talk, parts_for

LEFT_OUT = pytest.StashKey[dict[str, Part]]()
GONE_WITHIN_S = 5.0
"""What multiprocessing keeps beside a worker ends a moment after it."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this machine cannot run, by name; in CI nothing is left out, so it fails there."""
    left_out = config.stash.setdefault(LEFT_OUT, {})
    if os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("room") is None:
            continue
        missing = [part for part in parts_for(item.name) if not part.there]
        left_out.update({part.name: part for part in missing})
        if missing:
            names = ", ".join(part.name for part in missing)
            item.add_marker(pytest.mark.skip(reason=f"needs {names}"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None, None, None]:
    """Name each missing part and the command that adds it, below everything else."""
    yield
    left_out = config.stash.get(LEFT_OUT, {})
    if left_out:
        terminalreporter.section("room tests left out", sep="-")
    for part in left_out.values():
        terminalreporter.write_line(f"no {part.name} here; to add it: {part.command}")


@pytest.fixture(scope="session")
def speech() -> Iterator[SpeechServer]:
    server = SpeechServer()
    server.start()
    server.wait_until_up()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def talk(speech: SpeechServer) -> Iterator[Talk]:
    stage = Talk(speech)
    try:
        stage.wait_until_up()
        yield stage
    finally:
        children = processes_below("examples/talk.py")
        code = stage.stop()
    assert code == 0
    assert children
    _, left = psutil.wait_procs(children, timeout=GONE_WITHIN_S)
    assert not [child for child in left if child.status() != psutil.STATUS_ZOMBIE], "it left processes behind"


def processes_below(script: str) -> list[psutil.Process]:
    """What a script that the tests started has started, and so on."""
    started = [child for child in psutil.Process().children() if script in child.cmdline()]
    return [process for child in started for process in child.children(recursive=True)]


@pytest.fixture
def room_name() -> str:
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture
def guest(talk: Talk, room_name: str) -> Guest:
    """Somebody who is about to join a room of the test's own."""
    return Guest(talk.address, room=room_name)


@pytest.fixture
def note() -> Callable[[str, float], None]:
    """Keeps a measured figure in `.artifacts/room-figures.json`."""
    return keep_figure


def keep_figure(name: str, value: float) -> None:
    path = ARTIFACTS / "room-figures.json"
    figures = json.loads(path.read_text()) if path.is_file() else {}
    figures[name] = round(value, 3)
    ARTIFACTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")
