"""What a stream is told beside the options of its connections: checked once, immutable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from .core.client import Limits
from .core.pacing import CATCH_UP_SPEED
from .core.retry import RetryPolicy
from .wire.checks import check_flag, check_number, check_positive, check_whole, is_number, shown

if TYPE_CHECKING:
    from .recording import Recorder

CHUNKS_MS = (10, 200)
"""How long pieces of audio may be. No frame of a call is shorter; a longer one delays its words by as much, and the
pings by which the server's progress is known."""
LEAST_BUFFER_S = 1.0
"""With less, the first words are gone before a socket is open."""
MOST_REPLIES = 1000
"""Speculative replies that a turn may cost: more than any turn has sentences."""
MANY_RETRIES = 3
"""The framework's default: with fewer, it wants failures soon (FallbackAdapter, to switch to the next STT)."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """The arguments of `STT` that go by the same names, times in seconds.

    Raises:
        ValueError: one can't be right; the text names it, its value and what is allowed.
    """

    watchdog_min_timeout: float = 0.5
    max_buffer: float = 60.0
    outage_timeout: float | None = None
    audio_chunk_duration_ms: int | None = None
    speech_end_time: bool = True
    manual_flush: bool = True
    early_preflight: int = 0
    catch_up_speed: float = CATCH_UP_SPEED
    http_session: aiohttp.ClientSession | None = None
    recorder: Recorder | None = None

    def __post_init__(self) -> None:
        check_positive("watchdog_min_timeout", self.watchdog_min_timeout)
        check_positive("max_buffer", self.max_buffer)
        if self.max_buffer < LEAST_BUFFER_S:
            raise ValueError(f"max_buffer={self.max_buffer} is out of range: it must be {LEAST_BUFFER_S} s or more")
        if self.outage_timeout is not None:
            _check_outage_timeout(self.outage_timeout)
        if self.audio_chunk_duration_ms is not None:
            check_whole("audio_chunk_duration_ms", self.audio_chunk_duration_ms, *CHUNKS_MS, "milliseconds")
        check_flag("speech_end_time", self.speech_end_time)
        check_flag("manual_flush", self.manual_flush)
        check_whole("early_preflight", self.early_preflight, 0, MOST_REPLIES, "replies")
        check_number("catch_up_speed", self.catch_up_speed)
        if self.catch_up_speed < 1:
            raise ValueError(f"catch_up_speed={shown(self.catch_up_speed)} is out of range: it must be 1 or more")
        if not isinstance(self.http_session, aiohttp.ClientSession | None):
            raise ValueError(f"http_session={shown(self.http_session)} is not an aiohttp.ClientSession")
        # Its module is only imported where calls are recorded.
        if self.recorder is not None and not hasattr(self.recorder, "begin"):
            raise ValueError(f"recorder={shown(self.recorder)} is not a Recorder")

    def limits(self, connect_timeout_s: float) -> Limits:
        """What bounds the client."""
        return Limits(
            self.watchdog_min_timeout, self.max_buffer, connect_timeout_s, self.catch_up_speed, self.early_preflight
        )

    def retry_policy(self, max_retry: int) -> RetryPolicy:
        """When a stream tries again, and when it gives up.

        Args:
            max_retry: how many retries the framework asks for. An `outage_timeout` of the user's says more than that.
        """
        if self.outage_timeout is not None:
            return RetryPolicy(0, self.outage_timeout)
        return RetryPolicy(max_retry, self.max_buffer if max_retry >= MANY_RETRIES else 0.0)


def _check_outage_timeout(value: float) -> None:
    if value != math.inf and (not is_number(value) or value < 0):
        raise ValueError(f"outage_timeout={shown(value)} is out of range: it must be 0 or more seconds, or None")
