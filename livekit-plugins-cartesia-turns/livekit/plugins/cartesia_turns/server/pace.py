"""How fast a client may send. Pure: time and the length of audio are arguments, in seconds."""

from __future__ import annotations

ROUNDING_S = 1e-6
"""Far less than a sample: sums of floats are not exact."""


class PaceLimit:
    """Notices audio that comes faster than it is taken.

    The vendor's server takes "one second of audio data per second" (its documentation, read 2026-11-25); how much more
    is too much is not known.

    Args:
        pace: seconds of audio that are taken in a second.
        burst_s: how far ahead of that a client may be at any time. Having sent less before gives it no credit.
    """

    def __init__(self, pace: float, burst_s: float) -> None:
        self._pace = pace
        self._burst_s = burst_s
        self._ahead_s = 0.0
        self._last_s: float | None = None

    def exceeded_by(self, audio_s: float, now_s: float) -> bool:
        """Takes audio that has come now; returns whether it is too much."""
        since_s = 0.0 if self._last_s is None else now_s - self._last_s
        self._last_s = now_s
        self._ahead_s = max(0.0, self._ahead_s - self._pace * since_s) + audio_s
        return self._ahead_s > self._burst_s + ROUNDING_S
