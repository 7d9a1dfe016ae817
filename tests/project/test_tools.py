"""The scripts behind the Makefile: which interpreter they take, and which uv they bring."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).parents[2] / ".ci"
FIND_PYTHON = CI / "find-python"
VERSION = "{}.{}".format(*sys.version_info)


def put(folder: Path, name: str, script: str) -> None:
    """Puts a command into a folder that stands for PATH."""
    command = folder / name
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)


def find_python(folder: Path, *wanted: str) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(FIND_PYTHON), *wanted]
    return subprocess.run(command, env={"PATH": str(folder)}, capture_output=True, text=True, check=False)


def test_a_shim_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "python3", "exit 127")
    put(tmp_path, "python", f'exec {sys.executable} "$@"')
    assert find_python(tmp_path).stdout.strip() == sys.executable


def test_a_version_is_found_by_its_own_name(tmp_path: Path) -> None:
    put(tmp_path, f"python{VERSION}", f'exec {sys.executable} "$@"')
    assert find_python(tmp_path, VERSION).stdout.strip() == sys.executable


def test_a_version_that_only_its_manager_knows_is_found(tmp_path: Path) -> None:
    home = tmp_path / "versions" / f"{VERSION}.99" / "bin"
    home.mkdir(parents=True)
    put(home, "python", f'exec {sys.executable} "$@"')
    put(tmp_path, "pyenv", f"echo {tmp_path}")
    assert find_python(tmp_path, VERSION).stdout.strip() == sys.executable


def test_a_command_may_be_named(tmp_path: Path) -> None:
    assert find_python(tmp_path, sys.executable).stdout.strip() == sys.executable


@pytest.mark.parametrize("wanted", ["9.9", "no-such-python"])
def test_an_interpreter_that_is_not_there_is_named_in_the_error(tmp_path: Path, wanted: str) -> None:
    put(tmp_path, "python3", f'exec {sys.executable} "$@"')
    put(tmp_path, "python9.9", f'exec {sys.executable} "$@"')
    run = find_python(tmp_path, wanted)
    assert run.returncode == 1
    assert run.stdout == ""
    assert wanted in run.stderr


def test_a_machine_without_uv_gets_the_one_version_of_it(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    for name in ("setup", "find-python", "tools.txt"):
        shutil.copy(CI / name, tmp_path / ".ci")
    # An interpreter that makes environments of itself, and whose pip only notes what it was to install.
    python = tmp_path / "python3"
    put(
        tmp_path,
        python.name,
        f'case "$2" in venv) mkdir -p "$3/bin" && ln -s {python} "$3/bin/python";; '
        f'pip) echo "$*" >> {tmp_path}/asked; exit 1;; *) cat > {tmp_path}/script; echo {python};; esac',
    )
    for name in ("dirname", "rm", "grep", "mkdir", "ln", "cat"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    command = ["/bin/sh", str(tmp_path / ".ci" / "setup"), ".venv", str(python)]
    subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, check=False)
    pinned = next(line for line in (CI / "tools.txt").read_text().splitlines() if line.startswith("uv=="))
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split()[-1] for line in asked] == [pinned] * 2, "in an environment, and then without one"
