"""Child processes that end when they are told to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

STOP_TIMEOUT_S = 5.0


async def end_process(process: asyncio.subprocess.Process, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Ask a process to end, twice (livekit-server waits for its participants on the first), then make it end.

    Cancelled, it makes it end at once.
    """
    try:
        for _ in range(2):
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(process.wait(), timeout_s / 2)
    finally:
        if process.returncode is None:
            kill_group(process.pid)
            await process.wait()


@contextlib.asynccontextmanager
async def stopped_unless_started(stop: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Undoes a start that fails or is cancelled (Ctrl-C): a context that was not entered is never left."""
    async with contextlib.AsyncExitStack() as undo:
        undo.push_async_callback(stop)
        yield
        undo.pop_all()


def kill_group(pid: int) -> None:
    """Kill a process started in a session of its own, and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
