"""The pytest plugin as pytest loads it by itself, in a process of its own."""

from __future__ import annotations

import os
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
        return await call.play(say("what time", pause=0.4), say("is it"))


def test_an_assertion_on_what_was_heard(cartesia_turns_server):
    asyncio.run(talk(cartesia_turns_server)).assert_turns("what", "time")


def test_another_assertion(cartesia_turns_server):
    assert not asyncio.run(talk(cartesia_turns_server)).turns


def test_a_failure_before_any_call(cartesia_turns_server):
    assert not cartesia_turns_server


def test_a_success(cartesia_turns_server):
    assert asyncio.run(talk(cartesia_turns_server)).text == "what time is it"
"""


@pytest.mark.slow
def test_a_test_that_fails_tells_what_was_heard_and_one_that_needs_no_server_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(tmp_path)]
    # In a CI pytest repeats each error whole in its summary.
    alone = {name: value for name, value in os.environ.items() if name not in {"CI", "BUILD_NUMBER"}}
    run = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False, timeout=100)
    assert "3 failed, 2 passed" in run.stdout, run.stdout + run.stderr
    assert 'the turns should have been "what", "time", and were "what time is it"' in run.stdout
    said = 'the user says "what time", then is silent for 0.40 s'
    by_the_error, by_the_plugin = run.stdout.split(" Cartesia turns ")
    assert by_the_error.count(said) == by_the_plugin.count(said) == 1
