"""The turns of a call: what each step of a turn means to the consumer, to the audio and to the next socket.

`turn` decides the steps. All times are monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ..wire.messages import TurnEnd, TurnMessage
from .echo import LastTurn
from .events import ClientEvent, Flushed, Kind, TurnEvent
from .feed import Feed
from .measures import EndedBy, Measuring
from .requests import FLUSH_SILENCE_S, FlushRule
from .sockets import Sockets
from .speech_times import SpeechTimes
from .text import has_words
from .timeouts import Watchdog
from .transitions import State
from .turn import Turn


class Turns:
    """Tells the steps of turns, and settles the audio of a turn that has ended.

    Args:
        turn: the current turn.
        feed: the audio, all of which must be booked when a turn starts or ends.
        sockets: the sockets.
        watchdog: sends silence where the audio stops.
    """

    __slots__ = (
        "_closed_to",
        "_feed",
        "_flushed_to",
        "_last",
        "_measuring",
        "_sockets",
        "_times",
        "_turn",
        "_watchdog",
        "flushing",
    )

    def __init__(self, turn: Turn, feed: Feed, sockets: Sockets, watchdog: Watchdog) -> None:
        self.flushing: FlushRule = FlushRule()
        """Whether a flush waits for the end of the turn."""
        self._turn = turn
        self._feed = feed
        self._sockets = sockets
        self._watchdog = watchdog
        self._last = LastTurn()
        self._flushed_to = self._closed_to = 0
        self._times = SpeechTimes(feed.activity)
        self._measuring = Measuring()

    def heard(self, message: TurnMessage, steps: Sequence[TurnEvent], now: float, *, live: int) -> list[ClientEvent]:
        """The current turn took a message of the server.

        Args:
            message: the message.
            steps: what the turn made of it.
            now: the present.
            live: how many samples of live audio were sent that are not booked yet.

        Returns:
            What is told.
        """
        turn = self._turn
        events = self._told(steps, now) if steps else []
        kinds = [step.kind for step in steps]
        if turn.is_open:
            has_news = Kind.UPDATE in kinds or Kind.EAGER_END in kinds
            is_eager = turn.state is State.EAGER_ENDED
            self._measuring.heard(message, now, is_eager=is_eager, has_news=has_news)
        if started := kinds.count(Kind.START):
            self._sockets.counters.add(turns=started)
            self._watchdog.turn_opened(now)
        # One message may end two turns. The last END is that of the turn which a turn.end ends.
        ended = next(step for step in reversed(steps) if step.kind is Kind.END) if Kind.END in kinds else None
        if isinstance(message, TurnEnd):
            self._settle(now, ended.transcript if ended else message.transcript, is_news=ended is not None)
        else:
            self._feed.text_known(turn.length, live)
        return [*events, *self._over(steps)] if ended or isinstance(message, TurnEnd) else events

    def close(self, now: float) -> list[ClientEvent]:
        """Ends an open turn with the text so far, without waiting for the server; returns what is told."""
        steps = self._turn.close()
        if not steps:
            return []
        self._sockets.counters.add(turns_closed_by_us=1)
        self._closed_to = self._feed.text_end
        return [*self._told(steps, now, EndedBy.PLUGIN), *self._over(steps)]

    def flush(self, now: float) -> list[ClientEvent]:
        """The user is done for now; returns the answer if there is nothing to wait for."""
        buffer, flushing = self._feed.buffer, self.flushing
        is_waiting = self._turn.is_open or flushing.is_waiting
        if not is_waiting and buffer.sound_end <= max(self._flushed_to, buffer.begins):
            return [Flushed()]
        self._flushed_to = buffer.ends
        if not flushing.is_waiting:
            # This silence is sent ahead of its time, so the watchdog need not send more until that time.
            silence_s = self._feed.push_silence(FLUSH_SILENCE_S, for_good=True)
            self._watchdog.silence_sent(silence_s, now + FLUSH_SILENCE_S)
        flushing.begin(now)
        return []

    def socket_opened(self) -> None:
        """There is a new socket. While there was none, more of the turn's audio may have been dropped."""
        self._turn.lost(self._feed.text_gone())

    def socket_lost(self) -> None:
        """The socket was lost, so all audio that is held is heard again."""
        self._measuring.lost()
        self._turn.lost(self._feed.text_gone())
        echo, is_whole = self._last.echo(self._feed.buffer.begins)
        self._turn.expect_echo(echo, is_whole=is_whole)

    def forget_closed(self) -> None:
        """Forgets the words of a turn that the client closed, once its audio is gone: no replay brings them again."""
        if self._feed.buffer.begins >= self._closed_to:
            self._turn.forget(self._turn.length)

    def _told(self, steps: Sequence[TurnEvent], now: float, ended_by: EndedBy = EndedBy.SERVER) -> list[ClientEvent]:
        """The steps of a turn, with what belongs to each."""
        events: list[ClientEvent] = []
        for step in steps:
            if step.kind is Kind.END:
                events.append(self._end_of(step, now, ended_by))
            elif step.kind is Kind.START:
                at = self._times.turn_started(now)
                self._measuring.started(at)
                events.append(replace(step, at=at))
            else:
                self._times.turn_went_on(step.transcript, now)
                events.append(step)
        return events

    def _end_of(self, step: TurnEvent, now: float, ended_by: EndedBy) -> TurnEvent:
        link, text = self._sockets.link, step.transcript
        # The server had received all audio up to this time, and no other, when it ended the turn.
        heard_until = link.receipts.heard_until(now) if link and ended_by is EndedBy.SERVER else math.inf
        self._times.turn_went_on(text, now)
        at = self._times.turn_ended(now, heard_until)
        # Voice that the server was not given yet does not belong to this turn.
        is_known = self._times.end_was_heard and not self._feed.buffer.has_unsent_voice
        speech_end = at if is_known else None
        measures = self._measuring.ended(now, self._what_ended(ended_by), speech_end, has_words=has_words(text))
        usage_s = self._feed.take_usage(now)
        return replace(step, at=at, usage_s=usage_s, measures=measures)

    def _what_ended(self, ended_by: EndedBy) -> EndedBy:
        """What ended a turn that is told now: `ended_by`, unless somebody asked for the end."""
        if self.flushing.is_waiting:
            return EndedBy.FLUSH
        link = self._sockets.link
        is_finishing = self._sockets.input.is_answered or (link is not None and link.close_sent)
        return EndedBy.END_OF_INPUT if is_finishing else ended_by

    def _settle(self, now: float, told: str, *, is_news: bool) -> None:
        """The server ended a turn: its audio is settled and no longer kept for a replay.

        Args:
            now: the present.
            told: the turn's text.
            is_news: this turn.end ended a turn for the consumer. Otherwise it was the echo of a turn told before.
        """
        link = self._sockets.link
        if link is None:
            return
        doubt_to = self._feed.settle(link.receipts, now, finishing=link.close_sent)
        begins = self._feed.buffer.begins
        if is_news or self._last.is_gone(begins):
            # An echo does not replace the turn that it repeats, since a further replay may bring that turn again.
            # A server that finishes may cut the turn inside a word, so what is left may sound like the whole turn.
            is_whole = link.close_sent or self._feed.settling.may_be_whole(begins)
            self._last.told(told, doubt_to, is_whole=is_whole)
        self.forget_closed()

    def _over(self, steps: Sequence[TurnEvent]) -> list[Flushed]:
        """A turn is over: a socket may be replaced again. If its end was told, a flush has its answer."""
        self._sockets.replace_if_stale()
        return self.flushing.turn_ended(steps) if any(step.kind is Kind.END for step in steps) else []
