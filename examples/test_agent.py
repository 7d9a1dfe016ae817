"""Tests the example agent: what it hears, what it answers and how soon. It needs pytest and pytest-asyncio.

pytest examples/test_agent.py
"""

import pytest
from agent import Assistant, build_session
from livekit.plugins.cartesia_turns.testing import PASSING_FAULTS, ScriptedServer, say

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "CARTESIA_API_KEY"):
        monkeypatch.delenv(name, raising=False)


async def test_it_waits_for_a_pause_and_answers_soon(cartesia_turns_server: ScriptedServer) -> None:
    async with cartesia_turns_server as server, server.conversation(build_session, Assistant) as call:
        heard = await call.play(say("what", pause=0.4), say("time is it"))
        await call.reply()
        heard.assert_turns("what time is it")
        heard.assert_reply("It is", within=1.5)


async def test_it_waits_longer_within_a_number(cartesia_turns_server: ScriptedServer) -> None:
    async with cartesia_turns_server as server, server.conversation(build_session, Assistant) as call:
        await call.say("please call me")
        assert (await call.reply()).text == "I will. What is your phone number?"
        heard = await call.play(say("five five five", pause=0.8), say("one two"))
        heard.assert_turns("please call me", "five five five one two")


@pytest.mark.parametrize("fault", PASSING_FAULTS)
async def test_no_word_is_lost(cartesia_turns_server: ScriptedServer, fault: str) -> None:
    cartesia_turns_server.faults = fault
    async with cartesia_turns_server as server, server.stream(fast=True) as call:
        heard = await call.play(say("my name is Ada"), say("and I have", pause=0.4), say("a question"))
        heard.assert_turns("my name is Ada", "and I have a question")
