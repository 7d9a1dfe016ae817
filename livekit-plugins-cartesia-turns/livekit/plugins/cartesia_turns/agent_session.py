"""What an AgentSession needs to leave turns to this STT, and what the plugin needs to know of the session."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, cast, get_args, get_origin, get_type_hints

from livekit.agents import TurnHandlingOptions
from typing_extensions import Unpack, is_typeddict

from . import compat
from .events import TurnStartEvent
from .log import logger

if TYPE_CHECKING:
    from livekit.agents import AgentSession

    from .stt import STT

IGNORED = (
    "the session ignores the turns that the server detects: pass it vad=None and "
    "turn_handling=cartesia_turns.turn_handling()"
)
VAD_BESIDE = (
    "the session has a VAD, which interrupts the agent independently of the turns that the server detects: pass it "
    "vad=None"
)


def turn_handling(**changes: Unpack[TurnHandlingOptions]) -> TurnHandlingOptions:
    """The `turn_handling` of an AgentSession whose turns the server detects.

    - `turn_detection` is "stt": the session follows the server's turn.start and turn.end. In any other mode it ignores
      them.
    - `endpointing` is fixed, with a `min_delay` of 0.5 s: the reply starts at least 0.5 s after the end of speech. The
      server's turn.end usually comes about 0.5 s after speech, so the framework adds no further delay. If turn.end
      comes sooner, the framework waits for the rest of the 0.5 s.
    - `interruption`: the agent resumes 1 s after a false interruption instead of 2 s, since turn.end soon shows that
      nothing was said.
    - `preemptive_generation` is on, without TTS: the LLM prepares the reply from turn.eager_end on, and the agent
      speaks it after turn.end. A turn may start up to 3 speculative replies (`max_retries`).

    Args:
        changes: keys of TurnHandlingOptions to change; each option group is merged key by key.

    Raises:
        ValueError: a key or a mode does not exist in TurnHandlingOptions or its groups, or a text stands where a number
            should. The framework itself ignores such keys, and fails on such texts at the end of each turn.
    """
    _check_options("turn_handling", TurnHandlingOptions, changes)
    options: dict[str, Any] = {
        "turn_detection": "stt",
        "endpointing": {"mode": "fixed", "min_delay": 0.5},
        "interruption": {"false_interruption_timeout": 1.0},
        "preemptive_generation": {"enabled": True, "preemptive_tts": False, "max_retries": 3},
    }
    for key, value in changes.items():
        options[key] = {**options.get(key, {}), **value} if isinstance(value, dict) else value
    return cast("TurnHandlingOptions", options)


def _check_options(where: str, kind: type[Any], options: object) -> None:
    """Raises a ValueError for a key, a mode or a text that this TypedDict, or one within it, does not have."""
    if not isinstance(options, Mapping):
        raise ValueError(f"{where} must be a mapping of options, not {options!r}")
    known = get_type_hints(kind)
    if unknown := sorted(options.keys() - known):
        raise ValueError(f"{where} has no option {unknown[0]!r}: the options are {', '.join(known)}")
    for name, value in options.items():
        if is_typeddict(known[name]):
            _check_options(f"{where}: {name}", known[name], value)
        elif isinstance(value, str) and value not in (words := _words(known[name])):
            allowed = f"one of {', '.join(words)}" if words else f"of type {_type_name(known[name])}"
            raise ValueError(f"{where}: {name} must be {allowed}, not {value!r}")


def _words(hint: object) -> list[str]:
    """The words that a Literal, or a Union that contains Literals, allows. No other option is a text."""
    return [word for part in (hint, *get_args(hint)) if get_origin(part) is Literal for word in get_args(part)]


def _type_name(hint: object) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)


def interrupt_on_turn_start(session: AgentSession[Any], stt: STT) -> Callable[[], None]:
    """Makes barge-in faster: silences the agent as soon as the user starts to speak.

    Without a VAD the framework waits for the first words, but the server's turn.start comes earlier. turn.start pauses
    the agent's speech, like the framework's own interruptions: words end the speech, and after a turn without words it
    continues after `false_interruption_timeout`. Pausing is not possible if the audio output can't pause, if
    `resume_false_interruption` or the timeout is off, or if the turn detection mode is not "stt". In these cases
    turn.start ends the speech for good, even if the user only coughs, and the log has one warning.

    Turns of other sessions on the same STT have no effect. Speech that does not allow interruptions continues. If the
    session's interruption options have `min_words`, this function has no effect.

    Returns:
        A function that undoes this. It is undone automatically when the session no longer exists.
    """
    barge_in = _BargeIn(session, stt)
    stt.on("turn_start", barge_in.on_turn_start)
    return barge_in.undo


class _BargeIn:
    """Silences the agent of one session. It does not keep the session alive."""

    def __init__(self, session: AgentSession[Any], stt: STT) -> None:
        self._stt = stt
        self._session = weakref.ref(session, lambda _: self.undo())

    def undo(self) -> None:
        self._stt.off("turn_start", self.on_turn_start)

    def on_turn_start(self, _: TurnStartEvent) -> None:
        session = self._session()
        if session is None or not _may_serve(session) or session.agent_state != "speaking":
            return
        if session.options.interruption["min_words"] > 0:
            self._stt._warn_once("interrupt_on_turn_start does nothing, since the session's min_words requires words")
        elif (pause := compat.way_to_pause(session)) is not None:
            pause()
        else:
            self._interrupt(session)

    def _interrupt(self, session: AgentSession[Any]) -> None:
        try:
            session.interrupt()
        except RuntimeError:
            # The session is closing, or this speech is not to be interrupted.
            logger.debug("the user starts to speak, but the agent's speech does not allow interruptions")
        else:
            self._stt._warn_once(
                "the agent's speech can't be paused: turn.start ends it for good, even if the turn has no words"
            )


_SERVED: ContextVar[weakref.ref[AgentSession[Any]] | None] = ContextVar("served", default=None)


def remember_session() -> None:
    """Remembers what `session_around` returns now, for the present task and those that it starts.

    A stream serves one session, but which one can't be told for a moment while the session changes its agent.
    """
    session = session_around()
    _SERVED.set(weakref.ref(session) if session is not None else None)


def _may_serve(session: AgentSession[Any]) -> bool:
    """Whether the present task serves this session, or may do so if that can't be told."""
    around = session_around()
    return around is session if around is not None else may_be_in_session()


