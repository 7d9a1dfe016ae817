"""Every name of livekit-agents that is private, or that not all versions from 1.8.0 on have.

`NAMES` lists them, each with the versions that have it and what the plugin does without it. Only the functions below
use them. If a name is gone, the function says that it does not know, and nothing fails. `BASE_NAMES` are names that
every STT plugin inherits and uses: `stream.py` and `emitter.py` do not work without them.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from livekit import agents
from livekit.agents import Agent, stt

if TYPE_CHECKING or not hasattr(agents, "LiveSession"):
    from livekit.agents import AgentSession as AgentSession  # noqa: PLC0414  # other modules import it here
else:
    # This is its name from 2.0 on, which warns about the old one.
    AgentSession = agents.LiveSession


@dataclass(frozen=True, slots=True)
class Name:
    """A name of livekit-agents.

    `where` is its module below `livekit` and its path in there. `versions` is a version specifier. `without` is what
    happens if the name is gone.
    """

    where: str
    versions: str
    without: str


_UNKNOWN_SESSION = (
    "a stream does not know its session: no warning about a session that ignores the turns, the key terms that were "
    "set last count for all sessions of the STT, and a turn that was cut off may leave the user speaking"
)
_NOT_THE_SESSIONS = "a turn profile set by a tool is for all sessions"
_NO_VAD_WARNING = "no warning about a VAD beside the server's turns"
_LOOKS_FOR_COMMITS = "the plugin looks for a commit by the next three names, where a stream knows its session"
_NO_PAUSE = "interrupt_on_turn_start ends the agent's speech for good"
_SLOW_COMMIT = "a manual commit and the close of a session wait up to 2 s for words, which may come twice"
_NOT_FOUND = "the doctor does not find this STT within the adapter"

NAMES = (
    Name("agents.voice.audio_recognition:_STTPipelineContextVar", ">=1.8.9,<2.0.0a0", _UNKNOWN_SESSION),
    Name("agents.voice.audio_recognition:_STTPipeline._stt_node", ">=1.8.0", _UNKNOWN_SESSION),
    Name("agents.voice.agent:Agent._activity", ">=1.8.0,<2.0.0a0", _UNKNOWN_SESSION),
    Name("agents.voice.agent_activity:AgentActivity._bound_stt_node", ">=2.0.0a0", _UNKNOWN_SESSION),
    Name("agents.voice.agent_activity:_AgentActivityContextVar", ">=1.8.0", _NOT_THE_SESSIONS),
    Name("agents.voice.agent_activity:AgentActivity._session", ">=1.8.0", _UNKNOWN_SESSION),
    Name("agents.voice.agent_activity:AgentActivity._turn_detection", ">=1.8.0", f"no such warning, and {_NO_PAUSE}"),
    Name("agents.voice.agent_activity:AgentActivity.vad", ">=1.8.0", _NO_VAD_WARNING),
    Name("agents.voice.agent_session:AgentSession._activity", ">=1.8.0,<2.0.0a0", f"{_NO_PAUSE}, and {_SLOW_COMMIT}"),
    Name("agents.voice.agent_session:LiveSession._activity", ">=2.0.0a0", f"{_NO_PAUSE}, and {_SLOW_COMMIT}"),
    Name("agents.voice.agent_activity:AgentActivity._pause_enabled", ">=1.8.0", _NO_PAUSE),
    Name("agents.voice.agent_activity:AgentActivity._interrupt_by_audio_activity", ">=1.8.0", _NO_PAUSE),
    Name("agents.stt:STTCapabilities.manual_flush", ">=1.8.9,<2.0.0a0", _LOOKS_FOR_COMMITS),
    Name("agents.voice.agent_activity:AgentActivity._audio_recognition", ">=1.8.0", _SLOW_COMMIT),
    Name("agents.voice.audio_recognition:AudioRecognition._commit_user_turn_atask", ">=1.8.0", _SLOW_COMMIT),
    Name("agents.voice.audio_recognition:AudioRecognition._final_transcript_received", ">=1.8.0", _SLOW_COMMIT),
    Name("agents:LiveSession", ">=2.0.0a0", "AgentSession is the session's only name, as before 2.0"),
    Name("agents.stt.fallback_adapter:FallbackAdapter._stt_instances", ">=1.8.0", _NOT_FOUND),
    Name("agents.stt.multi_speaker_adapter:MultiSpeakerAdapter._stt", ">=1.8.0", _NOT_FOUND),
)

_NO_STREAM = "no stream runs"
BASE_NAMES = (
    Name("agents.stt:RecognizeStream._input_ch", ">=1.8.0", _NO_STREAM),
    Name("agents.stt:RecognizeStream._event_ch", ">=1.8.0", _NO_STREAM),
    Name("agents.stt:RecognizeStream._FlushSentinel", ">=1.8.0", _NO_STREAM),
    Name("agents.stt:RecognizeStream._check_input_not_ended", ">=1.8.0", _NO_STREAM),
    Name("agents.stt:RecognizeStream._check_not_closed", ">=1.8.0", _NO_STREAM),
    Name("agents.stt:RecognizeStream._report_connection_acquired", ">=1.8.0", _NO_STREAM),
    Name("agents.stt:STT._update_session_keyterms", ">=1.8.0", "a session's key terms are not heard of"),
    Name("rtc:EventEmitter._events", ">=1.8.0", "no event is told"),
)


def _module(name: str) -> object:
    """A module of the framework; None if it is gone."""
    try:
        return importlib.import_module(f"livekit.agents.{name}")
    except ImportError:
        return None


_RECOGNITION = _module("voice.audio_recognition")
_ACTIVITIES = _module("voice.agent_activity")
_PIPELINE = "_STTPipelineContextVar"
_ACTIVITY = "_AgentActivityContextVar"
_BINDS_NODES = hasattr(getattr(_ACTIVITIES, "AgentActivity", None), "_bound_stt_node")
"""An STT node runs with its activity bound in the context. Before 2.0 it may run with any other activity bound."""

TELLS_SESSION = _BINDS_NODES or hasattr(_RECOGNITION, _PIPELINE)
"""This version of the framework tells a stream which session it serves, unless the session's STT node is custom."""
FLUSHES = "manual_flush" in {field.name for field in fields(stt.STTCapabilities)}
"""This version of the framework flushes the STT's stream at a manual commit and at the close of a session."""


