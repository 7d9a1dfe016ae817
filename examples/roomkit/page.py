"""Builds the page of `examples/web` where it is older than its sources."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .errors import RoomError, last_line

WEB = Path(__file__).parent.parent / "web"
BUILT = WEB / "dist"
SOURCES = ("index.html", "package.json", "package-lock.json", "vite.config.ts", "tsconfig.json")


def newest(paths: list[Path]) -> float:
    """When the newest of the files was changed, in seconds since the epoch."""
    return max((path.stat().st_mtime for path in paths if path.is_file()), default=0.0)


def is_stale() -> bool:
    """Whether the page was never built, or a source changed since."""
    index = BUILT / "index.html"
    sources = [WEB / name for name in SOURCES] + list((WEB / "src").rglob("*"))
    return not index.is_file() or index.stat().st_mtime < newest(sources)


def ensure_page() -> Path:
    """The folder with the built page, built first where it is stale.

    Raises:
        RoomError: npm is missing or failed.
    """
    if not is_stale():
        return BUILT
    npm = shutil.which("npm")
    if npm is None:
        raise RoomError("the page has to be built and npm is missing: install Node.js 20 or newer")
    install(npm)
    run(npm, "run", "build")
    return BUILT


def install(npm: str) -> None:
    """Install the page's packages where they are missing or older than the lock file.

    Raises:
        RoomError: npm failed.
    """
    installed = WEB / "node_modules" / ".package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < (WEB / "package-lock.json").stat().st_mtime:
        run(npm, "ci")


def run(npm: str, *arguments: str) -> None:
    """Run npm in the page's folder, quietly.

    Raises:
        RoomError: It failed.
    """
    environment = {**os.environ, "NO_UPDATE_NOTIFIER": "1"}
    done = subprocess.run([npm, *arguments], cwd=WEB, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
    if done.returncode != 0:
        raise RoomError(f"npm {' '.join(arguments)} failed in examples/web: {last_line(done.stderr or done.stdout)}")
