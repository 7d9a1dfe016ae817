"""Recordings for tests: of calls in simulated time, in memory, and of a client that a test drives itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from livekit.plugins.cartesia_turns.core.client import Limits, TurnsClient
from livekit.plugins.cartesia_turns.core.pacing import Pace
from livekit.plugins.cartesia_turns.recording.client import RecordedClient
from livekit.plugins.cartesia_turns.recording.files import Recording, recording_of
from livekit.plugins.cartesia_turns.recording.journal import Journal, Lines
from livekit.plugins.cartesia_turns.recording.schema import SCHEMA, limits_to, options_to, stats_to
from livekit.plugins.cartesia_turns.wire.options import Options

STARTED = 1_700_000_000.0
"""When each of them began, by the wall clock."""


class Tape:
    """Records one client in memory."""

    def __init__(self, *, transcripts: bool = True) -> None:
        self.journal = Journal()
        self.pace = Pace()
        """What is known of the endpoint."""
        self._lines = Lines(transcripts=transcripts)
        self._client: RecordedClient | None = None
        self._clock: Callable[[], float] = float

    def client(self, options: Options, limits: Limits, clock: Callable[[], float]) -> TurnsClient:
        """The client that is recorded."""
        header: dict[str, Any] = {"schema": SCHEMA, "versions": {"python": "3"}, "started": STARTED}
        header |= {"options": options_to(options), "limits": limits_to(limits)}
        self.journal.note(clock(), lambda: header)
        self._clock = clock
        self._client = RecordedClient(options, limits, clock(), self.pace, journal=self.journal, clock=clock)
        return self._client

    def recording(self) -> Recording:
        """What was recorded, to its end."""
        assert self._client is not None
        stats = self._client.stats
        self.journal.note(self._clock(), lambda: {"end": True, "stats": stats_to(stats)})
        lines, audio = self._lines.of(self.journal.take())
        return recording_of(lines.splitlines(), audio, Path("tape"))
