"""What type checkers make of the package: a user's program, and how much of the public interface has a known type."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("users_program.py")
STRICT = {"typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": "error", "pythonVersion": "3.10"}
LEAST_COMPLETE = 0.98

pytestmark = pytest.mark.slow


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs a module in this folder. pyright takes the packages of the first Python on PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
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
def test_a_type_checker_finds_the_mistakes_in_a_users_program_and_no_others(
    user: Path, command: tuple[str, ...], mistake: str, needless: str
) -> None:
    assert len(set(PROGRAMS.values())) == len(PROGRAMS)
    found = run(user, *command).stdout
    assert found.count("error: ") == 2, found
    assert "program.py" not in found
    assert mistake in found
    assert needless in found


def test_the_public_interface_has_known_types(tmp_path: Path) -> None:
    package = "livekit.plugins.cartesia_turns"
    said = json.loads(run(tmp_path, "pyright", "--verifytypes", package, "--ignoreexternal", "--outputjson").stdout)
    complete = said["typeCompleteness"]
    unknown = [
        symbol["name"]
        for symbol in complete["symbols"]
        if symbol["isExported"]
        and symbol["name"].startswith(package)
        and (not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"])
    ]
    assert complete["packageName"] == package
    assert complete["exportedSymbolCounts"]["withKnownType"] > 1000
    assert complete["completenessScore"] >= LEAST_COMPLETE, f"no or an ambiguous type: {', '.join(unknown)}"
