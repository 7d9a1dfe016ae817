"""The pytest plugin as pytest loads it by itself, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import asyncio
import sys

import pytest


def test_what_needs_no_server_imports_nothing():
    assert "livekit.agents" not in sys.modules


async def talk(given):
    from livekit.plugins.cartesia_turns.testing import say

    async with given as server, server.stream(fast=True) as call:
        heard = await call.play(say("what time", pause=0.4), say("is it"))
        heard.assert_turns("what", "time")


def test_a_failure(cartesia_turns_server):
    asyncio.run(talk(cartesia_turns_server))


def test_a_success(cartesia_turns_server):
    with pytest.raises(AssertionError):
        asyncio.run(talk(cartesia_turns_server))
"""


@pytest.mark.slow
def test_a_test_that_fails_tells_what_was_heard_and_one_that_needs_no_server_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(tmp_path)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert "1 failed, 2 passed" in run.stdout, run.stdout + run.stderr
    assert 'the turns should have been "what", "time", and were "what time is it"' in run.stdout
    report = run.stdout.partition(" Cartesia turns ")[2]
    assert 'the user says "what time", then nothing for 0.40 s' in report
    assert run.stdout.count(" Cartesia turns ") == 1
