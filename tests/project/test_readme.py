"""READMEs and documentation can be followed: commands, links, files, tests and snippets are there."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import inspect
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import telemetry
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.__main__ import COMMANDS
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.testing import ScriptedServer
from livekit.plugins.cartesia_turns.wire.options import Options
from support.pages import PACKAGE, PAGES, READMES, ROOT, anchors, commands, links, name_of, snippets
from support.recordings import Tape

MAKE = re.compile(r"(?:\w+=\S+ )*make(?: ([a-z][a-z-]*))?(?: .*)?")
PYTHON = re.compile(r"(?:\w+=\S+ )*python (?:-m (?P<module>[\w.]+)|(?P<file>\S+\.py))(?P<rest>.*)")
OUR_FOLDERS = ("tests/", "examples/", ".ci/", "livekit-plugins-cartesia-turns/")
PACKAGES_FOLDERS = ("core/", "net/", "wire/", "server/")
USERS_OWN = {"agent.py"}
A_CALL = "calls/2026-11-25T23-00-00-5150bfdc"
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

EVERY_PAGE = pytest.mark.parametrize("path", PAGES, ids=name_of)


def snippet_cases() -> Iterator[object]:
    for path in PAGES:
        for number, code in enumerate(snippets(path.read_text())):
            marks = [pytest.mark.recognizer] if "LocalServer()" in code else []
            yield pytest.param(code, id=f"{name_of(path)}-{number}", marks=marks)


def test_the_readme_fits_a_screen_or_so_and_names_the_two_commands_with_their_time() -> None:
    text = READMES[0].read_text()
    assert len(text.splitlines()) <= 90
    assert re.search(r"^    make demo +# .*: \d+ seconds$", text, re.MULTILINE)
    assert re.search(r"^    make test +# .*: about \w+ minutes", text, re.MULTILINE)


def test_both_readmes_show_the_same_smallest_agent_and_the_same_way_to_install() -> None:
    texts = [path.read_text() for path in READMES]
    assert snippets(texts[0])[0] == snippets(texts[1])[0]
    installs = [{line for line in commands(text) if line.startswith("pip install")} for text in texts]
    assert installs[0] <= installs[1]


@EVERY_PAGE
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    named = [found[1] for line in commands(path.read_text()) if (found := MAKE.fullmatch(line))]
    assert {target for target in named if target} <= TARGETS


@EVERY_PAGE
def test_every_python_command_names_a_module_or_a_file_with_the_options_it_has(path: Path) -> None:
    for line in commands(path.read_text()):
        if not (found := PYTHON.fullmatch(line)) or found["file"] in USERS_OWN:
            continue
        source = source_of(found["module"], found["file"], *found["rest"].split()[:1])
        for option in re.findall(r"--[a-z-]+", found["rest"]):
            assert f'"{option}"' in source, line


def source_of(module: str | None, file: str | None, command: str = "") -> str:
    if file is not None:
        return (ROOT / file).read_text()
    if module == cartesia_turns.__name__:
        module = f"{module}.{COMMANDS[command][0]}"
    spec = importlib.util.find_spec(str(module))
    assert spec is not None, module
    if spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{module}.__main__")
        assert spec is not None, module
    assert spec.origin is not None, module
    return Path(spec.origin).read_text()


@EVERY_PAGE
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in links(path.read_text()):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


@EVERY_PAGE
def test_every_file_that_is_named_exists(path: Path) -> None:
    for name in re.findall(r"`([\w./-]+/[\w./-]*)`", path.read_text()):
        if name.startswith(OUR_FOLDERS):
            assert (ROOT / name).exists(), name
        elif name.startswith(PACKAGES_FOLDERS):
            assert (PACKAGE / name).exists(), name


@pytest.fixture
def _a_readers_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CARTESIA_API_KEY", "a-readers-key")
    monkeypatch.setattr(telemetry, "set_tracer_provider", lambda _: None)  # it would hold for all tests to come
    tape = Tape()
    tape.client(Options(), Limits(), lambda: 0.0).link_opened(Options(), 0.0)
    tape.write(tmp_path / A_CALL)


@pytest.mark.usefixtures("_a_readers_machine")
@pytest.mark.parametrize("code", list(snippet_cases()))
async def test_a_snippet_runs_and_knows_each_name_in_it(code: str) -> None:
    known: dict[str, Any] = {"cartesia_turns": cartesia_turns}  # a page imports it once
    compiled = compile(code, "snippet", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = types.FunctionType(compiled, known)()
    if inspect.isawaitable(running):
        await running
    for name in [name for name in known if name.startswith("test_") and inspect.iscoroutinefunction(known[name])]:
        takes_fixture = inspect.signature(known[name]).parameters
        await known[name](*([ScriptedServer()] if takes_fixture else []))
    assert set(names(code)) <= known.keys() | vars(builtins).keys()
    for name in re.findall(r"cartesia_turns\.(\w+)", re.sub(r"(from|import) [\w.]+", "", code)):
        assert hasattr(cartesia_turns, name), name


def names(code: str) -> Iterator[str]:
    """Names that are read somewhere in the code and are set nowhere in a function of it."""
    nodes = list(ast.walk(ast.parse(code)))
    variables = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    variables |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    yield from (node.id for node in nodes if isinstance(node, ast.Name) and node.id not in variables)
