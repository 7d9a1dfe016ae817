"""Whether an AgentSession leaves turns to this plugin. The session is built and looked at, never started."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, cast

from livekit.agents import Agent, utils
from livekit.agents.stt import STT as FrameworkSTT  # noqa: N811  # both are called STT

from ..compat import AgentSession, wrapped_stts
from ..net.tasks import finish
from ..stt import STT
from .verdict import Verdict, ok, problem, skipped, warning

BUILD_S = 30.0
"""How long a coroutine that builds the session may take."""
MIN_DELAY_S = 0.5
"""The server's turn.end comes about so long after the speech, so that a `min_delay` of this costs nothing."""
BUILT, STT_, TURNS, VAD, DELAY, WARM_UP, PREEMPTIVE = (
    "session",
    "session stt",
    "session turn detection",
    "session vad",
    "session min_delay",
    "session aec warm-up",
    "session preemptive generation",
)
TURN_HANDLING = "Pass AgentSession(turn_handling=cartesia_turns.turn_handling())."
PACKAGE = __package__.rpartition(".")[0]


class NotFoundError(Exception):
    """There is no such function. The text says what is missing."""


def find(name: str) -> Callable[[], Any]:
    """The function that `module:function` names. With `python -m`, modules of the present folder are found.

    Raises:
        NotFoundError: no such module or function, or it can't be called without arguments.
    """
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise NotFoundError(f"--session takes module:function, such as agent:build_session, not {name!r}")
    try:
        # What the user's code prints is no part of the report.
        with contextlib.redirect_stdout(sys.stderr):
            function = getattr(importlib.import_module(module_name), function_name, None)
    except ModuleNotFoundError as error:
        raise NotFoundError(f"--session {name}: there is no module {error.name}") from None
    except (Exception, SystemExit) as error:  # the boundary to code of the user's, which may raise anything
        raise NotFoundError(f"--session {name}: {module_name} can't be imported: {type(error).__name__}") from None
    if not callable(function):
        raise NotFoundError(f"--session {name}: {module_name} has no function {function_name}")
    if _needs_arguments(function):
        raise NotFoundError(f"--session {name}: the function must take no argument; make one that builds the session")
    return cast("Callable[[], Any]", function)


