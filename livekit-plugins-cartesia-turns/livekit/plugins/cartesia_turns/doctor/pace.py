"""How much faster than real time the server takes audio that has waited: the slowest speed first, until it refuses one.

The vendor says that a server takes one second of audio a second, and not what becomes of more (https://docs.cartesia.ai,
read 2026-11-25). Each speed is tried once, with some seconds of audio on a socket of its own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from livekit.agents import APIError

from ..core.pacing import CATCH_UP_SPEED
from ..errors import DroppedError, ServerError
from .calls import Call, Server
from .handshake import NO_ANSWER, said
from .speech import RATE
from .verdict import Verdict, ok, skipped, warning

NAME = "pace"
SPEEDS = (1.5, 2.0, CATCH_UP_SPEED)
"""From the gentlest to the plugin's own."""
TRIED_S = 6.0
"""Audio that is sent at each speed."""
TRIAL_END_S = 10.0
"""How long to wait for the end of a trial, beyond the time that the audio takes."""
OFFENCE_S = 1.0
"""How long to wait for an error after the last audio."""
KEEPS_UP = 1.1
"""The lowest speed that is enough, in times real time: a slower network never makes up for an outage."""
FRAME = 320
"""20 ms at RATE."""
PAUSE_DB = 12.0
"""Moments that are so much quieter than the loud ones are left out."""


async def check(server: Server, pcm: bytes) -> Verdict:
    """Sends audio at one speed after the other.

    Args:
        server: where to.
        pcm: some speech, at RATE; it is repeated as often as it takes.
    """
    audio = without_pauses(pcm)
    taken = 1.0
    for speed in SPEEDS:
        trial = await _try(server, audio, speed)
        if trial.error is not None or not trial.is_connected:
            return _failed(trial, taken, speed)
        if TRIED_S / trial.took_s < KEEPS_UP:
            what = (
                f"{TRIED_S:.0f} s of audio took {trial.took_s:.1f} s, although {speed:g} times real time was allowed."
            )
            advice = "After an outage, transcripts will be late. Check the network, and the load of this machine."
            return warning(NAME, what, advice, speed=TRIED_S / trial.took_s)
        taken = speed
    return ok(NAME, f"The server accepts a backlog of audio at {taken:g} times real time.", speed=taken)


def without_pauses(pcm: bytes) -> bytes:
    """TRIED_S of speech without a pause, since in a pause the plugin waits for the server, whatever the speed."""
    frames = np.frombuffer(pcm, np.int16)[: len(pcm) // 2 // FRAME * FRAME].reshape(-1, FRAME)
    power_db = 10 * np.log10(np.maximum((frames.astype(np.float64) ** 2).mean(axis=1), 1.0))
    loud = frames[power_db > np.percentile(power_db, 95) - PAUSE_DB].tobytes()
    size = round(TRIED_S * RATE) * 2
    repeated: bytes = loud * (size // max(2, len(loud)) + 1)
    return repeated[:size]


@dataclass(frozen=True, slots=True)
class _Trial:
    is_connected: bool
    error: APIError | None
    took_s: float = 0.0


async def _try(server: Server, audio: bytes, speed: float) -> _Trial:
    """Sends the audio at this speed."""
    async with Call(server.stt(catch_up_speed=speed), server.timeout_s) as call:
        if not await call.connect():
            return _Trial(is_connected=False, error=call.trouble)
        began = time.monotonic()
        call.push(audio, RATE)
        await call.until(lambda: call.trouble or _is_sent(call), TRIED_S + TRIAL_END_S)
        took_s = time.monotonic() - began
        # A server that refuses this speed says so a moment later.
        await call.until(lambda: call.trouble, OFFENCE_S)
        return _Trial(is_connected=True, error=call.trouble, took_s=took_s)


def _is_sent(call: Call) -> bool:
    stats = call.stream.stats
    return stats.sent_s > 0 and stats.backlog_s <= 0


def _failed(trial: _Trial, taken: float, speed: float) -> Verdict:
    if not trial.is_connected or not isinstance(trial.error, ServerError | DroppedError):
        why = said(trial.error) if trial.error else NO_ANSWER
        return skipped(NAME, f"It could not be tested. {why}")
    what = (
        f"The server accepts a backlog of audio at {taken:g} times real time, and ended the socket at {speed:g} times. "
        f"{said(trial.error)}"
    )
    advice = f"Pass STT(catch_up_speed={taken:g}). Else the plugin slows down after the server has closed a socket."
    return warning(NAME, what, advice, speed=taken)
