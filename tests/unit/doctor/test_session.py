"""Sessions as users build them, right and wrong; none is started."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession
from livekit.agents.stt import STT as FrameworkSTT  # noqa: N811  # both are called STT
from livekit.agents.stt import FallbackAdapter, SpeechEvent
from livekit.plugins.cartesia_turns import STT, turn_handling
from livekit.plugins.cartesia_turns.doctor import session
from livekit.plugins.cartesia_turns.doctor.session import NotFoundError, find
from livekit.plugins.cartesia_turns.doctor.verdict import Verdict
from support.verdicts import advised, called, levels

SECRET = "sk-the-very-secret-key"
WELL = dict.fromkeys(
    (
        "session stt",
        "session turn detection",
        "session vad",
        "session min_delay",
        "session aec warm-up",
        "session preemptive generation",
    ),
    "ok",
)


def stt() -> STT:
    return STT(api_key=SECRET)


def built(**changes: Any) -> Callable[[], AgentSession[Any]]:
    arguments = {"stt": stt(), "vad": None, "turn_handling": turn_handling(), "aec_warmup_duration": None, **changes}
    return lambda: AgentSession(**{name: value for name, value in arguments.items() if value != "left out"})


async def inspected(**changes: Any) -> list[Verdict]:
    return await session.check(built(**changes))


async def test_a_session_as_the_readme_has_it_is_well() -> None:
    assert levels(await inspected()) == WELL


async def test_a_session_with_the_frameworks_defaults_ignores_the_servers_turns() -> None:
    verdicts = await session.check(lambda: AgentSession(stt=stt()))
    level, advice = advised(called("session turn detection", verdicts))
    assert level == "problem"
    assert "turn_handling()" in advice
    assert levels(verdicts)["session vad"] == "warning"
    assert levels(verdicts)["session aec warm-up"] == "warning"
    assert levels(verdicts)["session min_delay"] == "skipped"


@pytest.mark.parametrize(("mode", "level"), [("vad", "problem"), ("manual", "ok"), (None, "problem"), ("stt", "ok")])
async def test_only_some_modes_of_turn_detection_are_well(mode: str | None, level: str) -> None:
    verdicts = await inspected(turn_handling={"turn_detection": mode})
    assert advised(called("session turn detection", verdicts))[0] == level


async def test_a_vad_beside_the_servers_turns_is_a_warning() -> None:
    level, advice = advised(called("session vad", await inspected(vad="left out")))
    assert level == "warning"
    assert "vad=None" in advice


async def test_a_vad_beside_manual_turns_is_well() -> None:
    verdicts = await inspected(vad="left out", turn_handling={"turn_detection": "manual"})
    assert levels(verdicts)["session vad"] == "ok"


@pytest.mark.parametrize(("delay_s", "level"), [(0.0, "ok"), (0.5, "ok"), (0.6, "warning"), (2.0, "warning")])
async def test_a_min_delay_beyond_what_the_server_takes_is_a_warning(delay_s: float, level: str) -> None:
    verdict = called(
        "session min_delay", await inspected(turn_handling=turn_handling(endpointing={"min_delay": delay_s}))
    )
    assert advised(verdict)[0] == level
    assert verdict.figures == {"min_delay_s": delay_s}


@pytest.mark.parametrize(("seconds", "level"), [(None, "ok"), (0.0, "ok"), (1.0, "warning"), ("left out", "warning")])
async def test_an_aec_warm_up_is_a_warning(seconds: object, level: str) -> None:
    verdict = called("session aec warm-up", await inspected(aec_warmup_duration=seconds))
    assert advised(verdict)[0] == level


async def test_preemptive_generation_that_is_off_is_a_warning() -> None:
    off = turn_handling(preemptive_generation={"enabled": False})
    assert advised(called("session preemptive generation", await inspected(turn_handling=off)))[0] == "warning"


async def test_a_session_without_an_stt_is_a_problem() -> None:
    assert advised(called("session stt", await inspected(stt="left out")))[0] == "problem"


class AnotherSTT(FrameworkSTT[Any]):
    """Of another vendor."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt().capabilities)

    async def _recognize_impl(self, *_: object, **__: object) -> SpeechEvent:
        raise NotImplementedError


async def test_an_stt_of_another_vendor_is_a_problem_that_names_it() -> None:
    verdict = called("session stt", await inspected(stt=AnotherSTT()))
    assert advised(verdict)[0] == "problem"
    assert "AnotherSTT" in verdict.what


async def test_the_plugin_is_found_within_a_fallback_adapter() -> None:
    verdict = called("session stt", await inspected(stt=FallbackAdapter([stt(), stt()])))
    assert advised(verdict)[0] == "ok"
    assert "FallbackAdapter" in verdict.what


async def test_what_the_agent_sets_goes_before_what_the_session_sets() -> None:
    agent = Agent(instructions="", stt=stt(), vad=None, turn_detection="stt")
    assert levels(await session.check(lambda: (AgentSession(aec_warmup_duration=None), agent))) == WELL
    spoiled = Agent(instructions="", turn_detection="vad")
    assert levels(await session.check(lambda: (built()(), spoiled)))["session turn detection"] == "problem"


async def test_the_function_may_be_a_coroutine() -> None:
    async def build() -> AgentSession[Any]:
        return built()()

    assert levels(await session.check(build)) == WELL


async def test_a_function_that_raises_is_a_problem_that_does_not_show_its_text() -> None:
    def build() -> None:
        raise RuntimeError(SECRET)

    (verdict,) = await session.check(build)
    assert advised(verdict)[0] == "problem"
    assert "RuntimeError (line " in verdict.what
    assert SECRET not in str(verdict)


async def test_a_coroutine_that_takes_too_long_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "BUILD_S", 0.05)
    (verdict,) = await session.check(lambda: asyncio.sleep(60))
    assert "TimeoutError" in verdict.what


async def test_a_function_that_exits_or_prints_spoils_no_report(capsys: pytest.CaptureFixture[str]) -> None:
    def build() -> None:
        sys.stdout.write("hello")
        sys.exit(0)

    (verdict,) = await session.check(build)
    assert "SystemExit" in verdict.what
    assert capsys.readouterr().out == ""


async def test_what_the_plugin_itself_refuses_is_shown() -> None:
    def build() -> STT:
        return STT()

    (verdict,) = await session.check(build)
    assert "CARTESIA_API_KEY" in verdict.what


async def test_a_function_that_returns_no_session_is_a_problem() -> None:
    (verdict,) = await session.check(lambda: "a session")
    assert advised(verdict)[0] == "problem"
    assert "a str" in verdict.what


MODULE = """
def build(): ...
def needs(context): ...
def may(context=None): ...
value = 1
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A user's module; and one with a mistake, `broken`."""
    (tmp_path / "users_agent.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("1 +")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "users_agent", raising=False)
    return "users_agent"


def test_a_function_is_found_by_its_name(module: str) -> None:
    assert callable(find(f"{module}:build"))
    assert callable(find(f"{module}:may"))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("users_agent", "module:function"),
        (":build", "module:function"),
        ("users_agent:", "module:function"),
        ("no_such_module:build", "no module no_such_module"),
        ("users_agent:nothing", "no function nothing"),
        ("users_agent:value", "no function value"),
        ("users_agent:needs", "no argument"),
        ("broken:build", "SyntaxError"),
    ],
)
def test_what_is_no_function_is_wrong_usage(module: str, name: str, says: str) -> None:
    with pytest.raises(NotFoundError, match=says):
        find(name)
