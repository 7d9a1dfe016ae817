"""The package keeps its shape: imports go downwards, pure modules stay pure, and each module has its tests."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "livekit.plugins.cartesia_turns"
ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "livekit-plugins-cartesia-turns" / "livekit" / "plugins" / "cartesia_turns"

ANY = {"log", "version"}
"""Every module may import these; they import none."""

CORE = {"turns", "words", "replay", "watchdog", "activity", "stats", "options", "vendor", "checks", "doubts"}

PLUGIN: dict[str, set[str]] = {
    "__init__": {"voice", "stt", "stream", "profiles", "messages", "errors", "events", "stats"},
    "voice": {"events"},
    "stt": {
        "stream",
        "voice",
        "connection",
        "dialer",
        "warm",
        "arguments",
        "live",
        "pacing",
        "profiles",
        "events",
        "handlers",
        "checks",
        "doubts",
        "options",
        "settings",
        "stats",
        "vendor",
    },
    "stream": {
        "sockets",
        "dialer",
        "handover",
        "voice",
        "reporter",
        "audio",
        "client",
        "configs",
        "errors",
        "live",
        "mapping",
        "options",
        "retry",
        "settings",
        "stats",
        "tasks",
        "turns",
    },
    "sockets": {
        "connection",
        "dialer",
        "warm",
        "reporter",
        "client",
        "errors",
        "link",
        "options",
        "retry",
        "messages",
        "protocol",
        "tasks",
    },
    "settings": {"client", "checks", "pacing"},
    "reporter": {
        "configs",
        "telemetry",
        "flush",
        "mapping",
        "activity",
        "client",
        "errors",
        "events",
        "turns",
        "voice",
    },
    "telemetry": {"client", "turns"},
    "warm": {"configs", "connection", "errors", "options", "messages", "protocol", "tasks"},
    "dialer": {"checks", "connection", "errors", "options", "pacing", "messages", "protocol", "retry", "tasks"},
    "connection": {"handshake", "errors", "link", "replay", "messages", "protocol", "tasks"},
    "handshake": {"errors", "redaction", "options", "messages", "protocol", "tasks"},
    "redaction": set(),
    "mapping": {"events", "messages", "turns"},
    "errors": {"messages"},
    "events": {"messages"},
    "handlers": set(),
    "audio": set(),
    "tasks": set(),
    "handover": set(),
    "profiles": {"checks", "options", "messages"},
    "arguments": {"vendor", "options", "checks", "messages"},
    "live": {"configs", "options", "messages"},
    "client": {"configs", "feed", "flush", "link", "liveness", "pacing", "settling", "stats", *CORE, "messages"},
    "flush": {"turns"},
    "feed": {"replay", "settling", "activity", "stats"},
    "link": {"configs", "liveness", "pacing", "replay", "options", "messages", "settling", "words"},
    "configs": {"options", "messages", "vendor"},
    "pacing": {"replay", "settling"},
    "turns": {"messages", "words", "echo"},
    "echo": {"words"},
    "words": set(),
    "replay": {"settling"},
    "settling": set(),
    "watchdog": set(),
    "activity": set(),
    "liveness": set(),
    "retry": {"link", "liveness"},
    "stats": set(),
    "doubts": {"options", "vendor", "messages"},
    "options": {"checks", "vendor", "messages", "protocol"},
    "vendor": {"messages"},
    "checks": set(),
    "protocol": {"messages"},
    "messages": set(),
}
"""What each module may import from the package, drawn from the top down. The server is nowhere in it."""

SERVER: dict[str, set[str]] = {
    "__main__": {"app", "recognizer", "script"},
    "__init__": {"app", "script", "responder", "handshake", "record", "faults", "recognizer", "dialogue", "vendor"},
    "app": {
        "endpoint",
        "session",
        "listener",
        "script",
        "responder",
        "handshake",
        "record",
        "faults",
        "recognizer",
        "vendor",
    },
    "endpoint": {"session", "inbox", "responder", "handshake", "record", "faults", "vendor"},
    "session": {"inbox", "pace", "responder", "handshake", "record", "faults", "vendor"},
    "listener": {"dialogue", "recognizer", "transcript", "segment", "handshake", "record", "pcm"},
    "script": {"dialogue", "handshake", "record"},
    "responder": {"handshake", "record"},
    "inbox": {"record"},
    "record": {"handshake"},
    "handshake": {"pcm", "vendor"},
    "recognizer": {"pcm"},
    "segment": {"pcm"},
    "dialogue": {"vendor"},
    "vendor": set(),
    "transcript": set(),
    "faults": set(),
    "pace": set(),
    "pcm": set(),
}
"""The same for the server: its own modules, and of the plugin's only those in SHARED."""

SHARED = {"options", "vendor", "messages", "protocol"}


def in_server(module: str) -> str:
    return "server" if module == "__init__" else f"server.{module}"


ARROWS = PLUGIN | {in_server(name): {in_server(lower) for lower in below} | SHARED for name, below in SERVER.items()}

FOR_TYPES_ALONE = {"stream": {"stt"}, "voice": {"stt"}}
"""Arrows that point up and are never followed at run time: a stream names the STT that made it."""

PURE = {
    "messages",
    "protocol",
    *CORE,
    "live",
    "configs",
    "client",
    "feed",
    "flush",
    "link",
    "liveness",
    "pacing",
    "retry",
    "redaction",
    "server.dialogue",
    "server.pace",
    "server.vendor",
}
IMPURE_IMPORTS = {"asyncio", "aiohttp", "time", "random", "livekit"}

