"""The package keeps its shape: imports go downwards, pure modules stay pure, and each module has its tests."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "livekit.plugins.cartesia_turns"
ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "livekit-plugins-cartesia-turns" / "livekit" / "plugins" / "cartesia_turns"
UNIT_TESTS = ROOT / "tests" / "unit"

TOP = "."
"""The layer of the modules that stand in no folder: what LiveKit touches."""

LAYERS: dict[str, set[str]] = {
    TOP: {TOP, "net", "core", "wire", "recording"},
    "net": {"net", "core", "wire", "errors", "log"},
    "core": {"core", "wire"},
    "wire": {"wire"},
    "recording": {"recording", "server", "core", "wire", "log", "version"},
    "server": {"server", "wire", "log", "version"},
    "testing": {"testing", "server", "recording", "wire", TOP},
    "doctor": {"doctor", TOP, "net", "core", "wire"},
    "tuning": {"tuning", "doctor", "recording", TOP, "net", "wire"},
}
"""What the modules of each folder may import: whole layers, and single modules that stand in no folder."""

BELOW_ALL = {"log": set(), "version": set(), "errors": {"wire"}}
"""Modules in no folder that lower layers use, and what of the package they may import."""

PURE_LAYERS = {"core", "wire"}
PURE = {
    *("live", "doubts", "net.redaction", "server.dialogue", "server.vendor"),
    *("testing.ear", "testing.faults", "testing.speech"),
    *(
        "recording.attempts",
        "recording.client",
        "recording.difference",
        "recording.drawing",
        "recording.journal",
        "recording.player",
    ),
    *(
        "recording.labels",
        "recording.schema",
        "recording.steps",
        "recording.story",
        "recording.view",
    ),
    *("recording.voice", "tuning.grid", "tuning.report", "tuning.results", "tuning.score"),
    *("doctor.verdict", "doctor.sound", "doctor.tempo", "doctor.report"),
}
"""Modules of other layers that are pure as well."""
IMPURE_IMPORTS = {"asyncio", "aiohttp", "time", "random", "livekit"}

UNTESTED = {
    "__init__",
    "log",
    "version",
    "wire.messages",
    "core.events",
    "server",
    "server.__main__",
}
"""Modules without a test module of their own: names, constants and values, and entry points other tests go through."""


def module_of(path: Path) -> str:
    """`server/__init__.py` is "server", `stt.py` is "stt"; the package itself is "__init__"."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(SOURCE.rglob("*.py"))}
FOLDERS = {name for name, path in MODULES.items() if path.name == "__init__.py" and name != "__init__"}


def layer_of(module: str) -> str:
    folder = module.split(".", maxsplit=1)[0]
    return folder if folder in FOLDERS else TOP


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


def is_own(name: str) -> bool:
    return name == PACKAGE or name.startswith(f"{PACKAGE}.")


def own_modules(source: str, module: str, *, is_package: bool = False) -> set[str]:
    """The package's modules that the source imports; not the folders that it only passes on the way to one."""
    names = {
        name.removeprefix(PACKAGE).removeprefix(".")
        for name in imports_of(source, module, is_package=is_package)
        if is_own(name)
    }
    used = {name for name in names if name in MODULES}
    passed = {name.rpartition(".")[0] for name in used}
    return used - passed - {"__init__", module}


def is_allowed(module: str, imported: str) -> bool:
    allowed = BELOW_ALL.get(module, LAYERS[layer_of(module)])
    return imported in allowed or (layer_of(imported) in allowed and (layer_of(imported) != TOP or TOP in allowed))


def wrong_arrows(source: str, module: str, *, is_package: bool = False) -> set[str]:
    """The package's modules that this source imports and may not."""
    return {name for name in own_modules(source, module, is_package=is_package) if not is_allowed(module, name)}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_only_downwards(module: str) -> None:
    path = MODULES[module]
    wrong = wrong_arrows(path.read_text(), module, is_package=path.name == "__init__.py")
    assert not wrong, f"{module} must not import {sorted(wrong)}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    arrows = {
        module: own_modules(without_types(path.read_text()), module, is_package=path.name == "__init__.py")
        for module, path in MODULES.items()
    }

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a circle: {' -> '.join([*path, module])}"
        if module not in done:
            for lower in arrows[module]:
                walk(lower, (*path, module))
            done.add(module)

    done: set[str] = set()
    for module in MODULES:
        walk(module, ())


