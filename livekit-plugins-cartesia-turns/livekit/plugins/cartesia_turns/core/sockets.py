"""The sockets of a call, one after another: when one is wanted, what it is asked for, and what its end means.

The next one leaves out what the last one may have ended for. All times are monotonic seconds.
"""

from __future__ import annotations

import math

from ..wire.messages import Config, ErrorMessage
from ..wire.options import Options
from .audio_queue import ReplayBuffer
from .changes import Rejected, refused, settings_of, without
from .events import Notice
from .link import HangUp, Link, Outgoing
from .pacing import Allowance, Pace
from .requests import InputEnd, Limits
from .stats import Counters
from .turn import Turn

REFUSALS = frozenset({401, 402, 403})
"""Statuses that are about the key or the plan, whatever was sent."""


class Sockets:
    """The present socket and the next one. The shell reads this and changes nothing.

    Args:
        options: the options that are wanted.
        limits: bounds.
        pace: how fast the server takes a backlog; streams to the same server share it.
        turn: the current turn.
        buffer: the audio.
    """

    __slots__ = (
        "_buffer",
        "_has_opened",
        "_limits",
        "_owes_voice",
        "_pace",
        "_taken",
        "_turn",
        "counters",
        "input",
        "link",
        "options",
        "tries_again",
    )

    def __init__(self, options: Options, limits: Limits, pace: Pace, turn: Turn, buffer: ReplayBuffer) -> None:
        self.options: Options = options
        """What the shell opens the next socket with."""
        self.tries_again: bool = False
        """The next socket leaves out what the last one ended for: options, or the speed of a backlog. So the shell may
        open it without a wait."""
        self.link: Link | None = None
        """The state of the present socket."""
        self.input: InputEnd = InputEnd()
        """Whether more audio may come."""
        self.counters: Counters = Counters()
        """What is counted besides the audio."""
        self._limits = limits
        self._pace = pace
        self._turn = turn
        self._buffer = buffer
        self._taken: Config | None = None
        self._owes_voice = self._has_opened = False

    # What the shell asks.

    @property
    def hang_up(self) -> HangUp | None:
        """Why the shell must close the present socket and report `link_lost`; None while it may stay."""
        return self.link.hang_up if self.link else None

    @property
    def failure(self) -> ErrorMessage | None:
        """The server's error that ended the present socket: the shell must close it and report `link_lost`."""
        return self.link.failure if self.link else None

    @property
    def last_error(self) -> ErrorMessage | None:
        """The error to give as the reason if the present socket ends now. To be read before `link_lost`."""
        return self.link.last_error if self.link else None

    @property
    def is_connected(self) -> bool:
        """A socket is open and the server said `connected`."""
        return self.link is not None and self.link.is_connected

    @property
    def may_send(self) -> bool:
        """Whether the shell must call `outgoing` after what it reported: there may be audio, settings or the close."""
        if self.link is None:
            return False
        return self._buffer.has_backlog or self.input.has_come or not self.link.configs.is_settled(self.options)

    @property
    def send_at(self) -> float:
        """When the shell must call `outgoing` again even if nothing else happens; inf where it need not."""
        return self.link.send_at(self._buffer) if self.link else math.inf

    def live(self, now: float) -> Allowance:
        """As `Link.live`, and no more than there is room for; nothing if something else goes first."""
        if self.link is None or self._buffer.has_backlog or self.input.has_come:
            return Allowance()
        allowance, room_s = self.link.live(self.options, now), self._limits.buffer_s - self._buffer.held_s
        return allowance if allowance.seconds <= room_s else allowance._replace(seconds=max(0.0, room_s))

    @property
    def wants_link(self) -> bool:
        """The shell must have a socket open, or open one: at the start, in a turn, and whenever audio waits for one."""
        if self.input.is_answered:
            return False
        return self._has_news or not (self._has_opened or self.input.has_come)

    @property
    def finished(self) -> bool:
        """The input has ended and no more events can come of it: the shell closes the socket and stops."""
        return self.input.is_answered or (self.input.has_come and self.link is None and not self._has_news)

    @property
    def deadline(self) -> float:
        """When to call `check`."""
        return self.link.deadline if self.link else math.inf

    def outgoing(self, now: float, *, live_wants_ping: bool) -> Outgoing | None:
        """What to send next on the present socket; see `Link.outgoing`."""
        if self.link is None:
            return None
        ending = self.input.has_come
        return self.link.outgoing(self._buffer, self.options, now, ending=ending, live_wants_ping=live_wants_ping)

    # What happens.

    def opened(self, options: Options, now: float) -> None:
        """There is a new socket; the arguments are those of `TurnsClient.link_opened`."""
        speed = self._pace.speed(self._limits.catch_up_speed, now)
        self.link = Link(options, self._limits.connect_timeout_s, now, speed=speed)
        self.tries_again = self._owes_voice = False
        self.counters.add(connections=1)
        self._has_opened = True

    def lost(self, now: float, *, clean: bool, leaving: bool, abrupt: bool) -> list[Rejected | Notice]:
        """The present socket has ended; the arguments are those of `TurnsClient.link_lost`.

        Returns:
            What the next socket leaves out because of that.
        """
        link, self.link = self.link, None
        in_turn, has_voice = self._turn.is_open, self._buffer.has_voice
        # At the end of the input any sound may hold a last word. Only digital silence certainly holds none.
        self._owes_voice = self._buffer.has_sound if self.input.has_come else has_voice
        if link is None:
            return []
        self.input.socket_ended(link, clean=clean and not leaving, in_turn=in_turn, has_voice=has_voice)
        if self.input.is_answered:
            return []
        self.counters.socket_lost(link, clean=clean, in_turn=in_turn)
        if not link.is_connected:
            return self._refused(refused(link.configs.in_force, self._taken, link.last_error))
        self._taken = link.configs.taken(now, rtt_s=link.liveness.rtt_s or 0.0)
        was_asked_for = clean and link.close_sent
        self.tries_again = not was_asked_for and self._was_too_fast(link, now, abrupt=abrupt)
        return [Notice.SLOWER] if self.tries_again else []

    def refused(self, error: ErrorMessage | None, asked: Options | None = None) -> list[Rejected | Notice]:
        """A socket could not be opened; the arguments are those of `TurnsClient.attempt_failed`.

        Returns:
            The settings for which it was refused, if that is why.
        """
        self.counters.add(failed_attempts=1)
        return self._refused(refused(settings_of(asked or self.options), self._taken, error))

    def check(self, now: float) -> Rejected | None:
        """Hangs up if the server took too long over anything; returns a change that it has rejected, if any."""
        rejected = self.link.check(now) if self.link else None
        if rejected is not None:
            self._keep_what_is_in_force(rejected)
        return rejected

    def hang_up_for(self, reason: HangUp) -> None:
        """The present socket is to be closed."""
        if self.link:
            self.link.hang_up = reason

    def replace_if_stale(self) -> None:
        """Hangs up if no config can bring the present socket to the options, unless that cuts off a turn or the end."""
        if self.link is None or self.link.hang_up or self._turn.is_open or self.input.has_come:
            return
        if not self.link.configs.serves(self.options):
            self.link.hang_up = HangUp.ROTATE

    @property
    def _has_news(self) -> bool:
        return self._buffer.has_unsent or self._owes_voice or self._turn.is_open

    def _refused(self, rejected: Rejected | None) -> list[Rejected | Notice]:
        self.tries_again = rejected is not None
        if rejected is None:
            return []
        self._keep_what_is_in_force(rejected)
        return [rejected]

    def _keep_what_is_in_force(self, rejected: Rejected) -> None:
        self.counters.add(rejected_configs=1)
        self.options = without(self.options, rejected)
        self.replace_if_stale()

    def _was_too_fast(self, link: Link, now: float, *, abrupt: bool) -> bool:
        """Whether the server may have ended the socket because audio came too fast."""
        error = link.last_error
        is_other = error is not None and error.status_code in REFUSALS
        if link.hang_up or is_other or not link.pacer.is_blamed(now):
            return False
        return self._pace.was_too_fast(link.pacer.speed, now, for_certain=not abrupt)