def capabilities(*, manual_flush: bool) -> stt.STTCapabilities:
    """The capabilities of the plugin that this version of the framework knows."""
    known: dict[str, Any] = {"manual_flush": manual_flush} if FLUSHES else {}
    return stt.STTCapabilities(streaming=True, interim_results=True, offline_recognize=False, keyterms=True, **known)


def _context(module: object, name: str) -> object:
    """What a context variable holds for the present task; None if it holds nothing or is gone."""
    variable = getattr(module, name, None)
    return variable.get(None) if isinstance(variable, ContextVar) else None


def is_in_stt_node() -> bool:
    """Whether the present task runs a session's STT node or was started by one. False if that can't be told."""
    return (
        _context(_ACTIVITIES, _ACTIVITY) is not None if _BINDS_NODES else _context(_RECOGNITION, _PIPELINE) is not None
    )


def serving_activity() -> object:
    """The agent's activity whose STT node runs in the present task, or has started it.

    None if that can't be told: outside a session and, before 2.0, in a custom node that is no method of an Agent.
    """
    if _BINDS_NODES:
        return _context(_ACTIVITIES, _ACTIVITY)
    node = getattr(_context(_RECOGNITION, _PIPELINE), "_stt_node", None)
    agent = getattr(node, "__self__", None)
    return getattr(agent, "_activity", None) if isinstance(agent, Agent) else None


def calling_activity() -> object:
    """The agent's activity whose code calls, such as a tool, `on_enter` or a node. None if that can't be told."""
    return _context(_ACTIVITIES, _ACTIVITY)


def session_of(activity: object) -> AgentSession[Any] | None:
    """The session of an agent's activity."""
    session: AgentSession[Any] | None = getattr(activity, "_session", None)
    return session


def turn_detection_of(activity: object) -> object:
    """How this activity detects turns: "stt", "manual", "vad", a model or None. "stt" if that can't be told."""
    return getattr(activity, "_turn_detection", "stt")


def has_vad(activity: object) -> bool:
    """Whether the activity runs a VAD too. False if that can't be told."""
    return getattr(activity, "vad", None) is not None


def way_to_pause(session: AgentSession[Any]) -> Callable[[], None] | None:
    """The function that pauses the agent until the turn has words or is over; None if the agent would not go on."""
    # The framework has no public way to pause. The agent goes on some time after the end of the STT's turn, but only in
    # mode "stt".
    activity = getattr(session, "_activity", None)
    may_pause = getattr(activity, "_pause_enabled", None)
    pause: Callable[[], None] | None = getattr(activity, "_interrupt_by_audio_activity", None)
    in_stt_mode = getattr(activity, "_turn_detection", None) == "stt"
    return pause if in_stt_mode and may_pause is not None and may_pause() else None


def commit_that_waits(session: AgentSession[Any]) -> object:
    """The session's manual commit that waits for a final now, including that of its close; None if there is none."""
    recognition = getattr(getattr(session, "_activity", None), "_audio_recognition", None)
    commit = getattr(recognition, "_commit_user_turn_atask", None)
    answered = getattr(recognition, "_final_transcript_received", None)
    if not isinstance(commit, asyncio.Task) or not isinstance(answered, asyncio.Event):
        return None
    return None if commit.done() or answered.is_set() else commit


def wrapped_stts(adapter: stt.STT[Any]) -> list[object]:
    """The STTs within one of the framework's adapters; empty if it is no adapter."""
    return [*getattr(adapter, "_stt_instances", ()), *filter(None, [getattr(adapter, "_stt", None)])]
