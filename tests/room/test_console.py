"""The agent in a terminal: the console mode of the worker, typed to."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from room.stage import ROOT

pytestmark = [pytest.mark.room, pytest.mark.timeout(120)]

CONSOLE = [sys.executable, "examples/agent.py", "console", "--text"]
ANSWERS_WITHIN_S = 60.0
TYPES_EVERY_S = 3.0
KEYS = ("CARTESIA_API_KEY", "CARTESIA_TURNS_URL", "OPENAI_API_KEY")


class Terminal:
    """A terminal with the agent's console in it."""

    def __init__(self) -> None:
        self.shown = ""
        self._keyboard, screen = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if name not in KEYS} | {"TERM": "xterm"}
        self.process = subprocess.Popen(
            CONSOLE, cwd=ROOT, env=environment, stdin=screen, stdout=screen, stderr=screen, start_new_session=True
        )
        os.close(screen)

    def type_until(self, typed: str, shown: str) -> None:
        """Types it, again and again until this is shown: the console drops what comes before it listens."""
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while shown not in self.shown:
            assert time.monotonic() < deadline, f"{shown!r} was not shown"
            os.write(self._keyboard, typed.encode())
            self._watch(TYPES_EVERY_S)

    def _watch(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left_s := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self._keyboard], [], [], left_s)
            if ready:
                self.shown += os.read(self._keyboard, 65536).decode(errors="replace")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._keyboard)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with contextlib.closing(Terminal()) as opened:
        yield opened


def test_the_console_answers_what_is_typed(terminal: Terminal) -> None:
    terminal.type_until("what time is it\r", "It is ")
    assert "Traceback" not in terminal.shown
