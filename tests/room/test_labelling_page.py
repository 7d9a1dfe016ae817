"""A person corrects where turns ended on the page of a call, with a keyboard or a pointer, and saves that as a file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from livekit.plugins.cartesia_turns.recording import load, page_of
from livekit.plugins.cartesia_turns.recording.label_command import main
from livekit.plugins.cartesia_turns.recording.labels import Labels, load_labels, propose
from playwright.async_api import Page
from room.browser import opened_file, until_true
from support.pausing import caller
from support.recordings import written

pytestmark = pytest.mark.room


@pytest.fixture
def call(tmp_path: Path) -> Path:
    spoken = caller(("sense-0880.wav", 0.7), ("sense-0930.wav", 0.9))
    return written(tmp_path / "calls" / "one", spoken.pcm, spoken.turns)


@pytest_asyncio.fixture
async def page(call: Path) -> AsyncIterator[Page]:
    recording = load(call)
    (call / "view.html").write_text(page_of(recording, propose(recording)), encoding="utf-8")
    async with opened_file(call / "view.html") as page:
        yield page


async def saved(page: Page, call: Path) -> Labels:
    """What the tool reads after a press on the button, and the browser's download."""
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Save the labels").click()
    download = await downloading.value
    file = call.parent.parent / download.suggested_filename
    await download.save_as(file)
    assert json.loads(file.read_text())["by"] == "person"
    assert main([str(call.parent), "--take", str(file)]) == 0
    labels = load_labels(call)
    assert labels is not None
    return labels


async def test_what_is_saved_unchanged_is_the_proposal_confirmed(page: Page, call: Path) -> None:
    labels = await saved(page, call)
    assert labels.stretches == propose(load(call)).stretches
    assert labels.by == "person"
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_the_keyboard_alone_ends_a_turn_moves_its_end_and_takes_it_back(page: Page, call: Path) -> None:
    before = propose(load(call)).stretches
    box = page.get_by_role("checkbox", name="The turn ended after stretch 1")
    await box.focus()
    await page.keyboard.press("Space")
    assert await box.is_checked()
    await until_true(page, "document.activeElement.type === 'checkbox'")
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Tab")
    assert "Stretch 1 moved" in await page.get_by_role("status").inner_text()
    after = (await saved(page, call)).stretches
    assert after[0].ends_turn
    assert 0 < after[0].end - before[0].end <= 0.06
    await page.get_by_role("button", name="Undo").press("Enter")
    await page.get_by_role("button", name="Undo").press("Enter")
    assert (await saved(page, call)).stretches == before


async def test_a_stretch_is_split_at_the_player_and_removed(page: Page, call: Path) -> None:
    before = propose(load(call)).stretches
    await until_true(page, "document.querySelector('audio').readyState >= 1")
    middle = (before[0].start + before[0].end) / 2
    await page.evaluate(f"document.querySelector('audio').currentTime = {middle}")
    await page.get_by_role("button", name="Add or split").click()
    await page.get_by_role("button", name="Remove stretch 4").click()
    after = (await saved(page, call)).stretches
    assert len(after) == len(before)
    assert after[0].ends_turn
    assert after[0].end == after[1].start == pytest.approx(middle, abs=0.02)
    assert after[1].end == before[0].end


async def handle_of(page: Page) -> tuple[float, float]:
    """Where the handle of the first stretch is."""
    box = await page.locator("#label-marks .handle").first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def test_a_click_on_a_handle_leaves_it_where_it_is_when_the_pointer_moves_on(page: Page, call: Path) -> None:
    x, y = await handle_of(page)
    await page.mouse.click(x, y)
    await page.mouse.move(x + 4, y, steps=4)
    assert await handle_of(page) == (x, y)
    await page.mouse.down()
    await page.mouse.move(x + 12, y, steps=4)
    await page.mouse.up()
    await page.get_by_role("button", name="Undo").click()
    assert (await saved(page, call)).stretches == propose(load(call)).stretches


async def test_a_pointer_drags_the_end_of_a_stretch_in_the_picture(page: Page, call: Path) -> None:
    before = propose(load(call)).stretches
    x, y = await handle_of(page)
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + 12, y, steps=4)
    await page.mouse.up()
    after = (await saved(page, call)).stretches
    assert after[0].end == pytest.approx(before[0].end + 0.2, abs=0.02)
    assert after[1:] == before[1:]


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("End of stretch 1", "5", "stretch 2 begins before stretch 1 ends"),
        ("End of stretch 4", "99", "stretch 4 ends after the call"),
        ("Beginning of stretch 1", "-1", "stretch 1 begins before the call"),
        ("Beginning of stretch 4", "99", "stretch 4 ends before it begins"),
    ],
)
async def test_labels_that_can_not_be_are_not_saved_and_why_is_said(
    field: str, value: str, why: str, page: Page
) -> None:
    await page.get_by_role("spinbutton", name=field).fill(value)
    await page.keyboard.press("Tab")
    await page.get_by_role("button", name="Save the labels").click()
    assert f"Not saved: {why}." in await page.get_by_role("status").inner_text()
