"""The page in a real browser: joined, heard, captioned, answered."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect
from room.browser import DENIABLE_MICROPHONE, METERS, VOICE, opened, record, until_true
from room.guest import AGENT, Guest, pcm
from room.stage import ARTIFACTS, Talk, error_rate
from support.speech import AUDIO, silence
from support.wer import word_error_rate

pytestmark = [pytest.mark.room, pytest.mark.timeout(240)]

CLIP = AUDIO / "sense-0870.wav"

LEAD_IN_S = 12.0
"""Silence before the speech: the agent needs a while to join, and the fake microphone does not wait."""

CONVERSATION = ("Hi. What can you do?", "Tell me a joke, please.", "Sorry, what time is it?")

LOUDEST = """async () => {
    const context = new AudioContext();
    await context.resume();
    const stream = document.querySelector("audio").srcObject;
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let loudest = 0;
    for (const end = performance.now() + 4000; performance.now() < end; ) {
        analyser.getFloatTimeDomainData(samples);
        loudest = Math.max(loudest, ...samples.map(Math.abs));
        await new Promise((done) => setTimeout(done, 20));
    }
    await context.close();
    return loudest;
}"""
"""The loudest sample the page receives from the agent within 4 s, 0 to 1, measured by Web Audio."""

BLOCKABLE_SOUND = """{
    const play = HTMLMediaElement.prototype.play;
    HTMLMediaElement.prototype.play = function () {
        return window.blocked ? Promise.reject(new DOMException("No gesture yet", "NotAllowedError")) : play.call(this);
    };
}"""
"""Lets a test forbid sound (`blocked = true`), as a browser does before the visitor's first click."""

UNPLUG = "window.lost = microphone.id; microphone.stop(); microphone.dispatchEvent(new Event('ended'))"
"""What a browser does when the microphone is unplugged."""

MEASURES_THE_NEW_ONE = "metered().includes(microphone.id) && !metered().includes(lost)"

CLICK_MUTE_TWICE = """() => {
    window.labels = [];
    new MutationObserver(() => labels.push(mute.textContent)).observe(mute, { childList: true });
    mute.click();
    mute.click();
}"""
"""Keeps what the button says in turn (`labels`)."""


def spoken(text: str) -> str:
    """A visitor's voice, from the program that is the agent's too: a WAV file in Base64."""
    espeak = shutil.which("espeak-ng")
    assert espeak is not None
    command = [espeak, "-v", "en-us", "-s", "150", "--stdout", text]
    wav = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return b64encode(wav).decode()


