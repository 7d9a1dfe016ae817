"""A client that keeps notes of what happens in it, in order.

What must not wait is done first, and noted with whatever is noted next: live audio, a ping, the last message, and what
the framework was told of it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import TYPE_CHECKING, TypeAlias

from ..core.client import TurnsClient
from ..core.events import ClientEvent
from ..core.pacing import Pace
from ..core.requests import Limits
from ..wire.messages import ServerMessage, TurnUpdate
from ..wire.options import Options
from .journal import RESIZED, Journal, Noted
from .letters import CAME, HEARD, LIVE, PINGED, SPOKE, TOLD, TOLD_OF, UPDATED
from .schema import Fields, told_to
from .steps import AUDIO_S, SPEECH_END, SPEECH_START, says_only

if TYPE_CHECKING:
    from livekit.agents import stt

COUNTED_EVERY_S = 30.0
"""The counters are noted with the first message or events after this time, in seconds, that have a line."""

Received: TypeAlias = tuple[ServerMessage, float, int, list[ClientEvent]]
"""A message, its time, how many pieces of live audio that is not booked yet came before it, and its events."""
Told: TypeAlias = "tuple[float, stt.SpeechEvent]"
"""When the framework got which speech event."""


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
        self.late: list[float | Received | Told] = []
        """What happened and is not noted yet, in order: when a ping was offered (it is noted with what says that it was
        sent, if that comes next), a message, and what the framework got (their reader has not run yet)."""
        self._said: tuple[str | None, str, str] | None = None
        """The type of the speech event that tells the text of the last message, the request id, and the text; None if
        the event of that message is noted neither as CAME nor as HEARD."""

    def note(self, now: float, what: Noted) -> None:
        """Notes something that is not a call of the client, but that happens between two of them."""
        self._catch_up()
        self._journal.note(now, what)

    def _step(self, letter: str, now: float) -> None:
        """Notes one of STEPS. What else belongs to it is in the columns already; its audio behind live audio."""
        if self.late or len(self.live.pieces.pcm) > self._noted_live:
            self._catch_up()
        # This is what `_write` does. To call it would take longer, and there are three of these calls for each ping.
        columns = self._journal.columns
        columns.times.append(now)
        columns.letters.append(letter)

    def _write(self, letter: str, now: float) -> None:
        columns = self._journal.columns
        columns.times.append(now)
        columns.letters.append(letter)

    def _catch_up(self) -> None:
        """Notes all that happened and is not noted yet."""
        if self.late:
            self._note_late()
        if (count := len(self.live.pieces.pcm)) > self._noted_live:
            self._note_live_to(count)

    def _note_late(self) -> None:
        """Notes what is `late`, with the live audio before it."""
        late, self.late = self.late, []
        for what in late:
            if not isinstance(what, tuple):
                self._write(PINGED, what)
            elif len(what) == 2:
                self._note_told(*what)
            else:
                self._note_received(*what)

    def _note_told(self, now: float, event: stt.SpeechEvent) -> None:
        kind, request_id, text = self._said or (None, "", "")
        said = event.alternatives[0] if event.alternatives else None
        if self._said is None or event.request_id != request_id or (said and (said.text != text or not said.language)):
            # To write its fields out costs less than to keep the event for the other thread.
            self._journal.note(now, _speech(event))
            return
        columns, usage_s = self._journal.columns, None
        if event.recognition_usage is not None:
            usage_s = event.recognition_usage.audio_duration
        # Older versions of the framework do not have these times.
        start, end = getattr(event, SPEECH_START, None), getattr(event, SPEECH_END, None)
        columns.speech.append(said.language if said else "")
        if said and event.type == kind and start is end is usage_s is None:
            self._write(TOLD, now)
        else:
            columns.speech.append(event.type)
            columns.heard.extend(map(_number, (start, end, usage_s)))
            self._write(SPOKE, now)

    def _note_live_to(self, count: int) -> None:
        """Notes the first pieces of live audio that are not booked yet, as far as they are not noted yet."""
        pcm, times = self.live.pieces
        noted = self._noted_live
        # All that the lane holds have one length.
        self._note_size(len(pcm[noted]))
        columns = self._journal.columns
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
        if live > self._noted_live:
            self._note_live_to(live)
        columns = self._journal.columns
        event, came, self._said = events[0] if len(events) == 1 else None, "", None
        if event is not None and says_only(event, message):
            self._said = TOLD_OF.get(getattr(message, "TYPE", "")), event.request_id, event.transcript
            came = CAME
            if event.at is not None:
                came = HEARD
                columns.heard.extend((event.at, event.usage_s))
        if isinstance(message, TurnUpdate) and not message.languages:
            columns.updates.extend((message.request_id, message.turn_id, message.transcript))
            came = UPDATED + came
        else:
            self._journal.note(now, message)
            self._note_counters(now)
        if came:
            columns.times.extend([now] * len(came))
            columns.letters.append(came)
        if self._said is None:
            self._note_events(now, events)

    def _note(self, method: str, now: float, **arguments: object) -> None:
        """Notes a call."""
        self._catch_up()
        self._journal.note(now, {"call": method, **arguments})

    def _note_events(self, now: float, new: list[ClientEvent] | None = None) -> None:
        """Notes these events, or those since the last time, and the counters."""
        if new := self._new_events() if new is None else new:
            self._journal.note(now, new)
            self._note_counters(now)

    def _note_counters(self, now: float) -> None:
        """Notes the counters every COUNTED_EVERY_S."""
        if now - self._counted_at >= COUNTED_EVERY_S:
            self._counted_at = now
            self._journal.note(now, self.stats)

    def _new_events(self) -> list[ClientEvent]:
        """The events since the last call."""
        events = self._events
        known, noted = self._noted_events
        self._noted_events = events, len(events)
        return events[noted:] if events is known else events[:]


def _number(value: float | None) -> float:
    return nan if value is None else value


def _speech(event: stt.SpeechEvent) -> Fields:
    said = (event.alternatives[0].text, str(event.alternatives[0].language)) if event.alternatives else ()
    told = told_to(event.type, event.request_id, *said)
    if event.recognition_usage is not None:
        told[AUDIO_S] = event.recognition_usage.audio_duration
    for name in (SPEECH_START, SPEECH_END):
        if (value := getattr(event, name, None)) is not None:
            told[name] = value
    return told
