"""What a stream counts, and how its counters add up to those of all streams of an STT."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypedDict

from .link import HangUp, Link


@dataclass(frozen=True, slots=True)
class Stats:
    """A snapshot of what happened so far. Seconds are of audio, unless the name says otherwise."""

    connections: int = 0
    """Sockets opened."""
    drops: int = 0
    """Sockets lost by a reset, a failed send, an error or an unexpected close. Idle closes do not count."""
    idle_closes: int = 0
    """Sockets that the server closed normally while no turn was open. This is not an error."""
    dead_peers: int = 0
    """Sockets given up because the server stopped answering, even pings."""
    stalls: int = 0
    """Sockets given up because the server received audio in mid-turn but sent no events."""
    overdue: int = 0
    """Sockets given up because the audio had stopped and the silence sent instead did not end the turn."""
    failed_attempts: int = 0
    """Attempts to connect that failed."""
    rejected_configs: int = 0
    """Changes of settings that the server rejected. The call continued with the previous settings."""
    turns: int = 0
    """Turns started."""
    turns_closed_by_us: int = 0
    """Turns that the plugin ended with the text so far, without the server's turn.end."""
    sent_s: float = 0.0
    """Audio sent to the server, which Cartesia bills. It includes silence and replays."""
    silent_s: float = 0.0
    """The part of `sent_s` that is silence, sent because the audio had stopped in mid-turn."""
    replayed_s: float = 0.0
    """The part of `sent_s` that had already been sent on an earlier socket."""
    lost_s: float = 0.0
    """User audio beyond `max_buffer`, which was dropped unsent or could not be replayed."""
    backlog_s: float = 0.0
    """Audio that waits to be sent."""
    held_s: float = 0.0
    """Audio in memory: the backlog, and audio kept for a replay."""
    rtt_s: float | None = None
    """The round trip of the last ping, in seconds."""

    @property
    def reconnects(self) -> int:
        """Sockets opened after the first."""
        return max(0, self.connections - 1)

    def __add__(self, other: Stats) -> Stats:
        """Both together: the sums of the counters, and the longer round trip."""
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Stats) if f.name != "rtt_s"}
        trips = [rtt for rtt in (self.rtt_s, other.rtt_s) if rtt is not None]
        return Stats(**sums, rtt_s=max(trips, default=None))


class AudioCounts(TypedDict, total=False):
    """The counters of the audio; see `Stats`."""

    sent_s: float
    silent_s: float
    replayed_s: float
    lost_s: float
    backlog_s: float
    held_s: float


class Counters:
    """The counters of a stream as they stand, besides those of its audio, which `Feed` counts."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self.rtt_s: float | None = None
        """The round trip of the last ping, in seconds."""

    def snapshot(self, audio: AudioCounts) -> Stats:
        """A snapshot, with these counters of the audio."""
        return Stats(**self._counts, **audio, rtt_s=self.rtt_s)

    def add(self, **changes: int) -> None:
        """Adds to counters, by their names in `Stats`."""
        for name, by in changes.items():
            self._counts[name] = self._counts.get(name, 0) + by

    def socket_lost(self, link: Link, *, clean: bool, in_turn: bool) -> None:
        """A socket has ended; `clean`: the server closed it in the ordinary way. One that we closed does not count."""
        if link.hang_up is HangUp.DEAD:
            self.add(dead_peers=1)
        elif link.hang_up is None and clean and link.is_connected and not in_turn:
            self.add(idle_closes=1)
        elif link.hang_up is None:
            self.add(drops=1)
