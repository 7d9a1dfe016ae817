"""The messages of Cartesia's turn-based speech-to-text websocket, both ways, as values.

The facts are the vendor's: https://docs.cartesia.ai/api-reference/stt/turns/websocket and
https://docs.cartesia.ai/use-the-api/stt/turns. Audio travels beside these messages as binary frames of raw PCM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias


@dataclass(frozen=True, slots=True)
class Connected:
    """The server accepted the socket. It comes once. Audio may be sent before it."""

    TYPE: ClassVar[str] = "connected"
    request_id: str


@dataclass(frozen=True, slots=True)
class DetectedLanguage:
    """A language that the server heard: its code ("hi"), and how sure the server is (0-1), if it says so."""

    language: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class TurnStart:
    """The user began to speak, some time before this message.

    `turn_id` names the turn in all its messages, and is empty if the server sends none. The vendor's description does
    not have it, but live captures do (read 2026-11-25).
    """

    TYPE: ClassVar[str] = "turn.start"
    request_id: str
    turn_id: str = ""


@dataclass(frozen=True, slots=True)
class TurnUpdate:
    """What the user said so far in this turn: cumulative, append-only, verbatim."""

    TYPE: ClassVar[str] = "turn.update"
    request_id: str
    transcript: str
    turn_id: str = ""
    languages: tuple[DetectedLanguage, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnEagerEnd:
    """The user may be done; a TurnResume or a TurnEnd follows."""

    TYPE: ClassVar[str] = "turn.eager_end"
    request_id: str
    transcript: str
    turn_id: str = ""
    languages: tuple[DetectedLanguage, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnResume:
    """The last TurnEagerEnd was wrong: the turn goes on."""

    TYPE: ClassVar[str] = "turn.resume"
    request_id: str
    turn_id: str = ""


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """The turn is over. The transcript is final, and empty if there was nothing to transcribe.

    `languages` are those of the most recent audio, most confident first. ink-preview sends them, ink-2 does not
    (the vendor's documentation, read 2026-11-25); they are read wherever there is a transcript.
    """

    TYPE: ClassVar[str] = "turn.end"
    request_id: str
    transcript: str
    turn_id: str = ""
    languages: tuple[DetectedLanguage, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """The server reports a failure, and usually closes the socket next.

    The body of a failed handshake has the same fields. `status_code` is like that of HTTP, and `error_code` is for
    programs (such as "concurrency_limited"). Any of the fields may be missing on the wire.
    """

    TYPE: ClassVar[str] = "error"
    message: str = ""
    title: str = ""
    status_code: int = 500
    error_code: str | None = None
    request_id: str = ""
    doc_url: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A well-formed message of a type this version does not know. The protocol says to ignore it."""

    type: str


BareMessage: TypeAlias = TurnStart | TurnResume
"""The messages of a turn that have no text."""
SpokenMessage: TypeAlias = TurnUpdate | TurnEagerEnd | TurnEnd
"""The messages of a turn that have its text so far."""
TurnMessage: TypeAlias = BareMessage | SpokenMessage
ServerMessage: TypeAlias = Connected | TurnMessage | ErrorMessage | Unknown


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """Settings of the server's turn detection. None keeps the server's value.

    The server compares the likelihood that the user is in a turn with three thresholds, ordered start > eager_end >
    end. `end_timeout_ms` is the longest wait after speech stopped.
    """

    start_threshold: float | None = None
    eager_end_threshold: float | None = None
    end_threshold: float | None = None
    end_timeout_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """Changes settings without a reconnect. A setting that is None, here or in `turn`, stays as it is.

    A list replaces the one in force, and an empty list clears it. `turn` is for any model, and the lists are for
    ink-preview (the vendor's documentation, read 2026-11-25).
    """

    TYPE: ClassVar[str] = "config"
    turn: TurnSettings = TurnSettings()
    keyterms: tuple[str, ...] | None = None
    language_hints: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """Asks the server to turn all audio it holds into events and then to close the socket.

    The server takes `done` for the same message (field reports, read 2026-11-25).
    """

    TYPE: ClassVar[str] = "close"
    TYPES: ClassVar[frozenset[str]] = frozenset({"close", "done"})


ClientMessage: TypeAlias = Config | Close
