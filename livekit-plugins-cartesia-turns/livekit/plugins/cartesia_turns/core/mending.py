"""What is done where a turn hangs: silence is sent in place of audio, the turn is closed, or the socket is replaced.

`hangs` decides whether a turn hangs. All times are monotonic seconds.
"""

from __future__ import annotations

from .events import ClientEvent, Notice
from .feed import Feed
from .hangs import Hang, Hangs, answers
from .link import HangUp
from .live_lane import LiveLane
from .sockets import Sockets
from .transitions import State
from .turn import Turn
from .turns import Turns


class Mending:
    """Ends what hangs.

    Args:
        hangs: tells whether the turn hangs.
        turn: the current turn.
        turns: closes it.
        feed: takes silence in place of audio.
        sockets: the sockets.
        live: the live audio that is not booked yet. It is booked before `tick`.
    """

    __slots__ = ("_feed", "_hangs", "_live", "_sockets", "_turn", "_turns")

    def __init__(self, hangs: Hangs, turn: Turn, turns: Turns, feed: Feed, sockets: Sockets, *, live: LiveLane) -> None:
        self._hangs = hangs
        self._live = live
        self._turn = turn
        self._turns = turns
        self._feed = feed
        self._sockets = sockets

    @property
    def deadline(self) -> float:
        """When to call `tick`."""
        is_resuming = self._turn.state is State.RESUMING
        waits = not self._feed.buffer.has_backlog and not self._sockets.input.has_come
        link, live_at = self._sockets.link, self._live.last_at
        at = self._hangs.deadline(link, is_resuming=is_resuming, waits_for_audio=waits, live_at=live_at)
        return min(at, self._turns.flushing.deadline)

    def socket_lost(self, now: float) -> None:
        """The socket was lost. An open turn is given time for its replay, unless it waits for one already."""
        if self._turn.is_open and self._turn.state is not State.RESUMING:
            self._hangs.socket_lost(now)

    def tick(self, now: float) -> list[ClientEvent]:
        """Does what is due by now, and returns what is told of it."""
        is_resuming = self._turn.state is State.RESUMING
        waits = not self._feed.buffer.has_backlog and not self._sockets.input.has_come
        hang = self._hangs.due(now, self._sockets.link, is_resuming=is_resuming, waits_for_audio=waits)
        if now >= self._turns.flushing.deadline and hang in {None, Hang.NO_AUDIO, Hang.OVERDUE}:
            return self._turns.close(now) or [*self._turns.flushing.turn_ended([])]
        if hang in {Hang.NO_AUDIO, Hang.OVERDUE} and self._hangs.watchdog.postpone(now):
            return []
        return self._mend(hang, now) if hang else []

    def _mend(self, hang: Hang, now: float) -> list[ClientEvent]:
        match hang:
            case Hang.NO_AUDIO:
                return self._feed_silence(now)
            case Hang.OVERDUE:
                return [Notice.OVERDUE, *self._leave_turn(now, overdue=1)]
            case Hang.STALLED if not self._turn.length:
                # A server that never had words may be right about that: the socket stays, and only the turn is closed.
                return [Notice.NO_WORDS, *self._leave_turn(now)]
            case Hang.STALLED:
                return [Notice.STALLED, *self._leave_turn(now, stalls=1)]
            case Hang.DEAF:
                self._sockets.counters.add(stalls=1)
                self._hangs.replaced(now)
                self._sockets.hang_up_for(HangUp.STALLED)
                return [Notice.STALLED]
            case Hang.NOT_RESUMED:
                return self._give_up_replay(now)

    def _feed_silence(self, now: float) -> list[ClientEvent]:
        watchdog = self._hangs.watchdog
        is_first = not watchdog.silence_s
        watchdog.silence_sent(self._feed.push_silence(watchdog.due_s(now)), now)
        return [Notice.FEEDING] if is_first else []

    def _leave_turn(self, now: float, **given_up: int) -> list[ClientEvent]:
        """Closes a turn that the server does not end.

        Args:
            now: the present.
            given_up: what is counted if the socket is given up with it; nothing if the server may be right.
        """
        if self._hangs.turn_left(now, is_deaf=bool(given_up)):
            self._sockets.counters.add(**given_up)
            self._sockets.hang_up_for(HangUp.STALLED)
        elif self._sockets.link:
            self._sockets.link.in_turn = False
        return self._turns.close(now)

    def _give_up_replay(self, now: float) -> list[ClientEvent]:
        """Closes a turn that has waited for its replay for too long."""
        link, buffer = self._sockets.link, self._feed.buffer
        events = [Notice.NOT_RESUMED if link else Notice.NOT_RECONNECTED, *self._turns.close(now)]
        if link and link.is_connected and answers(link, now) and not buffer.has_backlog:
            # The server has received the whole replay and found no turn in it, so whatever it tells next is new.
            self._feed.forget_idle(buffer.sent_to, now)
            self._turn.forget(self._turn.length)
        return events
