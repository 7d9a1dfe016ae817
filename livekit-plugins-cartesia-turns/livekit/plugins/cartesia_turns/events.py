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
    """The server sent `connected`, `connect_s` seconds after the attempt began."""

    request_id: str
    connect_s: float


@dataclass(frozen=True, slots=True)
class DisconnectedEvent:
    """A socket was closed or lost. `reason` is a static text, `code` the server's close code, if any."""

    request_id: str
    reason: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class ConnectionErrorEvent:
    """An attempt to connect failed, or a socket was lost in mid-turn. `retry_in_s` is None if the stream gives up.

    `cause` is the lower-case name of a `Cause`: dns, refused, unreachable, reset, tls, proxy, timeout, answer,
    server, dropped, token, argument or other.
    """

    error: APIError
    retry_in_s: float | None
    cause: str = "other"


@dataclass(frozen=True, slots=True)
class OptionsRejectedEvent:
    """The server rejected a change of options on an open socket. The call continues with the previous options.

    The change is not sent again. `turn` has the rejected settings, and None for the others. `keyterms` and
    `language_hints` are None if they were not part of the change. `error` has the server's message and its
    `status_code`.
    """

    request_id: str
    error: APIError
    turn: TurnSettings
    keyterms: tuple[str, ...] | None = None
    language_hints: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class TurnStartEvent:
    """The user began to speak. A barge-in can happen now.

    `speech_start_time` is the time at which the first sound of the speech was pushed, in seconds of the wall clock.
    `turn_id` is the server's id of the turn, empty if it sends none.
    """

    request_id: str
    speech_start_time: float | None = None
    turn_id: str = ""


@dataclass(frozen=True, slots=True)
class TurnUpdateEvent:
    """The text of the turn grew. `transcript` is the whole text so far."""

    request_id: str
    transcript: str
    turn_id: str = ""


@dataclass(frozen=True, slots=True)
class TurnEagerEndEvent:
    """The turn may be over. A resume or the end of the turn follows."""

    request_id: str
    transcript: str
    turn_id: str = ""


@dataclass(frozen=True, slots=True)
class TurnResumeEvent:
    """The user continues to speak after an eager end."""

    request_id: str
    transcript: str
    turn_id: str = ""


@dataclass(frozen=True, slots=True)
class TurnEndEvent:
    """The turn is over. `transcript` is its final text, empty if nothing was said.

    `speech_end_time` is the time at which the last sound of the speech was pushed, in seconds of the wall clock.
    `languages` are the languages that the server detected, most likely first; empty if it sends none.
    """

    request_id: str
    transcript: str
    speech_end_time: float | None = None
    turn_id: str = ""
    languages: tuple[DetectedLanguage, ...] = ()


TurnEventData: TypeAlias = TurnStartEvent | TurnUpdateEvent | TurnEagerEndEvent | TurnResumeEvent | TurnEndEvent
