"""All checks in order; a check is skipped if an earlier one leaves nothing for it to check."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from ..wire.options import endpoint
from . import environment, handshake, network, pace, session, sound, speech, thresholds
from .calls import Server
from .recording import Recording, sample
from .verdict import Level, Verdict, skipped

OF_SPEECH = (speech.WORDS, speech.DELAY, pace.NAME)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to check.

    Attributes:
        server: where to connect to.
        token_variable: the environment's variable with an access token; None where a key is used.
        recording: the user's audio file, to examine and to speak.
        session: the user's function that makes the session to inspect.
        calls: how many calls should fit at once; 0 does not try.
        speaks: send audio, which the vendor bills.
    """

    server: Server
    token_variable: str | None = None
    recording: Recording | None = None
    session: Callable[[], Any] | None = None
    calls: int = 0
    speaks: bool = True


async def examine(plan: Plan) -> AsyncIterator[Verdict]:
    """Gives each verdict as soon as it is there."""
    here = environment.check(plan.token_variable)
    for verdict in here:
        yield verdict
    if plan.recording is not None:
        for verdict in sound.check(plan.recording):
            yield verdict
    if plan.session is not None:
        for verdict in await session.check(plan.session):
            yield verdict
    address = endpoint(plan.server.base_url, allow_plaintext=plan.server.allow_plaintext)
    way = await network.check(address, plan.server.timeout_s)
    for verdict in way:
        yield verdict
    if why := _obstacle(here, way):
        for name in (*handshake.STEPS, thresholds.NAME, *OF_SPEECH):
            yield skipped(name, why)
        return
    async for verdict in _server(plan):
        yield verdict


def _obstacle(here: list[Verdict], way: list[Verdict]) -> str:
    """Why the server can't be asked for anything; empty where it can."""
    if any(verdict.name in ("key", "token") and verdict.level is Level.PROBLEM for verdict in here):
        return "This needs a key or a token."
    return "The server can't be reached." if any(verdict.level is Level.PROBLEM for verdict in way) else ""


async def _server(plan: Plan) -> AsyncIterator[Verdict]:
    shaken = await handshake.check(plan.server)
    failed = any(verdict.level is Level.PROBLEM for verdict in shaken)
    for verdict in shaken:
        if failed or not plan.calls or verdict.name != handshake.CONCURRENCY:
            yield verdict
    if failed:
        for name in (thresholds.NAME, *OF_SPEECH):
            yield skipped(name, "No connection could be made.")
        return
    async for verdict in _spoken(plan):
        yield verdict
    yield await thresholds.check(plan.server)
    # Last, since a key that has met its limit has to pause.
    if plan.calls:
        yield await handshake.check_calls(plan.server, plan.calls)


async def _spoken(plan: Plan) -> AsyncIterator[Verdict]:
    """The checks for which audio is sent."""
    recording = plan.recording or sample()
    if why := sound.why_not_spoken(recording) if plan.speaks else "--silent sends no audio.":
        for name in OF_SPEECH:
            yield skipped(name, why)
        return
    for verdict in await speech.check(plan.server, recording):
        yield verdict
    yield await pace.check(plan.server, speech.as_sent(recording))
