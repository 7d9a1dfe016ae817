"""A browser with a microphone of the test's own, and scripts that let a test reach what the page was given."""

from __future__ import annotations

import asyncio
import time
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright
from room.guest import RATE
from room.stage import chromium
from support.speech import silence

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


def record(path: Path, samples: bytes) -> Path:
    """A file for the microphone to play: mono 16 kHz signed 16-bit PCM, and then two minutes of silence."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples + silence(120))
    return path


@asynccontextmanager
async def opened(microphone: Path) -> AsyncIterator[Page]:
    """A page in headless Chromium that speaks a file once."""
    arguments = [*CHROMIUM_ARGUMENTS, f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=arguments)
        try:
            context = await browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
            yield await context.new_page()
        finally:
            await browser.close()


@asynccontextmanager
async def opened_file(path: Path) -> AsyncIterator[Page]:
    """A file as a phone shows it. Fails at the end if it loaded anything, or if the browser complained of anything."""
    wrong: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        try:
            page = await browser.new_page(viewport={"width": 390, "height": 800})
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda message: wrong.append(message.text))
            page.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
            await page.goto(path.as_uri())
            yield page
        finally:
            await browser.close()
    assert wrong == []


async def until_true(page: Page, expression: str, *, arg: object = None, timeout: float = 30_000) -> None:
    """Returns as soon as the page finds this true; fails after so many milliseconds.

    The page's own policy lets nobody evaluate text in it, so it is asked from outside again and again.
    """
    give_up_at = time.monotonic() + timeout / 1000
    while not await page.evaluate(expression, arg):
        assert time.monotonic() < give_up_at, f"not within {timeout} ms: {expression}"
        await asyncio.sleep(0.05)


DENIABLE_MICROPHONE = """{
    const devices = navigator.mediaDevices;
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wishes) => {
        if (window.denied) throw new DOMException("Permission denied", "NotAllowedError");
        const stream = await ask(wishes);
        window.microphone = stream.getAudioTracks()[0];
        return stream;
    };
}"""
"""Lets a test deny the microphone (`denied = true`), and reach the one that the page was given last."""

VOICE = """{
    let context, mouth;
    const wake = async () => {
        context ??= new AudioContext();
        await context.resume();
        if (mouth === undefined) {
            mouth = context.createMediaStreamDestination();
            const breath = new ConstantSourceNode(context, { offset: 0 });  // a microphone sends silence, too
            breath.connect(mouth);
            breath.start();
        }
        return mouth.stream.clone();
    };
    navigator.mediaDevices.getUserMedia = wake;
    window.say = async (base64) => {
        const clip = await context.decodeAudioData(Uint8Array.from(atob(base64), (one) => one.charCodeAt(0)).buffer);
        const source = new AudioBufferSourceNode(context, { buffer: clip });
        source.connect(mouth);
        source.start();
        await new Promise((done) => source.addEventListener("ended", done));
    };
}"""
"""Gives the page a microphone into which a test speaks when it wants to: `say(base64)` lasts as long as the clip."""

STATES = """{
    window.states = [];
    const look = (changes) => states.push(...changes.slice(1).map((one) => one.oldValue), document.body.dataset.turn);
    const wishes = { attributeFilter: ["data-turn"], attributeOldValue: true };
    addEventListener("DOMContentLoaded", () => new MutationObserver(look).observe(document.body, wishes));
    window.passed = (state) => {
        const at = states.indexOf(state);
        states.splice(0, at + 1);
        return at >= 0;
    };
}"""
"""Keeps the states in which the page shows the visitor's turn. `passed(state)` tells whether one came since the last
that it was true of: some are over before a test could look."""

METERS = """{
    const contexts = new Map();
    const connect = AudioContext.prototype.createMediaStreamSource;
    AudioContext.prototype.createMediaStreamSource = function (stream) {
        contexts.set(this, stream.getAudioTracks()[0]);
        return connect.call(this, stream);
    };
    window.metered = () => [...contexts].filter(([context]) => context.state !== "closed").map(([, track]) => track.id);
}"""
"""Lets a test ask for the tracks whose loudness the page measures (`metered()`)."""
