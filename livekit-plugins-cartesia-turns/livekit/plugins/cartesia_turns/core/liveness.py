"""Whether the peer is still there, judged by pings: a half-open socket takes audio for minutes without an error."""

from __future__ import annotations

import math

PING_EVERY_S = 3.0
DEAD_AFTER_S = 9.0
"""Without a frame of any kind for this long the peer is dead: at least two pings have gone unanswered by then."""
LATE_VERDICT_S = 1.0
"""A verdict this late shows that this process was held up, and proves nothing about the peer."""

QUEUED_S = 0.2
"""A round trip this much longer than the shortest one shows that data waits on the way."""
LATE_PONG_S = 0.5
"""A pong that takes longer than this is late."""


class Liveness:
    """Schedules pings and judges by the answers. All times are monotonic seconds.

    Args:
        now: when the socket was opened.
    """

    def __init__(self, now: float) -> None:
        self._alive_at = now
        self._number = 0
        self._sent: dict[bytes, float] = {}
        self._pinged_at = now - PING_EVERY_S
        self.rtt_s: float | None = None
        """The round trip of the last answered ping, in seconds."""
        self.shortest_rtt_s: float = 0.0
        """The shortest round trip so far, in seconds; no answer comes sooner. 0 before the first."""

    def is_slow(self, now: float) -> bool:
        """Whether audio may wait on its way.

        The last round trip took much longer than the shortest one, or a ping has waited that long for its answer.
        """
        waiting_s = now - next(iter(self._sent.values())) if self._sent else 0.0
        return max(self.rtt_s or 0.0, waiting_s) > self.shortest_rtt_s + QUEUED_S

    @property
    def dead_at(self) -> float:
        """When the peer counts as dead, unless a frame comes in before."""
        return self._alive_at + DEAD_AFTER_S

    @property
    def answers_until(self) -> float:
        """Until when the peer counts as answering. After that it may be dead, or a pong is late."""
        return self._alive_at + PING_EVERY_S + LATE_PONG_S

    @property
    def ping_at(self) -> float:
        """When the next ping is due."""
        return self._pinged_at + PING_EVERY_S

    def is_dead(self, now: float) -> bool:
        """Whether the peer is dead. If this process was held up and could not hear it, the peer gets more time."""
        if now < self.dead_at:
            return False
        if now < self.dead_at + LATE_VERDICT_S:
            return True
        self._alive_at = now + PING_EVERY_S - DEAD_AFTER_S
        return False

    @property
    def next_payload(self) -> bytes:
        """The payload of the next ping."""
        return str(self._number).encode()

    def ping_sent(self, now: float) -> float:
        """The socket has taken the next ping.

        Returns:
            The time by which this ping is known: `now`, or a little later if the last ping has that time.
        """
        self._pinged_at = max(now, math.nextafter(self._pinged_at, math.inf))
        self._sent[self.next_payload] = self._pinged_at
        self._number += 1
        return self._pinged_at

    def heard(self, now: float) -> None:
        """A frame came in."""
        self._alive_at = now

    def pong(self, payload: bytes, now: float) -> float | None:
        """A pong came in.

        Returns:
            When its ping was sent: the peer has received all that was sent before that. None if no ping asked for it.
        """
        self.heard(now)
        sent_at = self._sent.pop(payload, None)
        if sent_at is None:
            return None
        self.shortest_rtt_s = now - sent_at if self.rtt_s is None else min(self.shortest_rtt_s, now - sent_at)
        self.rtt_s = now - sent_at
        self._sent = {later: at for later, at in self._sent.items() if at > sent_at}
        return sent_at