def _needs_arguments(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    except ValueError:
        pass  # a callable that does not say what it takes
    return False


async def check(function: Callable[[], Any]) -> list[Verdict]:
    """Builds the session, looks at it, and closes it.

    Args:
        function: returns an AgentSession, or a tuple of one and the Agent that it is started with, whose settings then
            override those of the session. The function may be async.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            built = await _build(function)
    except (Exception, SystemExit) as error:  # the boundary to code of the user's, which may raise anything
        return [
            problem(
                BUILT, _raised(error, function), "The function must build the session without a room and without a job."
            )
        ]
    parts = built if isinstance(built, tuple | list) else (built,)
    session = next((part for part in parts if isinstance(part, AgentSession)), None)
    agent = next((part for part in parts if isinstance(part, Agent)), None)
    if session is None:
        what = f"The function returned a {type(built).__name__} instead of an AgentSession."
        return [problem(BUILT, what, "Return the session, or (session, agent).")]
    try:
        return inspect_session(session, agent)
    finally:
        await session.aclose()


async def _build(function: Callable[[], Any]) -> Any:
    built = function()
    if not inspect.isawaitable(built):
        return built
    building = await finish(asyncio.ensure_future(_await(built)), BUILD_S)
    if building.cancelled():
        raise TimeoutError
    return building.result()


async def _await(built: Awaitable[Any]) -> Any:
    return await built


def _raised(error: BaseException, function: Callable[[], Any]) -> str:
    """Where the user's function failed, and with what. Only this plugin's own text is shown: it holds no secret."""
    steps = list(traceback.walk_tb(error.__traceback__))
    own_file = getattr(getattr(function, "__code__", None), "co_filename", None)
    in_own_file = [line for frame, line in steps if frame.f_code.co_filename == own_file]
    place = f" (line {in_own_file[-1]} of {os.path.basename(str(own_file))})" if in_own_file else ""
    is_ours = str(steps[-1][0].f_globals.get("__name__", "")).startswith(PACKAGE)
    said = f": {error}" if is_ours and isinstance(error, ValueError) else ""
    return f"The function raised {type(error).__name__}{place}{said}."


def inspect_session(session: AgentSession[Any], agent: Agent | None = None) -> list[Verdict]:
    """What is right and what is wrong with how the session is set up."""
    mode = _of_agent(agent, "turn_detection", session.turn_detection)
    vad = _of_agent(agent, "vad", session.vad)
    return [
        _stt(_of_agent(agent, "stt", session.stt)),
        _turn_detection(mode),
        _vad(vad, mode),
        _min_delay(session, mode),
        _warm_up(session),
        _preemptive(session),
    ]


def _of_agent(agent: Agent | None, name: str, otherwise: Any) -> Any:
    value = getattr(agent, name, None) if agent is not None else None
    is_given = agent is not None and hasattr(agent, name) and utils.is_given(value)
    return value if is_given else otherwise


def _stt(stt: FrameworkSTT[Any] | None) -> Verdict:
    if isinstance(stt, STT):
        return ok(STT_, f"It is this plugin's, with the model {stt.model}.")
    if stt is None:
        return problem(STT_, "The session has no STT.", "Pass AgentSession(stt=cartesia_turns.STT()).")
    if any(isinstance(inner, STT) for inner in wrapped_stts(stt)):
        return ok(STT_, f"It is this plugin's, within a {type(stt).__name__}.")
    what = f"It is a {type(stt).__module__}.{type(stt).__name__}, not this plugin's."
    return problem(STT_, what, "Pass AgentSession(stt=cartesia_turns.STT()).")


def _turn_detection(mode: Any) -> Verdict:
    if mode == "stt":
        return ok(TURNS, 'It is "stt": the session follows the server\'s turns.')
    if mode == "manual":
        return ok(TURNS, 'It is "manual": your code decides when a turn ends, and the server only transcribes.')
    shown = f'"{mode}"' if isinstance(mode, str) else "none" if mode is None else f"a {type(mode).__name__}"
    what = f"It is {shown}: the session ignores the turns that the server detects."
    return problem(TURNS, what, TURN_HANDLING)


def _vad(vad: Any, mode: Any) -> Verdict:
    if vad is None:
        return ok(VAD, "There is none: only the server decides when the user speaks.")
    if mode == "manual":
        return ok(VAD, "There is one. In manual mode it does not end turns, but it interrupts the agent.")
    what = "The session has a VAD, which interrupts the agent independently of the server's turns."
    return warning(VAD, what, "Pass AgentSession(vad=None); without it the framework adds one.")


def _min_delay(session: AgentSession[Any], mode: Any) -> Verdict:
    if mode != "stt":
        return skipped(DELAY, 'It matters only with turn detection "stt".')
    delay_s = float(session.options.endpointing.get("min_delay", MIN_DELAY_S))
    if delay_s > MIN_DELAY_S:
        what = f"It is {delay_s:g} s from the end of the speech. The server ends turns sooner, so replies are late."
        advice = f'Pass turn_handling(endpointing={{"min_delay": {MIN_DELAY_S}}}), or less.'
        return warning(DELAY, what, advice, min_delay_s=delay_s)
    return ok(DELAY, f"It is {delay_s:g} s, about the time in which the server ends the turn.", min_delay_s=delay_s)


def _warm_up(session: AgentSession[Any]) -> Verdict:
    seconds = session.options.aec_warmup_duration or 0.0
    if not seconds:
        return ok(WARM_UP, "There is none: the user can interrupt the agent from its first word.")
    what = f"In the first {seconds:g} s of the agent's speech, the server receives silence instead of the user's audio."
    advice = "Pass AgentSession(aec_warmup_duration=None) if the users' devices cancel echo, as browsers and phones do."
    return warning(WARM_UP, what, advice, warm_up_s=seconds)


def _preemptive(session: AgentSession[Any]) -> Verdict:
    if session.options.preemptive_generation.get("enabled", True):
        return ok(PREEMPTIVE, "It is on: the LLM prepares replies from turn.eager_end on.")
    what = "It is off, so turn.eager_end has no effect and each reply begins at turn.end."
    return warning(PREEMPTIVE, what, f'{TURN_HANDLING} Or set preemptive_generation={{"enabled": True}} yourself.')
