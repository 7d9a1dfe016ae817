"""When somebody was heard in the pushed audio, by its energy: the times of speech that the wire does not give."""

from __future__ import annotations

import math

import numpy as np

QUIETEST_DBFS = -55.0
"""Nothing below this counts as voice, however quiet the room."""
ABOVE_FLOOR_DB = 9.0
"""How far voice stands above the noise floor."""
FLOOR_RISE_DB_PER_S = 3.0
"""How fast the floor follows a noise that stays: speech has gaps long before the floor reaches it."""
LONGEST_ONSET_S = 3.0
"""How long before a turn.start its speech may have begun."""
LONGEST_GAP_S = 0.6
"""A pause within one stretch of speech."""


def level_dbfs(pcm: bytes) -> float:
    """The level of signed 16-bit mono PCM in dB below full scale, -inf for digital silence."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
    power = float(np.dot(samples, samples)) / samples.size if samples.size else 0.0
    return 10 * math.log10(power / 32768**2) if power else -math.inf


class Activity:
    """Follows the energy of pushed audio with an adaptive noise floor.

    Times are those of the caller's clock, in seconds: a frame pushed at `now` covers the time before `now`.
    """

    def __init__(self) -> None:
        self._floor_dbfs = QUIETEST_DBFS
        self._began_at: float | None = None
        self._ended_at: float | None = None
        self.quiet_s = math.inf
        """Seconds of audio since the last voice."""

    def push(self, pcm: bytes, seconds: float, now: float) -> None:
        """Notes a frame of audio: signed 16-bit mono PCM of `seconds` seconds."""
        level = level_dbfs(pcm)
        is_voice = level > max(self._floor_dbfs + ABOVE_FLOOR_DB, QUIETEST_DBFS)
        rise = self._floor_dbfs + FLOOR_RISE_DB_PER_S * seconds
        self._floor_dbfs = max(min(level, rise), QUIETEST_DBFS - 20)
        if not is_voice:
            self.quiet_s += seconds
            return
        if self._ended_at is None or now - seconds - self._ended_at > LONGEST_GAP_S:
            self._began_at = now - seconds
        self._ended_at = now
        self.quiet_s = 0.0

    def voice_began(self, now: float, *, within_s: float) -> float | None:
        """When the last stretch of voice began, if that is at most `within_s` seconds ago."""
        return self._recent(self._began_at, now, within_s)

    def voice_ended(self, now: float, *, within_s: float) -> float | None:
        """When voice was last heard, if that is at most `within_s` seconds ago."""
        return self._recent(self._ended_at, now, within_s)

    def _recent(self, at: float | None, now: float, within_s: float) -> float | None:
        return at if at is not None and now - at <= within_s else None


class SpeechTimes:
    """The start and the end of the speech in a turn, on the clock of the pushed audio.

    Always start <= end <= now.

    Args:
        activity: what was heard.
    """

    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._started_at = 0.0
        self._text_at: float | None = None

    def turn_started(self, now: float) -> float:
        """A turn started; returns when its speech began: the onset that was heard, or else `now`."""
        heard = self._activity.voice_began(now, within_s=LONGEST_ONSET_S)
        self._started_at = now if heard is None else heard
        self._text_at = None
        return self._started_at

    def text_grew(self, now: float) -> None:
        """New words came: they were spoken before `now`."""
        self._text_at = now

    def turn_ended(self, now: float) -> float:
        """The turn ended; returns when its speech ended.

        That is when voice was last heard, but not after the last words came, so that noise does not count as speech.
        """
        bounds = [self._activity.voice_ended(now, within_s=now - self._started_at), self._text_at]
        ended_at = min((at for at in bounds if at is not None), default=now)
        return max(ended_at, self._started_at)
