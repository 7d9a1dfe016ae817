"""The times of a turn's speech, which the wire does not give: from the voice in the audio, and from the text.

All times are monotonic seconds.
"""

from __future__ import annotations

import math

from .speech import Activity

LONGEST_ONSET_S = 3.0
"""How long before a turn.start its speech may have begun."""
LONGEST_WORD_S = 1.0
"""Voice goes on at most this long after the last new text. What sounds like voice later is noise."""


class SpeechTimes:
    """The start and the end of the speech in a turn, on the clock of the pushed audio.

    Always start <= end <= now.

    Args:
        activity: what was heard.
    """

    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._started_at = 0.0
        self._text = ""
        self._text_at: float | None = None
        self.end_was_heard = False
        """Whether the audio told the end of the last turn's speech. Otherwise it is a guess, as in loud noise."""

    def turn_went_on(self, text: str, now: float) -> None:
        """The turn has this text by now, so its new words were spoken before `now`, or nearly so."""
        if text != self._text:
            self._text, self._text_at = text, now

    def turn_started(self, now: float) -> float:
        """A turn started; returns when its speech began: the onset in the audio, or else `now`."""
        heard = self._activity.voice_began(now, within_s=LONGEST_ONSET_S)
        self._started_at = now if heard is None else heard
        self._text, self._text_at = "", None
        return self._started_at

    def turn_ended(self, now: float, heard_until: float = math.inf) -> float:
        """The turn ended; returns when its speech ended.

        That is when voice was last heard, however late the text came. Only if voice seems to go on for longer than a
        word after the last new text, it counts as noise, and speech ended at the time of that text.

        Args:
            now: the present.
            heard_until: when the audio came that the server had heard last. Voice after that is not of this turn.
        """
        within_s = now - self._started_at
        stopped_at = self._activity.voice_stopped(now, within_s=within_s, until=heard_until)
        heard_at = self._activity.voice_ended(now, within_s=within_s) if stopped_at is None else stopped_at
        text_at = now if self._text_at is None else self._text_at
        is_speech = heard_at is not None and heard_at <= text_at + LONGEST_WORD_S
        self.end_was_heard = stopped_at is not None and is_speech
        ended_at = heard_at if heard_at is not None and is_speech else text_at
        return max(ended_at, self._started_at)
