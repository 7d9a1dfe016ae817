"""Tools that a machine lacks and PyPI has: uv runs them from its cache, and installs nothing."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from .errors import RoomError

ROOT = Path(__file__).parents[2]
OWN_UV = ROOT / ".tools" / "uv" / "bin"
"""Where this repository's set-up puts uv when a machine has none."""
VERSIONS = ROOT / ".ci" / "tools.txt"
"""The one place that says which version of each tool is used."""


def pinned(package: str) -> str:
    """The package at its one version, as pip and uv take it.

    Raises:
        RoomError: `VERSIONS` does not name it.
    """
    found = re.search(rf"^{re.escape(package)}==\S+$", VERSIONS.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise RoomError(f".ci/{VERSIONS.name} says no version of {package}")
    return found[0]


def tool(package: str, command: str) -> list[str] | None:
    """The command line with which uv runs a command of a package; None where there is no uv.

    Args:
        package: One that `VERSIONS` names.
        command: One that the package brings.
    """
    uv = shutil.which("uv") or shutil.which("uv", path=OWN_UV)
    if uv is None:
        return None
    # With the Python that is here: uv would otherwise look for one on PATH, or bring one too.
    return [uv, "tool", "run", "--quiet", "--python", sys.executable, "--from", pinned(package), command]
