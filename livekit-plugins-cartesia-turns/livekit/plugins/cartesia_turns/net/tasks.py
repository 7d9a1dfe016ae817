"""Waits for tasks so that a cancellation is never lost.

Before Python 3.12, `asyncio.wait_for` swallows a cancellation that comes just as its work is done:
https://github.com/python/cpython/issues/86296.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

from livekit.agents.utils.aio import cancel_and_wait

T = TypeVar("T")


def is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this event loop runs the present code."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


async def until_done(
    main: Coroutine[Any, Any, object] | asyncio.Future[Any], *helpers: Coroutine[Any, Any, object]
) -> None:
    """Runs all coroutines until `main` is done. An exception in any of them ends the others and is raised.

    If several fail at once, the first in the order of the arguments is raised.

    Raises:
        RuntimeError: somebody else cancelled one of them. Its CancelledError would look like our own.
    """
    first, *others = tasks = [asyncio.ensure_future(work) for work in (main, *helpers)]
    try:
        while not first.done():
            await asyncio.wait([first, *(task for task in others if not task.done())], return_when="FIRST_COMPLETED")
            for task in filter(asyncio.Future.done, tasks):
                if task.cancelled():
                    raise RuntimeError("a task was cancelled from outside")
                task.result()
    finally:
        await _end(*tasks)


async def finish(task: asyncio.Task[T], timeout_s: float) -> asyncio.Task[T]:
    """Waits for the end of a task, and cancels it if it takes longer or the caller is cancelled."""
    try:
        await asyncio.wait([task], timeout=timeout_s)
    finally:
        await _end(task)
    return task


def begin(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Runs a coroutine as far as it goes without a wait, in the caller's step of the event loop.

    Returns:
        A task that runs the rest; None if there is none. What the coroutine raises before its first wait is raised.
    """
    try:
        first_wait = work.send(None)
    except StopIteration:
        return None
    return asyncio.create_task(_go_on(work, first_wait))


async def _go_on(work: Coroutine[Any, Any, None], first_wait: object) -> None:
    await _rest(work, first_wait)


@types.coroutine
def _rest(work: Coroutine[Any, Any, None], first_wait: object) -> Generator[Any, Any, None]:
    yield first_wait
    yield from work


async def _end(*tasks: asyncio.Future[Any]) -> None:
    await cancel_and_wait(*tasks)
    for task in tasks:
        look_at(task)


def look_at(task: asyncio.Future[Any]) -> None:
    """Looks at the exception of a task, since asyncio logs one that nobody looks at, with its traceback."""
    _ = task.cancelled() or task.exception()
