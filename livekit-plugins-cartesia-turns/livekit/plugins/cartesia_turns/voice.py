"""One-liners for an AgentSession that leaves turns to this STT."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from livekit.agents import Agent, TurnHandlingOptions
from livekit.agents.voice import audio_recognition

from .events import TurnStartEvent
from .log import logger

if TYPE_CHECKING:
    from livekit.agents import AgentSession

    from .stt import STT

_PIPELINE = "_STTPipelineContextVar"
_NO_PIPELINE: ContextVar[object] = ContextVar("no_pipeline")


def turn_handling(**changes: Any) -> TurnHandlingOptions:
    """The AgentSession's `turn_handling` that suits turns detected by the server.

    - `turn_detection` "stt": the server's turn.start and turn.end rule. In any other mode they are ignored.
    - `endpointing` fixed, `min_delay` 0.5 s: the least time between the end of speech and the reply. The server's
      turn.end comes about as late and carries the end of speech, so nothing is waited for twice; a turn.end that comes
      sooner leaves the rest of that time for the user to go on.
    - `interruption`: the agent goes on 1 s after a false interruption in place of 2: turn.end tells soon enough that
      nothing was said.
    - `preemptive_generation` on, without speech: the reply is thought out from turn.eager_end on and spoken after
      turn.end. `max_retries` 3: the most speculative replies in a turn.

    Args:
        changes: keys of TurnHandlingOptions to set otherwise; an option group is merged key by key.

    Raises:
        ValueError: a key that TurnHandlingOptions has not; the framework would pass over it in silence.
    """
    known = TurnHandlingOptions.__annotations__
    if unknown := sorted(changes.keys() - known):
        raise ValueError(f"turn_handling takes no {unknown[0]!r}: it takes {', '.join(known)}")
    options: dict[str, Any] = {
        "turn_detection": "stt",
        "endpointing": {"mode": "fixed", "min_delay": 0.5},
        "interruption": {"false_interruption_timeout": 1.0},
        "preemptive_generation": {"enabled": True, "preemptive_tts": False, "max_retries": 3},
    }
    for key, value in changes.items():
        options[key] = {**options.get(key, {}), **value} if isinstance(value, dict) else value
    return cast("TurnHandlingOptions", options)


def interrupt_on_turn_start(session: AgentSession[Any], stt: STT) -> Callable[[], None]:
    """Interrupts the agent as soon as the user starts to speak.

    Without a VAD the framework waits for the first words; the server's turn.start comes earlier. A speech that does not
    allow interruptions goes on.

    Returns:
        A function that undoes it.
    """

    def interrupt(_: TurnStartEvent) -> None:
        if session.agent_state != "speaking":
            return
        try:
            session.interrupt()
        except RuntimeError:
            # The session is closing, or this speech is not to be interrupted.
            logger.debug("the user starts to speak and the agent goes on: it can't be interrupted now")

    stt.on("turn_start", interrupt)

    def undo() -> None:
        stt.off("turn_start", interrupt)

    return undo


def session_around() -> AgentSession[Any] | None:
    """The AgentSession whose STT stream the present task serves.

    None where it can't be told: outside an AgentSession, or under a custom STT node that is no method of an Agent.
    """
    activity = _activity_around()
    return getattr(activity, "_session", None)


def turns_are_ignored() -> bool:
    """Whether the AgentSession around the present task is known to ignore the turns of its STT.

    So it is in any mode of turn detection but "stt" and "manual", the defaults among them.
    """
    mode = getattr(_activity_around(), "_turn_detection", "stt")
    return mode not in ("stt", "manual")


def may_be_in_session() -> bool:
    """Whether the present task may serve an AgentSession: it does, or an older framework does not tell."""
    return _pipeline_around() is not None or not hasattr(audio_recognition, _PIPELINE)


def _pipeline_around() -> object:
    # The framework has no public way from a stream to its session. These names are of 1.8; where they are gone, nothing
    # can be told.
    return getattr(audio_recognition, _PIPELINE, _NO_PIPELINE).get(None)


def _activity_around() -> object:
    agent = getattr(getattr(_pipeline_around(), "_stt_node", None), "__self__", None)
    return getattr(agent, "_activity", None) if isinstance(agent, Agent) else None
