"""The pytest plugin of livekit-plugins-cartesia-turns; pytest loads it by itself where the plugin is installed.

It stands beside the package and imports it only for a test that asks for the fixture: pytest loads each plugin in every
run, and livekit.agents, which the package needs, takes a second.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from livekit.plugins.cartesia_turns.testing import ScriptedServer

FIXTURE = "cartesia_turns_server"


@pytest.fixture
def cartesia_turns_server() -> ScriptedServer:
    """A server that hears what the test says; see `livekit.plugins.cartesia_turns.testing.ScriptedServer`.

    It is started by the test, on the test's event loop: `async with cartesia_turns_server as server`. Where the test
    fails, its report has what was said and heard.
    """
    from livekit.plugins.cartesia_turns.testing import ScriptedServer  # noqa: PLC0415  # see the module's docstring

    return ScriptedServer()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Adds what was said and heard to the report of a test that failed, where its error does not tell it already."""
    outcome = yield
    report = outcome.get_result()
    server = getattr(item, "funcargs", {}).get(FIXTURE)
    if report.when == "call" and report.failed and server is not None:
        title = server.report.partition("\n")[0]
        if title and title not in report.longreprtext:
            report.sections.append(("Cartesia turns", server.report))
