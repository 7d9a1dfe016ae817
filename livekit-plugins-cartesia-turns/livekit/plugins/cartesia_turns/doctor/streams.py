"""Whether the plan lets in as many calls at once as the user asks for: each opens a socket and sends no audio."""

from __future__ import annotations

import contextlib

from livekit.agents import APIError

from ..errors import status_of
from .calls import Call, Server
from .handshake import NO_ANSWER, TOO_MANY, plans, said
from .verdict import Verdict, ok, problem, warning

NAME = "concurrency"


async def check(server: Server, wanted: int) -> Verdict:
    """Opens sockets one after the other until there are so many, or one is refused; then closes them all."""
    async with contextlib.AsyncExitStack() as stack:
        for opened in range(wanted):
            call = await stack.enter_async_context(Call(server.stt(), server.timeout_s))
            if not await call.connect():
                return _refused(opened, wanted, call.trouble)
    return ok(NAME, f"{wanted} calls work at once.", open_sockets=wanted)


def _refused(opened: int, wanted: int, error: APIError | None) -> Verdict:
    so_far = f"{opened} of {wanted} calls work at once."
    if error is not None and status_of(error) == TOO_MANY:
        advice = f"Choose a larger plan, or serve fewer calls at once; other agents count too. {plans()}"
        return problem(
            NAME, f"{so_far} The next one was refused: the plan's limit is met.", advice, open_sockets=opened
        )
    why = said(error) if error else NO_ANSWER
    return warning(NAME, f"{so_far} Then: {why}", "Try again: the plan's limit is not the reason.", open_sockets=opened)
