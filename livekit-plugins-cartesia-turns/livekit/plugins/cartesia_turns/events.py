"""The events that an STT emits beside the framework's speech events: `stt.on(name, handler)` gets one of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from livekit.agents import APIError

from .wire.messages import DetectedLanguage, TurnSettings

EventName: TypeAlias = Literal[
    "connected",
    "disconnected",
    "connection_error",
    "options_rejected",
    "turn_start",
    "turn_update",
    "turn_eager_end",
    "turn_resume",
    "turn_end",
]


@dataclass(frozen=True, slots=True)
class ConnectedEvent:
    """The server said `connected`, `connect_s` seconds after the attempt began."""

    request_id: str
    connect_s: float


@dataclass(frozen=True, slots=True)
class DisconnectedEvent:
    """A socket has ended. `reason` is a static text, `code` the close code if the server gave one."""

    request_id: str
    reason: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class ConnectionErrorEvent:
    """An attempt to connect failed, or a turn's socket was lost. `retry_in_s` is None if the stream gives up.

    `cause` is the name of a `Cause` in small letters: dns, refused, unreachable, reset, tls, proxy, timeout, answer,
    server, dropped, token, argument or other.
    """

    error: APIError
    retry_in_s: float | None
    cause: str = "other"


@dataclass(frozen=True, slots=True)
class OptionsRejectedEvent:
    """The server rejected a change of options on an open socket. The call goes on with those that were in force.

    The change is not sent again. `turn` has the settings that should have changed, and None for the others. `keyterms`
    and `language_hints` are None if they should not have changed. `error` is what the server said, with its
    `status_code`.
    """

    request_id: str
    error: APIError
    turn: TurnSettings
    keyterms: tuple[str, ...] | None = None
    language_hints: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class TurnStartEvent:
    """The user began to speak. This is the moment for a barge-in.

    `speech_start_time` is when the first sound was pushed, in seconds of the wall clock. `turn_id`, here and below, is
    the server's name for the turn, empty if it sends none.
    """

    request_id: str
    speech_start_time: float | None = None
    turn_id: str = ""


@dataclass(frozen=True, slots=True)
class TurnUpdateEvent:
    """The text of the turn grew. `transcript` is all of it."""

    request_id: str
    transcript: str
    turn_id: str = ""


@dataclass(frozen=True, slots=True)
class TurnEagerEndEvent:
    """The user may be done. A resume or the end of the turn follows."""

    request_id: str
    transcript: str
    turn_id: str = ""


@dataclass(frozen=True, slots=True)
class TurnResumeEvent:
    """The user was not done, and the turn goes on."""

    request_id: str
    transcript: str
    turn_id: str = ""


@dataclass(frozen=True, slots=True)
class TurnEndEvent:
    """The turn is over. `transcript` is its final text, empty if nothing was said.

    `speech_end_time` is when the last sound of speech was pushed, in seconds of the wall clock. `languages` are those
    that the server heard last, most likely first; empty if it does not say.
    """

    request_id: str
    transcript: str
    speech_end_time: float | None = None
    turn_id: str = ""
    languages: tuple[DetectedLanguage, ...] = ()


TurnEventData: TypeAlias = TurnStartEvent | TurnUpdateEvent | TurnEagerEndEvent | TurnResumeEvent | TurnEndEvent
