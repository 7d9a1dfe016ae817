"""Child processes that end when they are told to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import IO

STOP_TIMEOUT_S = 5.0


async def start_process(*command: str, env: Mapping[str, str], output: IO[bytes]) -> asyncio.subprocess.Process:
    """Start a process whose output goes to a file. Cancelled, it leaves no process.

    It gets a session of its own, so that the terminal's Ctrl-C reaches only its owner, who then stops it.
    """
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(*command, env=env, stdout=output, stderr=output, start_new_session=True)
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await end_process(await starting)
        raise


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
    # Where nothing of the group is left but what nobody has waited for yet, macOS answers that it is not permitted.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
