"""Waiting for tasks and events so that a cancellation always gets through.

`asyncio.wait_for` swallows one that comes just as its work is done, before Python 3.12:
https://github.com/python/cpython/issues/86296.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from typing import Any, TypeVar

from livekit.agents.utils.aio import cancel_and_wait

T = TypeVar("T")


async def until_done(main: Coroutine[Any, Any, object], *helpers: Coroutine[Any, Any, object]) -> None:
    """Runs all until `main` returns; an exception in any of them ends the others and is raised.

    Of several at once the first one's counts, in the order of the arguments.

    Raises:
        RuntimeError: one of them was cancelled by somebody else; its CancelledError would look like our own.
    """
    first, *others = tasks = [asyncio.create_task(work) for work in (main, *helpers)]
    try:
        while not first.done():
            await asyncio.wait([first, *(task for task in others if not task.done())], return_when="FIRST_COMPLETED")
            for task in filter(asyncio.Task.done, tasks):
                if task.cancelled():
                    raise RuntimeError("a task was cancelled from outside")
                task.result()
    finally:
        await _end(*tasks)


async def finish(task: asyncio.Task[T], timeout_s: float) -> asyncio.Task[T]:
    """Waits for the end of a task, which is cancelled where it takes longer or the caller is cancelled itself."""
    try:
        await asyncio.wait([task], timeout=timeout_s)
    finally:
        await _end(task)
    return task


async def wait_for_event(event: asyncio.Event, timeout_s: float) -> None:
    """Waits for the event, no longer than `timeout_s` seconds, and clears it. Always lets other tasks run."""
    if timeout_s <= 0:
        await asyncio.sleep(0)
    else:
        timer = None if timeout_s == math.inf else asyncio.get_running_loop().call_later(timeout_s, event.set)
        try:
            await event.wait()
        finally:
            if timer:
                timer.cancel()
    event.clear()


async def _end(*tasks: asyncio.Task[Any]) -> None:
    await cancel_and_wait(*tasks)
    for task in tasks:
        # An exception that nobody looks at would be logged with its traceback.
        _ = task.cancelled() or task.exception()