UNTESTED = {"__init__", "log", "version", "messages", "server", "server.__main__", "server.responder"}
"""Modules without a test module of their own: names, constants and values, and entry points other tests go through."""


def module_of(path: Path) -> str:
    """`server/__init__.py` is "server", `stt.py` is "stt"; the package itself is "__init__"."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


def imports_of(source: str, module: str, *, is_package: bool = False) -> Iterator[str]:
    """Dotted names that the source imports, wherever the statement stands; relative ones made absolute.

    `from x import y` yields both `x` and `x.y`, since `y` may be a module.
    """
    within = [] if module == "__init__" else module.split(".")
    package = [*PACKAGE.split("."), *(within if is_package else within[:-1])]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def without_types(source: str) -> str:
    """The source less what stands under `if TYPE_CHECKING:`."""

    class Runtime(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.If | list[ast.stmt]:
            return node.orelse if ast.unparse(node.test).endswith("TYPE_CHECKING") else node

    return ast.unparse(Runtime().visit(ast.parse(source)))


def siblings(names: Iterator[str]) -> set[str]:
    """Of these imports, the package's own modules, named as in the table; the package itself is "__init__"."""
    own = (name.removeprefix(PACKAGE).removeprefix(".") or "__init__" for name in names if is_own(name))
    return {name for name in own if name in MODULES or name in ARROWS or name in ANY}


def is_own(name: str) -> bool:
    return name == PACKAGE or name.startswith(f"{PACKAGE}.")


def wrong_arrows(source: str, module: str, *, is_package: bool = False) -> set[str]:
    """The package's modules that this source imports and may not."""
    types = FOR_TYPES_ALONE.get(module, set())
    used = siblings(imports_of(source, module, is_package=is_package)) - types
    used |= siblings(imports_of(without_types(source), module, is_package=is_package))
    # `from . import log` names the package on the way to its module.
    passed = {"__init__", *(".".join(name.split(".")[:-1]) for name in used)}
    return used - passed - ARROWS.get(module, set()) - ANY - {module}


def test_every_module_has_its_place_in_the_table() -> None:
    unknown = set(MODULES) - set(ARROWS) - ANY
    assert not unknown, f"give {sorted(unknown)} a row in ARROWS, where its layer is"


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_only_downwards(module: str) -> None:
    path = MODULES[module]
    wrong = wrong_arrows(path.read_text(), module, is_package=path.name == "__init__.py")
    assert not wrong, f"{module} must not import {sorted(wrong)}"


@pytest.mark.parametrize("module", sorted(PURE & set(MODULES)))
def test_a_pure_module_knows_no_event_loop_clock_or_chance(module: str) -> None:
    outside = [name for name in imports_of(MODULES[module].read_text(), module) if not is_own(name)]
    impure = {name for name in outside if name.split(".")[0] in IMPURE_IMPORTS}
    assert not impure, f"{module} is pure and must not import {sorted(impure)}"


@pytest.mark.parametrize("module", sorted(set(MODULES) - UNTESTED))
def test_each_module_has_a_test_module_of_its_name(module: str) -> None:
    *folders, name = module.split(".")
    expected = Path(__file__).parent.joinpath(*folders, f"test_{name}.py")
    assert expected.exists(), f"{module} has no {expected.relative_to(ROOT)}"


def test_the_table_has_no_cycle_and_the_plugin_never_points_at_the_server() -> None:
    def below(module: str, path: tuple[str, ...] = ()) -> set[str]:
        assert module not in path, f"a cycle: {' -> '.join([*path, module])}"
        direct = ARROWS.get(module, set())
        return direct.union(*(below(lower, (*path, module)) for lower in direct))

    for module in ARROWS:
        reached = below(module)
        assert module.startswith("server") or not any(name.startswith("server") for name in reached)


@pytest.mark.parametrize(
    ("module", "statement", "wrong"),
    [
        ("protocol", "from .options import Options", {"options"}),
        ("protocol", "from . import options", {"options"}),
        ("turns", f"import {PACKAGE}.client", {"client"}),
        ("turns", f"from {PACKAGE} import client", {"client"}),
        ("client", "if TYPE_CHECKING:\n    from .stream import SpeechStream", {"stream"}),
        ("stream", "if TYPE_CHECKING:\n    from .stt import STT", set()),
        ("stream", "from .stt import STT", {"stt"}),
        ("stt", "from .server import LocalServer", {"server"}),
        ("stt", "def f():\n    from .server.app import App", {"server.app"}),
        ("server.dialogue", "from .app import App", {"server.app"}),
        ("server.dialogue", "from ..client import TurnsClient", {"client"}),
        ("server.dialogue", "from ..messages import TurnStart", set()),
        ("client", "from .turns import Turns\nfrom .log import logger", set()),
    ],
)
def test_the_guard_sees_a_wrong_arrow_however_it_is_written(module: str, statement: str, wrong: set[str]) -> None:
    assert wrong_arrows(statement, module) == wrong


def test_importing_the_package_costs_no_more_than_the_framework_and_itself() -> None:
    script = (
        f"import sys, livekit.agents; before = set(sys.modules); import {PACKAGE}; print(*set(sys.modules) - before)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    added = set(run.stdout.split())
    assert PACKAGE in added
    assert not {name for name in added if not is_own(name) and name != "livekit.plugins"}
    assert not {name for name in added if name.startswith(f"{PACKAGE}.server")}
