"""What bounds a client: the part of a stream's settings that the core uses."""

from __future__ import annotations

from dataclasses import dataclass

from .pacing import CATCH_UP_SPEED


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a client; times are in seconds."""

    watchdog_min_timeout_s: float = 0.5
    buffer_s: float = 60.0
    connect_timeout_s: float = 10.0
    catch_up_speed: float = CATCH_UP_SPEED
    """A backlog is sent at most this many times faster than real time."""
    early_preflight: int = 0
    """How many speculative texts a turn may have if whole sentences make them too; with 0 only turn.eager_end does."""
