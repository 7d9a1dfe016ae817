"""The page in a real browser and a real room, with agents that the test plays itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from room.browser import METERS, STATES, opened, record
from room.lobby import Lobby, Understudy, lobby

pytestmark = [pytest.mark.room, pytest.mark.timeout(240)]

ROOM = "lobby"

DENIED_ONCE_IT_SOUNDS = """() => {
    navigator.mediaDevices.getUserMedia = async () => {
        while (document.querySelector("audio") === null) await new Promise((done) => setTimeout(done, 50));
        throw new DOMException("Permission denied", "NotAllowedError");
    };
}"""
"""A visitor who thinks for a while before denying the microphone, when the agent is there already."""


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Lobby]:
    async with lobby() as opened_lobby:
        yield opened_lobby


@pytest_asyncio.fixture
async def page(tmp_path: Path, place: Lobby) -> AsyncIterator[Page]:
    """A browser at the door, with a visitor who is silent."""
    async with opened(record(tmp_path / "microphone.wav", b"")) as browser:
        await browser.add_init_script(METERS)
        await browser.add_init_script(STATES)
        await browser.goto(f"{place.address}?room={ROOM}")
        yield browser


async def join(page: Page) -> None:
    await page.get_by_role("button", name="Start talking").click()
    await expect(page.get_by_role("status")).to_contain_text("Connected")


async def expect_agent(page: Page) -> None:
    """Wait until the page knows of an agent."""
    await expect(page.get_by_role("status")).to_have_text("Connected")


async def expect_state(page: Page, state: str) -> None:
    """Wait until the page has shown the visitor's turn in a state, after the one that was waited for before."""
    await page.wait_for_function("state => passed(state)", arg=state)


async def test_a_browser_draws_the_turns_of_the_agent_that_replaces_another(place: Lobby, page: Page) -> None:
    await join(page)
    async with Understudy(place.access, ROOM, "first", clock_ahead_s=3600) as first:
        await expect_agent(page)
        visitor = first.visitor
        await first.tell("turn_start", 1, of=visitor)
        await expect_state(page, "speaking")
        await first.tell("turn_end", 1, of=visitor, transcript="one")
        await expect_state(page, "done")
        await first.tell("turn_start", 2, of=visitor)
        await expect_state(page, "speaking")
        # The first one is dead, but LiveKit has not noticed yet.
        async with Understudy(place.access, ROOM, "second") as second:
            await expect_state(page, "listening")
            for number in (1, 2):
                await second.tell("turn_start", number, of=visitor)
                await expect_state(page, "speaking")
                await second.tell("turn_eager_end", number, of=visitor, transcript="two")
                await expect_state(page, "maybe")
                await second.tell("turn_end", number, of=visitor, transcript="two")
                await expect_state(page, "done")
            await first.tell("turn_end", 2, of=visitor, transcript="too late")
            await second.tell("turn_start", 3, of=visitor)
            await expect_state(page, "speaking")
            await expect(page.locator("[aria-current=step]")).to_have_text("Speaking")


async def test_a_browser_closes_its_turn_when_the_agent_turns_to_another_visitor(place: Lobby, page: Page) -> None:
    await join(page)
    async with Understudy(place.access, ROOM, "agent") as agent:
        await expect_agent(page)
        visitor = agent.visitor
        await agent.tell("turn_start", 1, of=visitor)
        await expect_state(page, "speaking")
        await agent.tell("turn_end", 1, of=visitor, transcript="told to its end")
        await expect_state(page, "done")
        await agent.tell("turn_start", 2, of="visitor-2")
        await agent.tell("turn_end", 2, of="visitor-2")
        await agent.tell("turn_start", 3, of=visitor)
        await expect_state(page, "speaking")
        await agent.tell("turn_start", 4, of="visitor-2")  # and no end of turn 3: its stream broke
        await expect_state(page, "listening")


async def test_a_browser_takes_nobody_for_the_agent_who_was_not_seen_as_one(place: Lobby, page: Page) -> None:
    await join(page)
    async with Understudy(place.access, ROOM, "agent") as agent:
        await expect_agent(page)
        await agent.transcribe("I must go.", of="visitor-who-left")
        await agent.transcribe("Hello.", of=agent.visitor)
        await agent.transcribe("Good evening.", of=agent.identity)
        rows = page.get_by_role("log").get_by_role("listitem")
        await expect(rows).to_have_text(["YouHello.", "AgentGood evening."])


async def test_a_browser_that_could_not_join_hears_and_measures_nothing_more(place: Lobby, page: Page) -> None:
    async with Understudy(place.access, ROOM, "agent") as agent:
        await agent.sound()
        await page.evaluate(DENIED_ONCE_IT_SOUNDS)
        await page.get_by_role("button", name="Start talking").click()
        await expect(page.get_by_role("alert")).to_contain_text("Allow it beside the address bar")
        await expect(page.locator("audio")).to_have_count(0)
        await page.wait_for_function("metered().length === 0")
