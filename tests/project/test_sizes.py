"""Modules and functions stay short enough to be read at once, and no module is hardly worth its file."""

from __future__ import annotations

import ast
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "livekit-plugins-cartesia-turns/livekit"
FUNCTION_LINES = 50
MEDIAN_LINES = 12
MODULE_LINES = {PACKAGE: 250, "tests": 500, "examples": 500}
FEWEST_LINES = 50
SHORT_BY_NATURE = {"__init__.py", "version.py", "log.py", "cartesia_turns_pytest.py"}
"""What a folder exports, what packaging reads, the one logger, which all layers use, and what pytest looks for."""


def tracked(folder: str) -> list[Path]:
    """The Python modules in a folder of the repository, without those that git ignores."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", f"{folder}/*.py"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [path for name in names if name and (path := ROOT / name).exists()]


def functions_of(source: str) -> Iterator[tuple[str, int]]:
    """Each function's name and how many lines it has below its signature, which may have a line for each argument."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.body[0].lineno + 1


def long_modules(folder: str) -> dict[str, int]:
    """The modules of a folder that are longer than they may be, with their number of lines."""
    counts = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in tracked(folder)}
    assert counts
    return {name: lines for name, lines in counts.items() if lines > MODULE_LINES[folder]}


@pytest.mark.parametrize("folder", MODULE_LINES)
def test_no_function_is_long(folder: str) -> None:
    assert [
        f"{path.relative_to(ROOT)}: {name} has {lines} lines"
        for path in tracked(folder)
        for name, lines in functions_of(path.read_text())
        if lines > FUNCTION_LINES
    ] == []


def test_most_functions_of_the_package_are_short() -> None:
    lines = [lines for path in tracked(PACKAGE) for _, lines in functions_of(path.read_text())]
    assert len(lines) > 1000
    assert statistics.median(lines) <= MEDIAN_LINES


@pytest.mark.parametrize("folder", MODULE_LINES)
def test_no_module_is_long(folder: str) -> None:
    assert long_modules(folder) == {}


def test_no_module_of_the_package_is_tiny() -> None:
    modules = [path for path in tracked(PACKAGE) if path.name not in SHORT_BY_NATURE]
    assert len(modules) > 100
    assert [path.name for path in modules if len(path.read_text().splitlines()) < FEWEST_LINES] == []


def test_the_guard_counts_the_lines_below_the_signature() -> None:
    source = "@decorated\nasync def one(\n    a,\n):\n    def two():\n        return a\n    return two\n"
    assert dict(functions_of(source)) == {"one": 3, "two": 1}
