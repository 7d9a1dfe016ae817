"""The page's own unit tests, run by its own tools."""

from __future__ import annotations

import subprocess

import pytest
from roomkit.page import WEB, find_npm, install


@pytest.mark.room
@pytest.mark.timeout(300)
def test_the_pages_unit_tests_pass() -> None:
    npm = find_npm()
    assert npm is not None
    install(npm)
    done = subprocess.run([*npm, "test"], cwd=WEB, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
