"""The events of a client: steps of turns, and whatever else the user of a stream may want to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from ..wire.messages import DetectedLanguage
from .changes import Rejected
from .measures import Measures


class Kind(Enum):
    """What happened in the turn."""

    START = "start"
    UPDATE = "update"
    EAGER_END = "eager_end"
    RESUME = "resume"
    END = "end"


@dataclass(frozen=True, slots=True)
class TurnEvent:
    """One step of a turn.

    `transcript` is the whole text of the turn so far, verbatim; empty for START. `turn_id` is the server's name for the
    turn. `languages` are those that the server heard, most likely first. `request_id` is the server's name for the
    socket. These three are empty if the server does not say.

    The client adds the rest to a START and an END. `at` is when speech began (for START) or ended (for END), in
    monotonic seconds. For END, `usage_s` is how much audio was sent since the last report, and `measures` is what was
    measured of the turn.
    """

    kind: Kind
    transcript: str = ""
    turn_id: str = ""
    languages: tuple[DetectedLanguage, ...] = ()
    request_id: str = ""
    at: float | None = None
    usage_s: float = 0.0
    measures: Measures | None = None


@dataclass(frozen=True, slots=True)
class Flushed:
    """A flush is done and brought no final text."""


class Notice(Enum):
    """Something the user of the stream may want to know. The value is a static text for the log."""

    FEEDING = "the audio stopped in mid-turn: sending silence until it resumes or the turn ends"
    OVERDUE = "silence did not end the turn: closing it with the text so far"
    NO_WORDS = "the server's turn has no words after a long time: closing the turn and keeping the connection"
    STALLED = "the server sends no events in mid-turn: closing the turn with the text so far"
    NOT_RESUMED = "the server did not continue the turn after the replay: closing it with the text so far"
    NOT_RECONNECTED = "no connection was made in time: closing the turn with the text so far"
    SLOWER = "the server did not accept a backlog at this speed: sending it slower from now on"
    AUDIO_LOST = "the backlog exceeds max_buffer: dropping silence first, then the oldest audio"


@dataclass(frozen=True, slots=True)
class Usage:
    """How much audio was sent since the last report. Ends of turns report usage too, in `TurnEvent.usage_s`."""

    seconds: float


def are_inside_turn(events: Sequence[ClientEvent]) -> bool:
    """Whether the events are steps inside a turn (texts, eager ends, resumes) and nothing else, as most are.

    A snapshot of the counters is not needed then. It takes 10 microseconds, and to report a text takes 30.
    """
    return all(
        isinstance(event, TurnEvent) and event.kind is not Kind.START and event.kind is not Kind.END for event in events
    )


ClientEvent: TypeAlias = TurnEvent | Flushed | Notice | Rejected | Usage
"""What `TurnsClient.take_events` returns."""
