"""What a stream is told beside the options of its connections: checked once, immutable."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from .client import Limits

MANY_RETRIES = 3
"""The framework's default: with fewer, it wants failures soon (FallbackAdapter, to switch to the next STT)."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """The arguments of `STT` that go by the same names, times in seconds.

    Raises:
        ValueError: one is out of range; the text names it, its value and what is allowed.
    """

    watchdog_min_timeout: float = 0.5
    max_buffer: float = 60.0
    outage_timeout: float | None = None
    audio_chunk_duration_ms: int | None = None
    speech_end_time: bool = True
    early_preflight: int = 0
    http_session: aiohttp.ClientSession | None = None

    def __post_init__(self) -> None:
        check_positive("watchdog_min_timeout", self.watchdog_min_timeout)
        check_positive("max_buffer", self.max_buffer)
        if self.audio_chunk_duration_ms is not None:
            check_positive("audio_chunk_duration_ms", self.audio_chunk_duration_ms)
        if self.outage_timeout is not None and not self.outage_timeout >= 0:
            raise ValueError(
                f"outage_timeout={self.outage_timeout!r} is out of range: it must be 0 or more seconds, or None"
            )
        if not isinstance(self.early_preflight, int) or self.early_preflight < 0:
            raise ValueError(f"early_preflight={self.early_preflight!r} is not a number of replies: 0 or more of them")

    def limits(self, connect_timeout_s: float) -> Limits:
        """What bounds the client."""
        return Limits(self.watchdog_min_timeout, self.max_buffer, connect_timeout_s, self.early_preflight)

    def patience_s(self, max_retry: int) -> float:
        """How long an outage may last before it surfaces."""
        if self.outage_timeout is not None:
            return self.outage_timeout
        return self.max_buffer if max_retry >= MANY_RETRIES else 0.0


def check_positive(name: str, value: float) -> None:
    """Checks that it is more than zero.

    Raises:
        ValueError: it is not.
    """
    if not value > 0:
        raise ValueError(f"{name}={value!r} is out of range: it must be greater than 0")
