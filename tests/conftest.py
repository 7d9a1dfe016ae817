"""What every test runs under: Hypothesis' settings, the event loop, and a watch over tasks that outlive their test.

Tests that are marked `recognizer` are left out, by name, where its packages can't be imported. The others can't use it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Generator

import livekit.agents
import pytest
import pytest_asyncio
from hypothesis import settings
from livekit.plugins.cartesia_turns import telemetry
from support.metrics import Recorded
from support.recognizer import PACKAGES, is_there

# CI repeats the same examples each time, so a red run is red again on the next machine. No deadline: a busy machine is
# not a bug.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# A shell starts what runs in its background with Ctrl-C ignored, and so would be the programs that tests start and end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

if os.environ.get("LOOP", "asyncio") != "asyncio":
    # `LOOP=uvloop make test` runs the tests on the loops of that package; without it, on asyncio's own.
    _new_loop = importlib.import_module(os.environ["LOOP"]).new_event_loop

    def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
        return {os.environ["LOOP"]: _new_loop}


WITHOUT_IT = "needs the local recognizer"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what this machine can't run, and expects what this version of the framework does otherwise."""
    leave_out_what_needs_the_recognizer(items)
    expect_what_differs_in_2(items)


def leave_out_what_needs_the_recognizer(items: list[pytest.Item]) -> None:
    """Where there is none; in CI nothing is left out, so it fails there."""
    needing = [item for item in items if item.get_closest_marker("recognizer")]
    if os.environ.get("CI") or not needing or is_there():
        return
    for item in needing:
        item.add_marker(pytest.mark.skip(reason=WITHOUT_IT))


def expect_what_differs_in_2(items: list[pytest.Item]) -> None:
    """With livekit-agents 2.0 the tests that are marked `differs_in_2(reason=...)` are to fail."""
    if int(livekit.agents.__version__.partition(".")[0]) < 2:
        return
    for item in items:
        if (differs := item.get_closest_marker("differs_in_2")) is not None:
            item.add_marker(pytest.mark.xfail(reason=differs.kwargs["reason"], strict=True))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    """Says below everything else how many tests were left out for want of the recognizer."""
    yield
    count = sum(WITHOUT_IT in str(report.longrepr) for report in terminalreporter.stats.get("skipped", ()))
    if count:
        terminalreporter.section("tests of the recognizer left out", sep="-")
        terminalreporter.write_line(f"tests left out: {count}, since {' and '.join(PACKAGES)} can't be imported here")


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """The plugin's instruments, made anew for this test."""
    recorded = Recorded()
    monkeypatch.setattr(telemetry, "instruments", recorded.instruments)
    return recorded


@pytest.fixture(autouse=True)
def no_recognizer_unless_marked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Holds the mark to what it says: a test without it finds none of the recognizer's packages."""
    if request.node.get_closest_marker("recognizer") is None:
        for package in PACKAGES:
            monkeypatch.setitem(sys.modules, package, None)


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
