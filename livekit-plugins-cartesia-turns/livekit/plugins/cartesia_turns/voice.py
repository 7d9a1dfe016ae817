"""One-liners for an AgentSession that leaves turns to this STT."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from livekit.agents import TurnHandlingOptions

from .events import TurnStartEvent
from .log import logger

if TYPE_CHECKING:
    from livekit.agents import AgentSession

    from .stt import STT


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
    """
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