def session_around() -> AgentSession[Any] | None:
    """The AgentSession whose STT stream the present task serves.

    None if that can't be told: outside an AgentSession, or under a custom STT node that is no method of an Agent.
    """
    if (served := _SERVED.get()) is not None:
        return served()
    return compat.session_of(compat.serving_activity())


def session_of_caller() -> AgentSession[Any] | None:
    """The AgentSession that runs the present code, such as a tool, `on_enter` or a node.

    None if that can't be told. The code of a job's entrypoint belongs to no session.
    """
    return compat.session_of(compat.calling_activity()) or session_around()


def keyterms_of(session: AgentSession[Any]) -> tuple[str, ...]:
    """The keyterms of a session, both configured and detected."""
    return tuple(session.keyterms)


def fault_of_session() -> str | None:
    """A static text that says what is wrong with the set-up of the AgentSession around the present task, or None."""
    activity = compat.serving_activity()
    mode = compat.turn_detection_of(activity)
    if mode not in ("stt", "manual"):
        return IGNORED
    return VAD_BESIDE if mode == "stt" and compat.has_vad(activity) else None


def may_be_in_session() -> bool:
    """Whether the present task may serve an AgentSession: it does, or this version of the framework does not tell."""
    return compat.is_in_stt_node() or not compat.TELLS_SESSION


class Commits:
    """Finds a session's manual commits, including that of its close, if the framework does not flush the STT for them.

    The framework tells nobody of a commit, so the stream asks with each frame. Frames keep coming: the microphone goes
    on, and at a close or while the microphone is off, the framework pushes silence.

    Args:
        session: whose commits to find. It is not kept alive.
    """

    def __init__(self, session: AgentSession[Any]) -> None:
        self._session = weakref.ref(session)
        self._answered: object = None

    def is_new(self) -> bool:
        """Whether a commit waits for words that no earlier call has returned True for."""
        session = self._session()
        commit = None if session is None else compat.commit_that_waits(session)
        if commit is None or commit is self._answered:
            return False
        self._answered = commit
        return True


def commits_to_answer() -> Commits | None:
    """The commits of the session around the present task; None if there is no need or no way to look for them."""
    session = session_around()
    return None if compat.FLUSHES or session is None else Commits(session)
