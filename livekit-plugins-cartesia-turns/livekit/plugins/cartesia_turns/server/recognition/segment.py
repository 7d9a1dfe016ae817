"""The stretch of audio that is being transcribed: how much to keep, and where to cut it.

Text of what lies before the cut is settled, so the cost of a look at the rest does not grow with the turn. Pure.
"""

from __future__ import annotations

import numpy as np

from .pcm import SPEECH, WINDOW_S, Samples


class Segment:
    """Windows of audio with the probability of speech in each."""

    PRE_ROLL = round(0.6 / WINDOW_S)
    """Windows kept from before a turn starts: turn.start comes some time after the first sound."""
    PAUSE = round(0.16 / WINDOW_S)
    """Windows without speech that make a pause."""
    LONG = round(4.0 / WINDOW_S)
    """A segment of so many windows or more is cut at a pause. A shorter one gains more from its context."""
    LONGEST = round(10.0 / WINDOW_S)
    """Windows at which it is cut even without a pause."""
    LEAST_SPEECH = round(0.1 / WINDOW_S)
    """Fewer windows of speech than this are not transcribed: a model that is given silence makes up words."""

    def __init__(self) -> None:
        self._windows: list[Samples] = []
        self._speech: list[float] = []

    def __len__(self) -> int:
        return len(self._windows)

    def push(self, window: Samples, speech: float) -> None:
        """Adds the next window and the probability of speech in it."""
        self._windows.append(window)
        self._speech.append(speech)

    def keep_pre_roll(self) -> None:
        """Drops what is older than the pre-roll."""
        del self._windows[: -self.PRE_ROLL]
        del self._speech[: -self.PRE_ROLL]

    def audio(self) -> Samples:
        """All of it."""
        return np.concatenate(self._windows)

    def take(self, cut: int | None = None) -> Samples | None:
        """Removes the windows before the cut, or all; returns their audio, or None where nobody speaks in it."""
        windows, speech = self._windows[:cut], self._speech[:cut]
        self._windows, self._speech = self._windows[len(windows) :], self._speech[len(windows) :]
        return np.concatenate(windows) if self._enough(speech) else None

    def is_spoken(self) -> bool:
        """Whether there is enough speech in it to transcribe."""
        return self._enough(self._speech)

    def speaks_after(self, cut: int) -> bool:
        """Whether there is speech behind the cut."""
        return any(probability >= SPEECH for probability in self._speech[cut:])

    def is_paused(self) -> bool:
        """Whether it ends with a pause, and so between two words."""
        return len(self) >= self.PAUSE and not self.speaks_after(-self.PAUSE)

    def quietest_cut(self) -> int | None:
        """The window at which to cut a segment of the greatest length: the quietest of its later half; else None."""
        if len(self) < self.LONGEST:
            return None
        first = len(self) // 2
        energy = np.array([float(np.square(window).mean()) for window in self._windows[first:]])
        # Three windows together: a stop consonant is as silent as a gap between words, but shorter.
        smooth = np.convolve(energy, np.ones(3), mode="valid")
        return first + int(np.argmin(smooth)) + 1

    def _enough(self, speech: list[float]) -> bool:
        return sum(probability >= SPEECH for probability in speech) >= self.LEAST_SPEECH
