"""What the next socket is asked for, without what the last one may have ended for."""

from __future__ import annotations

from ..wire.messages import Config, ErrorMessage
from ..wire.options import Options
from .changes import Rejected, refused, settings_of, without
from .link import Link
from .pacing import Pace

REFUSALS = frozenset({401, 402, 403})
"""Statuses that are about the key or the plan, whatever was sent."""


class NextSocket:
    """The options and the speed of the next socket.

    Args:
        options: the options that are wanted.
        pace: how fast the server takes a backlog; streams to the same server share it.
        catch_up_speed: how many times faster than real time a backlog is sent at most.
    """

    def __init__(self, options: Options, pace: Pace, catch_up_speed: float) -> None:
        self.options: Options = options
        """What the next socket is opened with."""
        self.tries_again: bool = False
        """The next socket leaves out what the last one ended for: options, or the speed of a backlog."""
        self._pace = pace
        self._catch_up_speed = catch_up_speed
        self._taken: Config | None = None

    def speed(self, now: float) -> float:
        """How many times faster than real time the next socket is sent a backlog."""
        return self._pace.speed(self._catch_up_speed, now)

    def refused(self, error: ErrorMessage | None) -> Rejected | None:
        """A socket could not be opened.

        Args:
            error: what the server said, if it said anything.

        Returns:
            The settings for which it was refused, if that is why.
        """
        return self._without(refused(settings_of(self.options), self._taken, error))

    def ended(self, link: Link, now: float, *, clean: bool, abrupt: bool) -> Rejected | None:
        """A socket has ended; the arguments are those of `TurnsClient.link_lost`, the result is that of `refused`.

        If it returns None and sets `tries_again`, the next socket is sent its backlog more slowly.
        """
        if not link.is_connected:
            return self._without(refused(link.configs.in_force, self._taken, link.last_error))
        self._taken = link.configs.taken(now, rtt_s=link.liveness.rtt_s or 0.0)
        was_asked_for = clean and link.close_sent
        self.tries_again = not was_asked_for and self._was_too_fast(link, now, abrupt=abrupt)
        return None

    def drop(self, rejected: Rejected) -> None:
        """Puts back the settings that were in force before, since the server does not take these."""
        self.options = without(self.options, rejected)

    def _without(self, rejected: Rejected | None) -> Rejected | None:
        self.tries_again = rejected is not None
        return rejected

    def _was_too_fast(self, link: Link, now: float, *, abrupt: bool) -> bool:
        """Whether the server may have ended the socket because audio came too fast."""
        error = link.last_error
        is_other = error is not None and error.status_code in REFUSALS
        if link.hang_up or is_other or not link.pacer.is_blamed(now):
            return False
        return self._pace.was_too_fast(link.pacer.speed, now, for_certain=not abrupt)
