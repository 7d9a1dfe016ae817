"""The page in a real browser and a real room, with agents that the test plays itself."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import roomkit.grants
from playwright.async_api import Page, expect
from room.browser import METERS, STATES, opened, record, until_true
from room.lobby import Lobby, Understudy, lobby
from support.waiting import until

pytestmark = [pytest.mark.room, pytest.mark.timeout(120)]

ROOM = "lobby"
GIVEN_UP_WITHIN_MS = 30_000
"""The page takes 20 s for it, after livekit-client noticed that the connection is lost."""

DENIED_ONCE_IT_SOUNDS = """() => {
    navigator.mediaDevices.getUserMedia = async () => {
        while (document.querySelector("audio") === null) await new Promise((done) => setTimeout(done, 50));
        throw new DOMException("Permission denied", "NotAllowedError");
    };
}"""
"""A visitor who thinks for a while before denying the microphone, when the agent is there already."""

ALLOWED_LATE = """() => {
    const devices = navigator.mediaDevices;
    const ask = devices.getUserMedia.bind(devices);
    const answer = new Promise((allow) => { window.allow = allow; });
    devices.getUserMedia = async (wishes) => {
        await answer;
        const stream = await ask(wishes);
        window.microphone = stream.getAudioTracks()[0];
        return stream;
    };
}"""
"""A visitor who allows the microphone when the test says so (`allow()`)."""


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
    await expect(page.get_by_role("status")).to_contain_text("Connected", timeout=30_000)


async def expect_agent(page: Page) -> None:
    """Wait until the page knows of an agent."""
    await expect(page.get_by_role("status")).to_have_text("Connected")


async def expect_state(page: Page, state: str) -> None:
    """Wait until the page has shown the visitor's turn in a state, after the one that was waited for before."""
    await until_true(page, "state => passed(state)", arg=state, timeout=5_000)


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


async def test_a_browser_says_that_the_agent_listens_to_another_visitor_until_it_does_not(
    place: Lobby, page: Page
) -> None:
    await join(page)
    status = page.get_by_role("status")
    async with Understudy(place.access, ROOM, "agent") as agent:
        await expect_agent(page)
        visitor = agent.visitor
        async with Understudy(place.access, ROOM, "visitor-2", kind="standard") as other:
            await other.sound()
            await expect(page.locator("audio")).to_have_count(1)  # the page knows of them
            await agent.tell("turn_start", 1, of="visitor-2")
            await expect(status).to_have_text("Connected, the agent listens to another visitor")
            await expect(page.locator("#caption")).to_have_text("The agent listens to another visitor.")
            await agent.tell("turn_start", 2, of=visitor)
            await expect_agent(page)
            await agent.tell("turn_start", 3, of="visitor-2")
            await expect(status).to_have_text("Connected, the agent listens to another visitor")
        await expect_agent(page)
        await agent.tell("turn_end", 3, of="visitor-2")
        await agent.transcribe("All told.", of=visitor)
        await expect(page.locator("#caption")).to_have_text("All told.")
        await expect_agent(page)
    await expect(status).to_have_text("Connected, waiting for the agent")


async def test_a_browser_says_so_where_no_agent_comes_until_one_does(place: Lobby, page: Page) -> None:
    await join(page)
    alert = page.get_by_role("alert")
    await expect(page.locator("#caption")).to_have_text("The agent will join in a moment.")
    await expect(alert).to_contain_text("No agent has joined.", timeout=60_000)
    await expect(page.locator("#caption")).to_have_text("There is no agent in this room.")
    async with Understudy(place.access, ROOM, "agent"):
        await expect_agent(page)
        await expect(alert).to_be_hidden()


async def test_a_browser_says_that_it_reconnects_and_then_that_it_is_connected(place: Lobby, page: Page) -> None:
    await join(page)
    async with Understudy(place.access, ROOM, "agent"):
        await expect_agent(page)
        await place.line.refuse()
        place.line.reset()
        await expect(page.get_by_role("status")).to_have_text("Connection lost, reconnecting", timeout=30_000)
        await place.line.accept()
        await expect(page.get_by_role("status")).to_have_text("Connected", timeout=30_000)
    await expect(page.get_by_role("alert")).to_be_hidden()


async def test_a_browser_says_that_the_connection_could_not_be_made_again(place: Lobby, page: Page) -> None:
    await join(page)
    await place.line.refuse()
    place.line.reset()
    await expect(page.get_by_role("alert")).to_contain_text("reconnecting failed", timeout=GIVEN_UP_WITHIN_MS)
    await expect(page.get_by_role("status")).to_have_text("Disconnected")


@pytest.mark.parametrize("way", ["stopped", "killed"])
async def test_a_browser_says_that_the_livekit_server_was_shut_down(place: Lobby, page: Page, way: str) -> None:
    await join(page)
    if way == "killed":
        os.kill(place.livekit.pid, signal.SIGKILL)
    else:
        await place.livekit.stop()  # it may have a word for its guests, or it may not
    await expect(page.get_by_role("alert")).to_contain_text("shut down", timeout=GIVEN_UP_WITHIN_MS)
    await page.locator("#join").click()
    await expect(page.get_by_role("alert")).to_contain_text("Is the LiveKit server running?", timeout=30_000)


async def test_a_browser_says_that_a_room_is_full(place: Lobby, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roomkit.grants, "MAX_PARTICIPANTS", 1)
    await join(page)
    late = await page.context.new_page()
    await late.goto(page.url)
    await late.get_by_role("button", name="Start talking").click()
    await expect(late.get_by_role("alert")).to_contain_text("it may be full", timeout=30_000)


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
        await expect(page.get_by_role("alert")).to_contain_text("Allow it beside the address bar", timeout=30_000)
        await expect(page.locator("audio")).to_have_count(0)
        await until_true(page, "metered().length === 0")


async def ask_for_microphone(page: Page, agent: Understudy) -> None:
    """Join until the page is in the room and asks for the microphone, which it does not get."""
    await agent.sound()
    await page.evaluate(ALLOWED_LATE)
    await page.get_by_role("button", name="Start talking").click()
    await expect(page.locator("audio")).to_have_count(1, timeout=30_000)


async def test_a_browser_that_reconnects_shows_no_controls_before_it_has_the_microphone(
    place: Lobby, page: Page
) -> None:
    async with Understudy(place.access, ROOM, "agent") as agent:
        await ask_for_microphone(page, agent)
        connections = place.line.accepted
        place.line.reset()
        await until(lambda: place.line.accepted > connections)
        await expect(page.locator("#controls")).to_be_hidden()
        await expect(page.get_by_role("status")).to_have_text("Joining")
        await page.evaluate("allow()")
        await expect_agent(page)
        await expect(page.get_by_role("button", name="Mute")).to_be_focused()


async def test_a_browser_lets_go_of_a_microphone_that_it_gets_when_the_room_is_gone(place: Lobby, page: Page) -> None:
    async with Understudy(place.access, ROOM, "agent") as agent:
        await ask_for_microphone(page, agent)
    await place.close(ROOM)
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("The room was closed.")
    await page.evaluate("allow()")
    await until_true(page, "window.microphone?.readyState === 'ended'", timeout=5_000)
    await expect(alert).to_contain_text("The room was closed.")
