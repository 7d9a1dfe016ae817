"""Waiting for a condition, never for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_S = 0.002
BOUND_S = 15.0


async def until(condition: Callable[[], object], *, within_s: float = 5.0, what: str = "it") -> None:
    """Returns as soon as the condition holds; fails if that takes longer than `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true within {within_s} s"
        await asyncio.sleep(POLL_S)


def wait_until(condition: Callable[[], T], *, within_s: float = 5.0, what: str = "it") -> T:
    """As `until`, where there is no event loop; returns what the condition returned."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true within {within_s} s"
        time.sleep(POLL_S)
    return found


async def eventually(condition: Callable[[], object], what: str = "it") -> None:
    """Waits for something that no time is promised for: for BOUND_S at most."""
    await until(condition, within_s=BOUND_S, what=what)


async def holds(condition: Callable[[], object], *, for_s: float) -> None:
    """Returns after `for_s` seconds; fails as soon as the condition does not hold."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        assert condition(), "it did not last"
        await asyncio.sleep(POLL_S)