@pytest_asyncio.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A browser that says one sentence."""
    async with opened(record(tmp_path / "microphone.wav", silence(LEAD_IN_S) + pcm(CLIP))) as browser:
        yield browser


async def test_a_browser_joins_sees_its_words_and_hears_the_reply(
    talk: Talk, page: Page, note: Callable[[str, float], None]
) -> None:
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
    await page.goto(talk.address)
    await page.get_by_role("button", name="Start talking").click()
    await expect(page.get_by_role("status")).to_have_text("Connected", timeout=60_000)
    await expect(page.get_by_role("button", name="Mute")).to_be_focused()
    await expect(page.locator("[data-state=speaking]")).to_have_attribute("aria-current", "step", timeout=30_000)
    await expect(page.locator("#caption .word").first).to_be_visible(timeout=20_000)
    lines = page.get_by_role("log").get_by_role("listitem")
    await expect(lines.first).to_be_visible(timeout=40_000)
    loudest = await page.evaluate(LOUDEST)
    note("browser_loudest_sample", loudest)
    assert loudest > 0.02
    await expect(lines.nth(1)).to_contain_text("You said", timeout=20_000)
    said = await lines.first.locator(".text").inner_text()
    assert error_rate(CLIP, said) <= 0.15
    await expect(lines.first.locator(".figures")).to_contain_text("reply heard after")
    assert refused == [], "the page does nothing that its own policy forbids"


async def test_a_browser_shows_a_conversation_in_which_the_agent_is_interrupted(talk: Talk, tmp_path: Path) -> None:
    greets, asks, interrupts = (spoken(text) for text in CONVERSATION)
    async with opened(record(tmp_path / "microphone.wav", b"")) as page:
        await page.add_init_script(VOICE)
        await page.goto(talk.address)
        await page.get_by_role("button", name="Start talking").click()
        await expect(page.get_by_role("status")).to_have_text("Connected", timeout=60_000)
        await expect(page.locator("#reply")).to_have_attribute("data-waiting", "", timeout=30_000)  # the agent is ready
        lines = page.get_by_role("log").get_by_role("listitem")
        await page.evaluate("clip => say(clip)", greets)
        await expect(lines).to_have_count(2, timeout=30_000)
        await page.evaluate("clip => say(clip)", asks)
        await expect(lines.nth(2)).to_contain_text("reply heard after", timeout=30_000)
        await page.evaluate("clip => say(clip)", interrupts)
        await expect(lines).to_have_count(6, timeout=30_000)
        await expect(page.get_by_text("reply heard after")).to_have_count(3)
        await expect(lines.nth(4)).to_contain_text("agent stopped after")
        await page.set_viewport_size({"width": 1280, "height": 1240})  # all rows, as in the README's picture
        await page.screenshot(path=ARTIFACTS / "room-page.png")
        assert await lines.locator(".who").all_inner_texts() == ["You", "Agent"] * 3
        said = await lines.locator(".text").all_inner_texts()
    assert word_error_rate(list(CONVERSATION), said[::2]) <= 0.2
    assert said[5].startswith("It is ")


async def test_a_browser_can_mute_leave_and_join_again_by_keyboard(talk: Talk, page: Page) -> None:
    await page.goto(talk.address)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Connected", timeout=30_000)
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Unmute", exact=True)).to_be_focused()
    await expect(page.locator("[aria-pressed]")).to_have_count(0)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("You left the room")
    await expect(page.locator("#join")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Connected", timeout=30_000)


async def agents_in(room: str, talk: Talk) -> list[str]:
    """LiveKit's ids of the agents' stays in a room, as another visitor sees them."""
    async with Guest(talk.address, room=room, pushes_to_talk=True) as guest:
        await guest.agent_is_here()
        return [other.sid for other in guest.room.remote_participants.values() if other.kind == AGENT]


async def test_a_browser_comes_back_to_its_room_and_the_agent_in_it(talk: Talk, page: Page) -> None:
    grants: list[dict[str, str]] = []

    async def keep_grant(route: Route) -> None:
        answer = await route.fetch()
        grants.append(await answer.json())
        await route.fulfill(response=answer)

    await page.route("**/api/token", keep_grant)
    await page.goto(talk.address)
    await page.get_by_role("button", name="Start talking").click()
    await expect(page.get_by_role("status")).to_have_text("Connected", timeout=60_000)
    room = grants[0]["room"]
    await expect(page).to_have_url(f"{talk.address}/?room={room}")
    agents = await agents_in(room, talk)
    assert len(agents) == 1
    await page.get_by_role("button", name="Leave").click()
    await page.locator("#join").click()
    await expect(page.get_by_role("status")).to_have_text("Connected", timeout=30_000)
    assert await agents_in(room, talk) == agents
    await page.reload()
    await page.locator("#join").click()
    await expect(page.get_by_role("status")).to_have_text("Connected", timeout=30_000)
    assert await agents_in(room, talk) == agents
    assert [grant["room"] for grant in grants] == [room] * 3


async def test_the_focus_stays_in_a_browser_whose_microphone_is_denied(talk: Talk, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    await page.add_init_script(DENIABLE_MICROPHONE)
    await page.goto(talk.address)
    await page.evaluate("denied = true")
    join = page.locator("#join")
    await join.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(join).to_be_focused()
    await expect(page.get_by_role("alert")).to_contain_text("Allow it beside the address bar")
    await expect(join).to_be_focused()
    assert asked.count("/api/token") == 1
    await page.evaluate("denied = false")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Connected", timeout=30_000)
    await expect(page.get_by_role("alert")).to_be_hidden()


async def test_the_browser_tells_of_a_microphone_that_cannot_be_unmuted_until_it_can(talk: Talk, page: Page) -> None:
    await page.add_init_script(DENIABLE_MICROPHONE)
    await page.goto(talk.address)
    await page.get_by_role("button", name="Start talking").click()
    await expect(page.get_by_role("status")).to_contain_text("Connected", timeout=30_000)
    await page.get_by_role("button", name="Mute", exact=True).click()
    unmute = page.get_by_role("button", name="Unmute", exact=True)
    await expect(unmute).to_be_visible()
    await page.evaluate("denied = true; microphone.stop()")
    await unmute.click()
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("The microphone could not be turned on: the browser is not allowed to use it.")
    await expect(page.get_by_role("status")).to_have_text("Connected", timeout=30_000)
    await expect(alert).to_be_visible()
    await page.evaluate("denied = false")
    await unmute.click()
    await expect(page.get_by_role("button", name="Mute", exact=True)).to_be_visible()
    await expect(alert).to_be_hidden()


async def test_the_browser_tells_of_a_microphone_that_is_lost_and_follows_the_one_that_is_found(
    talk: Talk, page: Page
) -> None:
    await page.add_init_script(DENIABLE_MICROPHONE)
    await page.add_init_script(METERS)
    await page.goto(talk.address)
    await page.get_by_role("button", name="Start talking").click()
    await expect(page.get_by_role("status")).to_contain_text("Connected", timeout=30_000)
    await page.evaluate(UNPLUG)  # with another one there, LiveKit takes that
    await until_true(page, MEASURES_THE_NEW_ONE)
    await page.evaluate(f"denied = true; {UNPLUG}")
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("Your microphone has stopped")
    unmute = page.get_by_role("button", name="Unmute", exact=True)
    await page.evaluate("denied = false")
    await unmute.click()
    await expect(page.get_by_role("button", name="Mute", exact=True)).to_be_visible()
    await expect(alert).to_be_hidden()
    await until_true(page, MEASURES_THE_NEW_ONE)
    await page.get_by_role("button", name="Mute", exact=True).click()
    await expect(unmute).to_be_visible()
    await expect(alert).to_be_hidden()


async def test_a_browser_is_not_muted_after_a_double_click_on_mute(talk: Talk, page: Page) -> None:
    await page.add_init_script(DENIABLE_MICROPHONE)
    await page.goto(talk.address)
    await page.get_by_role("button", name="Start talking").click()
    await expect(page.get_by_role("status")).to_contain_text("Connected", timeout=30_000)
    await page.evaluate(CLICK_MUTE_TWICE)
    await until_true(page, "labels.length >= 2", timeout=5_000)
    assert await page.evaluate("microphone.enabled")
    # The clicks are heeded one after the other: what this one does comes after all that the first two did.
    await page.evaluate("mute.click()")
    await until_true(page, "labels.length >= 3 && !microphone.enabled", timeout=5_000)
    assert await page.evaluate("labels") == ["Unmute", "Mute", "Unmute"]
    await expect(page.get_by_role("alert")).to_be_hidden()


async def test_a_browser_that_left_hears_and_measures_nothing_more(talk: Talk, page: Page) -> None:
    await page.add_init_script(METERS)
    await page.goto(talk.address)
    await page.get_by_role("button", name="Start talking").click()
    await expect(page.locator("audio")).to_have_count(1, timeout=60_000)
    await until_true(page, "metered().length >= 2", timeout=5_000)
    await page.get_by_role("button", name="Leave").click()
    await expect(page.locator("audio")).to_have_count(0)
    await until_true(page, "metered().length === 0")


async def test_a_browser_that_blocks_sound_offers_it_once_a_visit(talk: Talk, page: Page) -> None:
    await page.add_init_script(BLOCKABLE_SOUND)
    await page.goto(talk.address)
    await page.evaluate("blocked = true")
    join, mute = page.locator("#join"), page.get_by_role("button", name="Mute", exact=True)
    sound = page.get_by_role("button", name="Turn on sound")
    await join.click()
    await expect(sound).to_be_visible(timeout=60_000)
    await expect(page.get_by_role("alert")).to_contain_text("does not play the agent's voice yet")
    await page.get_by_role("button", name="Leave").click()
    await expect(page.locator("#sound")).to_have_attribute("hidden", "")
    await join.click()
    await expect(sound).to_be_visible(timeout=60_000)
    await sound.click()
    await expect(page.get_by_role("alert")).to_contain_text("The sound could not be turned on")
    await page.evaluate("blocked = false")
    await sound.press("Enter")
    await expect(sound).to_be_hidden()
    await expect(page.get_by_role("alert")).to_be_hidden()
    await expect(mute).to_be_focused()


async def test_the_browser_says_in_words_what_is_wrong(talk: Talk, page: Page) -> None:
    await page.route("**/api/token", lambda route: route.abort())
    await page.goto(talk.address)
    await page.get_by_role("button", name="Start talking").click()
    await expect(page.get_by_role("alert")).to_contain_text("token endpoint does not answer")
    await expect(page.get_by_role("status")).to_have_text("Not connected")
    await page.unroute("**/api/token")
    await page.goto(f"{talk.address}/?room=no%20such%20name")
    await page.get_by_role("button", name="Start talking").click()
    await expect(page.get_by_role("alert")).to_contain_text("a room's name is 1 to 64 letters")
