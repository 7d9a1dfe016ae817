"""How the page looks in a real browser, in each of its states, without a room."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import FloatRect, Page, expect
from room.browser import opened, record, until_true
from room.guest import pcm
from room.stage import ARTIFACTS, wait_for_port
from roomkit.livekit_server import free_port
from roomkit.page import WEB, find_npm, install
from roomkit.processes import kill_group
from support.speech import AUDIO, silence

pytestmark = [pytest.mark.room, pytest.mark.timeout(240)]

CLIP = AUDIO / "sense-0870.wav"

LEAD_IN_S = 12.0
"""Silence before the speech: the agent needs a while to join, and the fake microphone does not wait."""

SAY_LINES = """async (count) => {
    const { View } = await import("/src/view.ts");
    window.view ??= new View();
    const line = (_, turn) => ({ id: `line ${turn}`, who: "you", text: `Line ${turn}`, final: true, turn });
    const lines = Array.from({ length: count }, line);
    view.showLog({ lines }, () => ({ end: 500, lead: null, reply: 800, stop: null }));
}"""
"""Shows a conversation of so many lines, of which those shown before stay."""

READY = "document.body.dataset.turn"
"""The gallery has put the page together and shows a state."""

SIZES = [(1280, 900), (390, 844)]

SHORT, LONG = "Yes.", "So I wondered whether you could perhaps tell me something about it. " * 8

SAY = """async (text) => {
    const { View } = await import("/src/view.ts");
    window.view ??= new View();
    window.said = [...(window.said ?? []), { id: `${window.said?.length}`, who: "you", text, final: true, turn: 1 }];
    view.showLog({ lines: said }, () => ({ end: 500, lead: 200, reply: 800, stop: 300 }));
    view.showCaptions({ lines: said }, "");
}"""
"""Says one thing more, as the page shows it when it is final."""

TELL_STATES = """async (states) => {
    const { View } = await import("/src/view.ts");
    const view = new View();
    return states.map((state) => {
        view.showTurnState(state);
        return document.getElementById("turn-news").textContent;
    });
}"""
"""What a screen reader is told as a turn goes through these states, one after another."""

COLOURED = """() => {
    const canvas = document.getElementById("timeline");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
        const [red, green, blue, alpha] = data.slice(at, at + 4);
        count += alpha > 0 && Math.max(red, green, blue) - Math.min(red, green, blue) > 40;
    }
    return count;
}"""
"""How many pixels of the timeline have a speaker's colour."""

LEFTMOST = """() => {
    const canvas = document.getElementById("timeline");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let leftmost = canvas.width;
    for (let at = 3; at < data.length; at += 4)
        if (data[at] > 0) leftmost = Math.min(leftmost, ((at - 3) / 4) % canvas.width);
    return leftmost / devicePixelRatio;
}"""
"""Where the leftmost pixel of the timeline is, from its left edge."""

COLOUR = """(element, name) => {
    const pen = new OffscreenCanvas(1, 1).getContext("2d");
    pen.fillStyle = getComputedStyle(element)[name];
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
}"""
"""An element's colour of this name, as red, green and blue."""

BELOW = "log => log.scrollHeight - log.clientHeight - log.scrollTop"
"""How many pixels of the log lie below what is seen of it."""


@pytest.fixture(scope="module")
def gallery() -> Iterator[str]:
    """The page in each of its states without a room, as `npm run dev` serves it."""
    npm = find_npm()
    assert npm is not None
    install(npm)
    port = free_port()
    command = [*npm, "run", "dev", "--", "--port", str(port), "--strictPort"]
    with subprocess.Popen(command, cwd=WEB, stdout=subprocess.DEVNULL, start_new_session=True) as server:
        try:
            wait_for_port(port)
            yield f"http://127.0.0.1:{port}/gallery.html"
        finally:
            kill_group(server.pid)