@pytest.mark.parametrize("module", sorted({name for name in MODULES if layer_of(name) in PURE_LAYERS} | PURE))
def test_a_pure_module_knows_no_event_loop_clock_or_chance(module: str) -> None:
    outside = [name for name in imports_of(MODULES[module].read_text(), module) if not is_own(name)]
    impure = {name for name in outside if name.split(".")[0] in IMPURE_IMPORTS}
    assert not impure, f"{module} is pure and must not import {sorted(impure)}"


@pytest.mark.parametrize("module", sorted(set(MODULES) - UNTESTED - FOLDERS))
def test_each_module_has_a_test_module_of_its_name(module: str) -> None:
    *folders, name = module.split(".")
    expected = UNIT_TESTS.joinpath(*folders, f"test_{name}.py")
    of_its_own = UNIT_TESTS.joinpath(*folders, name)
    assert expected.exists() or list(of_its_own.glob("test_*.py")), f"{module} has no {expected.relative_to(ROOT)}"


@pytest.mark.parametrize(
    ("module", "statement", "wrong"),
    [
        ("wire.protocol", "from ..core.client import TurnsClient", {"core.client"}),
        ("wire.protocol", "from .. import stt", {"stt"}),
        ("wire.protocol", "from .options import Options", set()),
        ("core.turn", f"import {PACKAGE}.net.driver", {"net.driver"}),
        ("core.turn", f"from {PACKAGE}.net import driver", {"net.driver"}),
        ("core.client", "if TYPE_CHECKING:\n    from ..stream import SpeechStream", {"stream"}),
        ("net.driver", "from ..stream import SpeechStream", {"stream"}),
        ("net.driver", "from ..errors import bare\nfrom ..log import logger", set()),
        ("errors", "from .core.retry import judge", {"core.retry"}),
        ("errors", "from .wire.messages import ErrorMessage", set()),
        ("stt", "from .server import LocalServer", {"server"}),
        ("stt", "def f():\n    from .server.app import App", {"server.app"}),
        ("recording.player", "from ..core.client import TurnsClient", set()),
        ("recording.recorder", "from ..net.driver import Driver", {"net.driver"}),
        ("server.dialogue", "from .app import App", set()),
        ("server.dialogue", "from ..core.client import TurnsClient", {"core.client"}),
        ("server.recognition.listener", "from ...wire.messages import TurnStart", set()),
        ("server.recognition.listener", "from ...core import client", {"core.client"}),
        ("stt", "from .testing import say", {"testing"}),
        ("server.app", "from ..testing.speech import say", {"testing.speech"}),
        ("testing.calls", "from ..stt import STT\nfrom ..server import LocalServer", set()),
        ("testing.calls", "from ..core import client", {"core.client"}),
        ("doctor.calls", "from ..stt import STT\nfrom ..net.tasks import finish", set()),
        ("doctor.calls", "from ..server import LocalServer", {"server"}),
        ("stt", "from .doctor.calls import Call", {"doctor.calls"}),
        ("__main__", "from .doctor import command", {"doctor.command"}),
        ("tuning.runs", "from ..doctor.calls import Call\nfrom ..recording import load", set()),
        ("recording.view", "from ..tuning.score import score", {"tuning.score"}),
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
    apart = tuple(f"{PACKAGE}.{folder}" for folder in ("server", "testing", "doctor", "recording", "tuning"))
    assert not {name for name in added if name.startswith(apart)}


def test_tests_of_an_agent_can_be_written_where_pytest_is_missing() -> None:
    script = f"import sys; sys.modules['pytest'] = None; import {PACKAGE}.testing"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_loading_the_pytest_plugin_costs_nothing_where_no_test_uses_it() -> None:
    script = (
        f"import pytest, sys; before = set(sys.modules); import {PACKAGE}_pytest; print(*set(sys.modules) - before)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) <= {"livekit", "livekit.plugins", f"{PACKAGE}_pytest"}
