"""A client that keeps notes of what happens in it, in order.

What must not wait is done first, and noted with whatever is noted next: live audio, the last message, and what the
framework was told of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from ..core.client import TurnsClient
from ..core.events import ClientEvent, TurnEvent
from ..core.pacing import Pace
from ..core.requests import Limits
from ..wire.messages import ServerMessage, TurnUpdate
from ..wire.options import Options
from .journal import RESIZED, Journal, Noted
from .schema import CAME, LIVE, TOLD, UPDATED, Fields, told_to
from .steps import says_only

if TYPE_CHECKING:
    from livekit.agents import stt

COUNTED_EVERY_S = 30.0
"""The counters are noted with the first events after this time, in seconds."""

SPEECH_START, SPEECH_END = "speech_start_time", "speech_end_time"
"""The times of speech events, which older versions of the framework do not have."""

Received: TypeAlias = tuple[ServerMessage, float, int, list[ClientEvent]]
"""A message, its time, how many pieces of live audio that is not booked yet came before it, and its events."""


class NotingClient(TurnsClient):
    """A client with all that RecordedClient needs to note its calls.

    Args:
        options: as TurnsClient.
        limits: as TurnsClient.
        now: as TurnsClient.
        pace: as TurnsClient.
        journal: takes the notes.
        clock: returns the monotonic time, for the calls that have no `now`.
    """

    def __init__(
        self, options: Options, limits: Limits, now: float, pace: Pace, *, journal: Journal, clock: Callable[[], float]
    ) -> None:
        super().__init__(options, limits, now, pace)
        self._journal = journal
        self._clock = clock
        self._known_pace = pace
        self._noted_events: tuple[list[ClientEvent], int] = self._events, 0
        """Events that wait to be taken, and how many of them are noted already."""
        self._noted_live = 0
        """How many pieces of live audio that are not booked yet are noted already."""
        self._piece = -1
        """How many bytes the last piece of audio has that is noted."""
        self._counted_at = now
        self._received: Received | None = None
        """The last message, until it is noted."""
        self.told: list[tuple[float, stt.SpeechEvent]] = []
        """When the framework got which speech events. They are noted later, since their reader has not run yet."""
        self._text: TurnEvent | None = None
        """The event of the last text, if it is noted as CAME."""

    def note(self, now: float, what: Noted) -> None:
        """Notes something that is not a call of the client, but that happens between two of them."""
        self._catch_up()
        self._journal.note(now, what)

    def _step(self, letter: str, now: float) -> None:
        """Notes one of STEPS. What else belongs to it is in the columns already; its audio behind live audio."""
        if self._received or self.told or len(self.live.pieces.pcm) > self._noted_live:
            self._catch_up()
        columns = self._journal.columns
        columns.times.append(now)
        columns.letters.append(letter)

    def _catch_up(self) -> None:
        """Notes all that happened and is not noted yet: the last message, what was told, and live audio."""
        self._note_message()
        self._note_live_to(len(self.live.pieces.pcm))

    def _note_message(self) -> None:
        """Notes the last message and what was told, as far as they are not noted yet."""
        if received := self._received:
            self._received = None
            self._note_received(*received)
        if told := self.told:
            self.told = []
            for now, event in told:
                said = event.alternatives[0] if _is_interim(event) else None
                if said is None or not self._note_told(event.request_id, said.text, said.language, now):
                    # To write its fields out costs less than to keep the event for the other thread.
                    self._journal.note(now, _speech(event))

    def _note_told(self, request_id: str, text: str, language: str, now: float) -> bool:
        """Notes an interim transcript that the framework got, if it is that of the last text; returns whether it is."""
        last = self._text
        if last is None or text != last.transcript or request_id != last.request_id:
            return False
        columns = self._journal.columns
        columns.languages.append(language)
        columns.times.append(now)
        columns.letters.append(TOLD)
        return True

    def _note_live_to(self, count: int) -> None:
        pcm, times = self.live.pieces
        if count > (noted := self._noted_live):
            columns = self._journal.columns
            # All that the lane holds have one length.
            self._note_size(len(pcm[noted]))
            columns.pcm.extend(pcm[noted:count])
            columns.times.extend(times[noted:count])
            columns.letters.append(LIVE * (count - noted))
            self._noted_live = count

    def _note_size(self, size: int) -> None:
        """Notes that the next pieces of audio have this length, in bytes."""
        if size != self._piece:
            self._piece = size
            self._journal.columns.letters.append(RESIZED)

    def _note_received(self, message: ServerMessage, now: float, live: int, events: list[ClientEvent]) -> None:
        self._note_live_to(live)
        if not isinstance(message, TurnUpdate) or message.languages:
            self._journal.note(now, message)
            self._note_events(now, events)
            return
        columns = self._journal.columns
        columns.updates.extend((message.request_id, message.turn_id, message.transcript))
        event = events[0] if len(events) == 1 else None
        self._text = event if event is not None and says_only(event, message) else None
        columns.times.extend((now, now) if self._text else (now,))
        columns.letters.append(UPDATED + CAME if self._text else UPDATED)
        if not self._text:
            self._note_events(now, events)

    def _note(self, method: str, now: float, **arguments: object) -> None:
        """Notes a call."""
        self._catch_up()
        self._journal.note(now, {"call": method, **arguments})

    def _note_events(self, now: float, new: list[ClientEvent] | None = None) -> None:
        """Notes these events, or those since the last time, and the counters every COUNTED_EVERY_S."""
        if not (new := self._new_events() if new is None else new):
            return
        self._journal.note(now, new)
        if now - self._counted_at >= COUNTED_EVERY_S:
            self._counted_at = now
            self._journal.note(now, self.stats)

    def _new_events(self) -> list[ClientEvent]:
        """The events since the last call."""
        events = self._events
        known, noted = self._noted_events
        self._noted_events = events, len(events)
        return events[noted:] if events is known else events[:]


def _is_interim(event: stt.SpeechEvent) -> bool:
    """Whether it has a text that is not final, and no times of speech."""
    return (
        event.type == "interim_transcript"
        and bool(event.alternatives)
        and getattr(event, SPEECH_START, None) is None
        and getattr(event, SPEECH_END, None) is None
    )


def _speech(event: stt.SpeechEvent) -> Fields:
    said = (event.alternatives[0].text, str(event.alternatives[0].language)) if event.alternatives else ()
    told = told_to(event.type, event.request_id, *said)
    if event.recognition_usage is not None:
        told["audio_s"] = event.recognition_usage.audio_duration
    for name in (SPEECH_START, SPEECH_END):
        if (value := getattr(event, name, None)) is not None:
            told[name] = value
    return told