@pytest_asyncio.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A browser that says one sentence."""
    async with opened(record(tmp_path / "microphone.wav", silence(LEAD_IN_S) + pcm(CLIP))) as browser:
        yield browser


@pytest.mark.parametrize("width", [320, 360])
async def test_the_controls_fit_a_phones_browser(gallery: str, page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 640})
    await page.goto(f"{gallery}?state=silent")
    await until_true(page, READY)
    await expect(page.get_by_role("button", name="Turn on sound")).to_be_visible()
    await page.screenshot(path=ARTIFACTS / f"room-page-{width}.png")
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    buttons = [await box(page, f"#{name}") for name in ("mute", "sound", "leave")]
    assert all(button["x"] >= 0 and button["x"] + button["width"] <= width for button in buttons)
    level = await box(page, ".level")
    assert level["width"] > width / 2
    assert level["y"] + level["height"] <= min(button["y"] for button in buttons)


async def box(page: Page, selector: str) -> FloatRect:
    """Where an element stands on the page."""
    found = await page.locator(selector).bounding_box()
    assert found is not None
    return found


def luminance(colour: list[int]) -> float:
    """The relative luminance of an sRGB colour, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    """The contrast of two luminances."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


async def test_the_log_follows_the_newest_row_in_a_browser_until_the_reader_scrolls_up(
    gallery: str, page: Page
) -> None:
    await page.goto(f"{gallery}?state=listening")
    await until_true(page, READY)
    log = page.get_by_role("log")
    await expect(log).to_be_visible()
    await page.evaluate(SAY_LINES, 30)
    assert await log.evaluate(BELOW) <= 1
    await page.evaluate(SAY_LINES, 40)
    assert await log.evaluate(BELOW) <= 1
    await log.evaluate("log => { log.scrollTop = 100; }")
    await page.evaluate(SAY_LINES, 50)
    assert await log.evaluate("log => log.scrollTop") == 100
    await log.evaluate("log => { log.scrollTop = log.scrollHeight; }")
    await page.evaluate(SAY_LINES, 60)
    assert await log.evaluate(BELOW) <= 1


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("state", ["reply", "unplugged"])
async def test_the_newest_line_stands_above_the_footer_in_a_browser_however_much_was_said(
    gallery: str, page: Page, size: tuple[int, int], state: str
) -> None:
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    await page.goto(f"{gallery}?state={state}")
    await until_true(page, READY)
    await expect(page.get_by_role("log")).to_be_visible()
    await page.evaluate("document.fonts.ready")
    newest = page.get_by_role("log").get_by_role("listitem").last
    for said in (SHORT, LONG):
        await page.evaluate(SAY, said)
        await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        row, log, footer = await newest.bounding_box(), await box(page, "#log"), await box(page, "#controls")
        assert row is not None
        seen = min(row["y"] + row["height"], log["y"] + log["height"], footer["y"]) - max(row["y"], log["y"])
        assert seen >= min(row["height"], 40), f"{seen} px of {row['height']} are seen"
        assert row["y"] + row["height"] <= footer["y"] + 1
        assert footer["y"] + footer["height"] == pytest.approx(size[1], abs=1)
    await page.screenshot(path=ARTIFACTS / f"room-page-{state}-{size[0]}.png")


async def test_a_browser_whose_microphone_was_denied_is_where_it_was_before(gallery: str, page: Page) -> None:
    await page.goto(f"{gallery}?state=denied")
    await until_true(page, READY)
    await expect(page.get_by_role("alert")).to_contain_text("Allow it beside the address bar")
    await expect(page.get_by_role("status")).to_have_text("Not connected")
    await expect(page.get_by_text("An example")).to_be_visible()
    drawn = await page.evaluate(COLOURED)
    assert drawn > 1000, "the example is drawn"
    await page.goto(f"{gallery}?state=joining")
    await until_true(page, READY)
    assert await page.evaluate(COLOURED) < drawn / 10, "an empty timeline is told from it"


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_nothing_is_drawn_over_the_lanes_names_in_a_browser(
    gallery: str, page: Page, size: tuple[int, int]
) -> None:
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    await page.goto(f"{gallery}?state=reply")
    await until_true(page, READY)
    names = [await box(page, f".lanes .{who}") for who in ("you", "agent")]
    canvas = await box(page, "#timeline")
    ends_at = max(name["x"] + name["width"] for name in names) - canvas["x"]
    await until_true(page, f"({COLOURED})() > 0")
    assert await page.evaluate(LEFTMOST) >= ends_at


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_controls_edges_can_be_told_from_what_is_around_them_in_a_browser(
    gallery: str, page: Page, scheme: Literal["light", "dark"]
) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.goto(f"{gallery}?state=listening")
    await until_true(page, READY)
    for control in ("#leave", ".level"):
        edge, inside, outside = [
            luminance(await page.locator(element).evaluate(COLOUR, name))
            for element, name in (
                (control, "borderTopColor"),
                (control, "backgroundColor"),
                ("body", "backgroundColor"),
            )
        ]
        assert contrast(edge, inside) >= 3
        assert contrast(edge, outside) >= 3
    bar = luminance(await page.locator("#level").evaluate(COLOUR, "backgroundColor"))
    assert contrast(bar, inside) >= 3


async def test_the_meter_stands_still_in_a_browser_that_asks_for_less_motion(gallery: str, page: Page) -> None:
    await page.goto(f"{gallery}?state=listening")
    await until_true(page, READY)
    levels = "([level, heard]) => import('/src/view.ts').then(({ View }) => new View().showLevel(level, heard))"
    shown = []
    for reading in ([0.02, True], [0.08, True], [0.0, True], [0.0, False]):
        await page.evaluate(levels, reading)
        shown.append(await page.locator("#level").evaluate("bar => bar.style.transform"))
    assert shown == ["scaleX(1)", "scaleX(1)", "scaleX(1)", "scaleX(0)"]
    await page.emulate_media(reduced_motion="no-preference")
    await page.evaluate(levels, [0.08, True])
    assert await page.locator("#level").evaluate("bar => bar.style.transform") == "scaleX(0.48)"


async def test_a_browser_tells_a_screen_reader_of_each_step_of_a_turn(gallery: str, page: Page) -> None:
    await page.goto(f"{gallery}?state=listening")
    await until_true(page, READY)
    await expect(page.locator("#turn-news")).to_have_attribute("aria-live", "polite")
    told = await page.evaluate(TELL_STATES, ["speaking", "maybe", "speaking", "maybe", "done", "listening"])
    begun, perhaps, over = "Your turn has begun.", "Your turn may be over.", "Your turn is over."
    assert told == [begun, perhaps, "Your turn goes on.", perhaps, over, ""]


@pytest.mark.parametrize("state", ["muted", "listening"])
async def test_no_state_of_a_turn_is_lit_in_a_browser_while_nobody_speaks(gallery: str, page: Page, state: str) -> None:
    await page.goto(f"{gallery}?state={state}")
    await until_true(page, "document.body.dataset.turn === 'listening'")
    await expect(page.locator("#states li")).to_have_text(["Speaking", "Maybe done", "Done"])
    await expect(page.locator("#states [aria-current]")).to_have_count(0)


@pytest.mark.parametrize("state", ["before", "reply", "unplugged", "failed", "denied"])
async def test_axe_finds_nothing_to_say_about_the_page_in_a_browser(gallery: str, page: Page, state: str) -> None:
    await page.goto(f"{gallery}?state={state}")
    await until_true(page, READY)
    rows = page.get_by_role("log").get_by_role("listitem")
    assert (await rows.count() > 0) == (state not in {"before", "denied"})
    await page.add_script_tag(path=WEB / "node_modules" / "axe-core" / "axe.min.js")
    found = await page.evaluate(
        "axe.run().then(({ violations }) => violations.map((one) => [one.id, one.nodes[0].html]))"
    )
    assert found == []
