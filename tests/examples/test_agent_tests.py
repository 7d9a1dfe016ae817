"""examples/test_agent.py as a user runs it: in a process of its own, where pytest loads the plugin by itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The examples without this project's settings of pytest."""
    for path in EXAMPLES.glob("*.py"):
        shutil.copy(path, tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments, "test_agent.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=110).stdout


@pytest.mark.slow
def test_the_tests_of_the_example_agent_pass(copied: Path) -> None:
    said = run(copied)
    assert re.search(r"^13 passed in", said, re.MULTILINE), said


@pytest.mark.slow
def test_they_fail_where_the_agent_no_longer_waits_within_a_number(copied: Path) -> None:
    source = (copied / "agent.py").read_text()
    (copied / "agent.py").write_text(
        source.replace('self._ears.turn_profile("digits")', 'self._ears.turn_profile("yes_no")')
    )
    said = run(copied, "-k", "number")
    assert "1 failed" in said, said
    assert 'were "please call me", "five five five", "one two"' in said
