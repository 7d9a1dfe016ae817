"""The page of a recorded call in a real browser: it loads nothing, plays, and serves a keyboard and a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from livekit.plugins.cartesia_turns.recording.view import page_of
from playwright.async_api import Page
from room.browser import opened_file, until_true
from support.lossy_link import Fault, SimulatedCall
from support.recordings import Tape
from support.simulated_server import Speech

pytestmark = pytest.mark.room


@pytest_asyncio.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    tape = Tape()
    SimulatedCall(Speech((50, 18, 90), (15, 15, 15), tail=200), faults=[Fault(1.3)], make_client=tape.client).run()
    (tmp_path / "view.html").write_text(page_of(tape.recording()), encoding="utf-8")
    async with opened_file(tmp_path / "view.html") as page:
        yield page


async def test_the_audio_is_as_long_as_the_call_and_nothing_is_wider_than_a_phone(page: Page) -> None:
    await until_true(page, "document.querySelector('audio').duration > 7")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_keys_go_from_turn_to_turn_and_play(page: Page) -> None:
    await until_true(page, "document.querySelector('audio').readyState >= 1")
    await page.keyboard.press("j")
    await until_true(page, "document.querySelectorAll('.turns [aria-current]').length === 1")
    first = await page.evaluate("document.querySelector('audio').currentTime")
    await page.keyboard.press("j")
    await until_true(page, f"document.querySelector('audio').currentTime > {first}")
    await page.keyboard.press("k")
    await until_true(page, f"Math.abs(document.querySelector('audio').currentTime - {first}) < 0.01")
    await page.keyboard.press(" ")
    await until_true(page, "!document.querySelector('audio').paused")


async def test_a_turn_plays_to_its_end_by_its_button(page: Page) -> None:
    await until_true(page, "document.querySelector('audio').readyState >= 1")
    await page.get_by_role("button", name="Play turn 2").click()
    until = await page.evaluate("Number(document.querySelectorAll('[data-to]')[1].dataset.to)")
    await until_true(
        page, f"document.querySelector('audio').paused && document.querySelector('audio').currentTime >= {until}"
    )


async def test_a_click_on_the_picture_moves_the_player_there(page: Page) -> None:
    await until_true(page, "document.querySelector('audio').readyState >= 1")
    await page.locator("#call").click(position={"x": 210, "y": 80})
    await until_true(page, "Math.abs(document.querySelector('audio').currentTime - 2) < 0.05")
