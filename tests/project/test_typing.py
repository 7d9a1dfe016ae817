"""What type checkers make of the package: a user's program, and how much of the public interface has a known type."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from livekit.plugins import cartesia_turns

PROGRAM = Path(__file__).with_name("users_program.py")
STRICT = {"typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": "error", "pythonVersion": "3.10"}
LEAST_COMPLETE = 0.98

pytestmark = pytest.mark.slow


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs a module in this folder. pyright takes the packages of the first Python on PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(folder), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    module = [sys.executable, "-m", *command]
    return subprocess.run(module, cwd=folder, env=environment, capture_output=True, text=True, check=False)


PROGRAMS = {
    "program.py": PROGRAM.read_text(),
    "unmarked.py": PROGRAM.read_text().replace("0.2})  # type: ignore[typeddict-unknown-key]", "0.2})"),
    "needless.py": PROGRAM.read_text().replace("undo()\n", "undo()  # type: ignore[misc]\n"),
}
"""The user's program as it is, with a mistake that is not marked, and with a mark where there is no mistake."""


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: the programs in it, and none of this project's settings."""
    folder = tmp_path_factory.mktemp("user")
    for name, text in PROGRAMS.items():
        (folder / name).write_text(text)
    (folder / "pyrightconfig.json").write_text(json.dumps(STRICT))
    return folder


@pytest.mark.parametrize(
    ("command", "mistake", "needless"),
    [
        (("mypy", "--strict", "--config-file=", "--python-version=3.10", *PROGRAMS), 'Extra key "min_dealy"', "Unused"),
        (("pyright", "--pythonpath", sys.executable), '"min_dealy" is an undefined item', "Unnecessary"),
    ],
    ids=["mypy", "pyright"],
)
@pytest.mark.timeout(300)
def test_a_type_checker_finds_the_mistakes_in_a_users_program_and_no_others(
    user: Path, command: tuple[str, ...], mistake: str, needless: str
) -> None:
    assert len(set(PROGRAMS.values())) == len(PROGRAMS)
    found = run(user, *command).stdout
    assert found.count("error: ") == 2, found
    assert "program.py" not in found
    assert mistake in found
    assert needless in found


@pytest.fixture
def package_alone(tmp_path: Path) -> Path:
    """A folder with the package under a name of its own.

    Within `livekit` pyright takes the framework for a part of it, and counts the framework's unknown types too. And it
    finds `livekit.rtc`, from which the framework's classes inherit, only where a module imports that by name.
    """
    copy = tmp_path / "cartesia_turns"
    shutil.copytree(Path(cartesia_turns.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "__init__.py").write_text("import livekit.rtc as _rtc\n" + (copy / "__init__.py").read_text())
    return tmp_path


@pytest.mark.timeout(300)
def test_the_public_interface_has_known_types(package_alone: Path) -> None:
    command = ("pyright", "--verifytypes", "cartesia_turns", "--ignoreexternal", "--outputjson")
    complete = json.loads(run(package_alone, *command).stdout)["typeCompleteness"]
    exported = [symbol for symbol in complete["symbols"] if symbol["isExported"]]
    unknown = [symbol["name"] for symbol in exported if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]]
    assert complete["exportedSymbolCounts"]["withKnownType"] > 1000
    assert complete["completenessScore"] >= LEAST_COMPLETE, f"no type, or an ambiguous one: {', '.join(unknown)}"
