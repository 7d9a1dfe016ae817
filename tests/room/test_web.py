"""The page as it is built: its own unit tests, and what comes with it."""

from __future__ import annotations

import subprocess

import aiohttp
import pytest
from room.stage import Talk
from roomkit.page import WEB, find_npm, install

pytestmark = [pytest.mark.room, pytest.mark.timeout(300)]


def test_the_pages_unit_tests_pass() -> None:
    npm = find_npm()
    assert npm is not None
    install(npm)
    done = subprocess.run([*npm, "test"], cwd=WEB, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


async def test_the_page_comes_with_the_licences_of_its_fonts_and_its_client(talk: Talk) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{talk.address}/assets/licences.md") as answer:
        assert answer.status == 200
        text = await answer.text()
    assert "SIL OPEN FONT LICENSE" in text
    assert "livekit-client" in text
    assert "Apache License" in text
