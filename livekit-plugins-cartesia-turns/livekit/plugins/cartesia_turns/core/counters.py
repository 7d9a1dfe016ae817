"""What a client counts besides its audio."""

from __future__ import annotations

from dataclasses import replace

from .link import HangUp, Link
from .stats import Stats


class Counters:
    """The counters of a stream as they stand."""

    def __init__(self) -> None:
        self.stats: Stats = Stats()
        """A snapshot, without the counters of the audio."""

    def add(self, **changes: int) -> None:
        """Adds to counters, by their names in `Stats`."""
        sums = {name: getattr(self.stats, name) + by for name, by in changes.items()}
        self.stats = replace(self.stats, **sums)

    def round_trip(self, seconds: float | None) -> None:
        """The last ping took so long to be answered."""
        self.stats = replace(self.stats, rtt_s=seconds)

    def socket_lost(self, link: Link, *, clean: bool, in_turn: bool) -> None:
        """A socket has ended; `clean`: the server closed it in the ordinary way. One that we closed does not count."""
        if link.hang_up is HangUp.DEAD:
            self.add(dead_peers=1)
        elif link.hang_up is None and clean and link.is_connected and not in_turn:
            self.add(idle_closes=1)
        elif link.hang_up is None:
            self.add(drops=1)
