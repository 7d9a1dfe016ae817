"""What the consumer is told of each step of a turn: when its speech began or ended, its usage, and what was measured.

All times are monotonic seconds.
"""

from __future__ import annotations

from dataclasses import replace

from .events import TurnEvent
from .measures import EndedBy, Measuring
from .speech import Activity
from .speech_times import SpeechTimes
from .text import has_words


class Telling:
    """Adds to the steps of a stream's turns what the turn itself does not know.

    Args:
        activity: when there was voice in the audio.
    """

    def __init__(self, activity: Activity) -> None:
        self._times = SpeechTimes(activity)
        self.measuring: Measuring = Measuring()
        """Measures the turns."""

    def started(self, event: TurnEvent, now: float) -> TurnEvent:
        """The event of a turn's start."""
        speech_start = self._times.turn_started(now)
        self.measuring.started(speech_start)
        return replace(event, at=speech_start)

    def went_on(self, event: TurnEvent, now: float) -> TurnEvent:
        """The event of a step that neither starts nor ends a turn."""
        self._times.turn_went_on(event.transcript, now)
        return event

    def ended(
        self, event: TurnEvent, now: float, ended_by: EndedBy, *, usage_s: float, heard_until: float, voice_waits: bool
    ) -> TurnEvent:
        """The event of a turn's end.

        Args:
            event: as the turn has it.
            now: the present.
            ended_by: what ended the turn.
            usage_s: the audio that was sent since the last report, in seconds.
            heard_until: the server had received all audio up to this time, and no other, when it ended the turn.
            voice_waits: voice that the server was not given yet waits to be sent, and does not belong to this turn.
        """
        self._times.turn_went_on(event.transcript, now)
        at = self._times.turn_ended(now, heard_until)
        speech_end = at if self._times.end_was_heard and not voice_waits else None
        measures = self.measuring.ended(now, ended_by, speech_end, has_words=has_words(event.transcript))
        return replace(event, at=at, usage_s=usage_s, measures=measures)
