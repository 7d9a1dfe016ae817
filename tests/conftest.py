"""What every test runs under: Hypothesis' settings, the event loop, and a watch over tasks that outlive their test."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from hypothesis import settings

# CI repeats the same examples each time, so a red run is red again on the next machine. No deadline: a busy machine is
# not a bug.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

if os.environ.get("LOOP", "asyncio") != "asyncio":
    # `LOOP=uvloop make test` runs the tests on the loops of that package; without it, on asyncio's own.
    _new_loop = importlib.import_module(os.environ["LOOP"]).new_event_loop

    def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
        return {os.environ["LOOP"]: _new_loop}


GRACE_S = 0.2
"""How long a task may take to end after its test, in seconds: a cancelled task needs a turn of the loop or two."""


@pytest.fixture(autouse=True)
def no_task_outlives_its_test(request: pytest.FixtureRequest) -> None:
    """Fails an asyncio test that leaves a task running, unless it is marked `leaves_tasks(reason=...)`."""
    if pytest_asyncio.is_async_test(request.node) and request.node.get_closest_marker("leaves_tasks") is None:
        request.getfixturevalue("_task_watch")


@pytest_asyncio.fixture
async def _task_watch() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=GRACE_S)
    assert not left, f"the test left tasks running: {sorted(map(str, left))}"
