"""The handshake with the key, the server's `connected`, a round trip, and how many calls the plan lets in at once.

Each call goes through the plugin itself: it opens a socket and sends no audio.
"""

from __future__ import annotations

import contextlib

from livekit.agents import APIError

from ..errors import ServerError, status_of
from ..events import DisconnectedEvent
from ..wire.vendor import PLAN_STREAMS
from .calls import Call, Server
from .network import words_of
from .verdict import Verdict, ok, printable, problem, skipped, warning

FAR_S = 0.3
"""A round trip that takes longer than this is felt in each reply."""
SLOW_CONNECT_S = 2.0
"""A connection that takes longer than this delays the caller's first words."""
PONG_S = 3.0
"""How long to wait for the answer to the first ping."""
NOT_REACHED = "An earlier step failed."
NO_ANSWER = "The server did not answer in time."
AGAIN = "Try again, with a larger --timeout if the network is slow."
TOO_MANY = 429
ADVICE = {
    401: "Check that the key is complete and has not been revoked; a token may have expired.",
    402: "Check the account's credit.",
    403: "Check that the account may use this model, and that the token grants speech-to-text.",
    404: "Check the base URL: this server has no such endpoint.",
    TOO_MANY: "Close unused streams, or choose a larger plan: idle sockets count too.",
}
"""What to do about a status of the server's."""
CONCURRENCY = "concurrency"
STEPS = ("handshake", "connected", "round trip", CONCURRENCY)


async def check(server: Server) -> list[Verdict]:
    """Connects once, and disconnects."""
    async with Call(server.stt(), server.timeout_s) as call:
        if not await call.connect():
            return failed(call)
        connect_s = call.connected.connect_s if call.connected else 0.0
        await call.until(lambda: call.stream.stats.rtt_s is not None, PONG_S)
        trip = _round_trip(call.stream.stats.rtt_s)
    greeting = _greeting(connect_s)
    return [ok("handshake", "The server accepts the key or token."), greeting, trip, _concurrency()]


async def check_calls(server: Server, wanted: int) -> Verdict:
    """Opens sockets one after the other until there are so many, or one is refused; then closes them all."""
    async with contextlib.AsyncExitStack() as stack:
        for opened in range(wanted):
            call = await stack.enter_async_context(Call(server.stt(), server.timeout_s))
            if not await call.connect():
                return _too_few(opened, wanted, call.trouble)
    return ok(CONCURRENCY, f"{wanted} calls work at once.", open_sockets=wanted)


def failed(call: Call) -> list[Verdict]:
    """What a call that could not connect says about each step."""
    found = {name: skipped(name, NOT_REACHED) for name in STEPS}
    if call.last(DisconnectedEvent) is not None:
        # There was a socket, so the handshake went well.
        found["handshake"] = ok("handshake", "The server opened a websocket.")
    verdict = _refusal(call.trouble, "handshake" if call.last(DisconnectedEvent) is None else "connected")
    return list({**found, verdict.name: verdict}.values())


def _refusal(error: APIError | None, step: str) -> Verdict:
    if error is None:
        return problem(step, NO_ANSWER, AGAIN)
    if status_of(error) == TOO_MANY:
        return problem(CONCURRENCY, said(error), f"{ADVICE[TOO_MANY]} {plans()}")
    if isinstance(error, ServerError):
        return problem(step, said(error), advice_for(error))
    what, advice = words_of(error)
    return problem(step, what, advice or AGAIN)


def said(error: APIError) -> str:
    """What went wrong. The server's own words are in it, without any secret that they quote."""
    if not isinstance(error, ServerError):
        return words_of(error)[0]
    code = f", {printable(error.error_code, 40)}" if error.error_code else ""
    return f"The server refused with status {error.status_code}{code}. Its message: {printable(error.message)}"


def advice_for(error: ServerError) -> str:
    """What to do about a refusal."""
    if error.status_code in ADVICE:
        return ADVICE[error.status_code]
    if error.status_code >= 500:
        return "The server has a problem: try again later."
    return "Check the model and the settings; a newer version of the plugin may know the server's new requirements."


def plans() -> str:
    """How many open sockets the plans are known to allow."""
    known = ", ".join(f"{plan} {streams}" for plan, streams in PLAN_STREAMS.value.items())
    return f"Open sockets that the plans allow (as of {PLAN_STREAMS.since}): {known}."


def _greeting(connect_s: float) -> Verdict:
    what = f"The server sent `connected` after {connect_s:.2f} s."
    if connect_s > SLOW_CONNECT_S:
        return warning("connected", what, "Prewarm the STT before the call, as a session does.", connect_s=connect_s)
    return ok("connected", what, connect_s=connect_s)


def _round_trip(rtt_s: float | None) -> Verdict:
    if rtt_s is None:
        what = f"A ping was not answered within {PONG_S:.0f} s."
        return warning("round trip", what, "A proxy or a firewall may delay small frames: try another network.")
    what = f"A ping and its answer take {rtt_s * 1000:.1f} ms."
    if rtt_s > FAR_S:
        return warning("round trip", what, "Run the agent closer to the server, or without a VPN.", round_trip_s=rtt_s)
    return ok("round trip", what, round_trip_s=rtt_s)


def _concurrency() -> Verdict:
    return ok(CONCURRENCY, f"The plan allows one more socket; --calls N tries N at once. {plans()}")


def _too_few(opened: int, wanted: int, error: APIError | None) -> Verdict:
    so_far = f"{opened} of {wanted} calls work at once."
    if error is not None and status_of(error) == TOO_MANY:
        advice = f"Choose a larger plan, or serve fewer calls at once; other agents count too. {plans()}"
        return problem(
            CONCURRENCY, f"{so_far} The next one was refused: the plan's limit is met.", advice, open_sockets=opened
        )
    why = said(error) if error else NO_ANSWER
    return warning(
        CONCURRENCY, f"{so_far} Then: {why}", "Try again: the plan's limit is not the reason.", open_sockets=opened
    )
