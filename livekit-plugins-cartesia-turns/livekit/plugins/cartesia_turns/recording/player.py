"""Runs a recorded call again with the client of today: makes the same calls at the same times, and compares.

Time is virtual, so an hour takes seconds. The calls are made as they were recorded, whatever the client says now, and
its events and what it sends are compared with the recording. If the client now sends something or has a deadline that
it did not have then, the replay does what the shell would do.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from os import PathLike
from typing import ClassVar

from ..core.chunk import Chunk
from ..core.client import TurnsClient
from ..core.link import Outgoing
from ..core.pacing import Pace
from .difference import SAME_S, Difference, Replay, Trace, compared, first_of
from .files import Recording, load
from .letters import ANSWERED, ASKED, BOOKED, LIVE, OFFERED, PINGED, PUSHED, SENT, TICKED
from .schema import Fields, SchemaError, error_of, event_to, item_to, message_of, number_of, options_of, stats_to
from .steps import Step, steps_of

OVERDUE_S = 0.1
"""If the recorded shell made calls this long after a deadline and did not keep it, its client had no such deadline."""
LATEST_S = 2.0
"""Unless it called `tick` within this time: then the process was busy, and kept that deadline late."""
SOCKET = "socket lost"
"""The name of the event that stands for the end of a socket, with the client's reason for it."""


def replay(recording: str | PathLike[str] | Recording) -> Replay:
    """Runs a recorded call again.

    In a test: `assert replay("calls/X").is_same, replay("calls/X")`.

    Args:
        recording: a call, or its folder.

    Raises:
        SchemaError: it is no recording that this version can read, or its audio was not kept.
        OSError: the files can't be read.
    """
    call = recording if isinstance(recording, Recording) else load(recording)
    if call.audio is None and any("pushed" in line for line in call.lines):
        raise SchemaError(f"{call.folder} has no audio: a call can't be replayed without")
    call.check_audio()
    outcome = Player(call).play()
    if not outcome.is_same and not call.header.get("transcripts", True):
        # What the client does after a lost socket depends on the words, and here all words of one length are the same.
        raise SchemaError(f"{call.folder} can't be compared: it was recorded without its words, which matter here")
    return outcome


class Player:
    """Makes the calls of a recording again.

    Args:
        call: the recording.
    """

    def __init__(self, call: Recording) -> None:
        self._call = call
        self._pace = Pace()
        self._client = TurnsClient(call.options, call.limits, call.started_at, self._pace)
        self._audio = memoryview(call.audio or b"")
        self._pushed = 0
        self._item: Outgoing | None = None
        self._overdue_since = math.inf
        self._ticks = deque(step.at for step in call.steps if step.letter == TICKED)
        self._then = Trace()
        self._now = Trace()

    def play(self) -> Replay:
        """Makes all calls, and compares."""
        last: Fields = {}
        for line in self._call.lines:
            if "steps" in line:
                for step in steps_of(line):
                    self._take_step(step)
            elif "events" in line:
                self._then.said += [(self._since(line["at"]), event) for event in line["events"]]
            elif "call" in line:
                self._make(line, float(line["at"]))
            last = line
        differences = [*compared(self._then.said, self._now.said), *first_of(self._then.sent, self._now.sent)]
        if "end" in last:
            differences += self._counters(last)
        seconds = self._pushed / 2 / self._call.options.sample_rate
        events = sum(said["event"] != SOCKET for _, said in self._then.said)
        return Replay(sorted(differences, key=lambda difference: difference.at_s), events, seconds)

    # The calls.

    def _take_step(self, step: Step) -> None:
        if step.letter in (LIVE, PUSHED):
            self._push(step)
        elif step.letter == BOOKED:
            self._client.live_sent(step.at)
        elif step.letter == ASKED:
            self._send_all(step.at)
        elif step.letter in (OFFERED, PINGED):
            if step.letter == PINGED:
                self._then.sent.append((self._since(step.at), {"type": "ping"}))
            if step.sent is not None:
                start, samples, is_silence = step.sent
                offered = {"type": "audio", "start": start, "samples": samples, "silence": is_silence}
                self._then.sent.append((self._since(step.at), offered))
            self._ask(step.at)
        elif step.letter == SENT:
            self._confirm(step.at)
        elif step.pong is not None:
            self._client.pong(step.pong, step.at)
        else:
            self._tick(step.at)
        # The shell does not look at the deadline after a pong either.
        if step.letter not in (LIVE, BOOKED, ANSWERED):
            self._listen(step.at)
            self._catch_up(step.at)

    def _push(self, step: Step) -> None:
        pcm = bytes(self._audio[self._pushed : self._pushed + step.pushed])
        self._pushed += len(pcm)
        if step.letter == PUSHED:
            self._client.push_audio(pcm, step.at)
            return
        live = (self._since(step.at), {"type": "audio", "samples": len(pcm) // 2})
        self._then.sent.append(live)
        if self._client.live.take(pcm, step.at):
            self._now.sent.append(live)
        else:
            # Today the client decides about this audio first: it may go out at once all the same, or not.
            self._client.push_audio(pcm, step.at)
            self._send_all(step.at, live)

    def _make(self, line: Fields, at: float) -> None:
        if "pace" in line:
            limit, until = line["pace"]
            self._pace.known = number_of(limit), number_of(until)
        if line["call"] == "outgoing":
            self._then.sent.append((self._since(at), line["item"]))
        if (make := self._calls.get(line["call"])) is not None:
            make(self, line, at)
        self._listen(at)
        self._catch_up(at)

    def _ask(self, at: float) -> None:
        self._item = self._client.outgoing(at)
        if self._item is not None:
            self._now.sent.append((self._since(at), item_to(self._item)))

    def _send_all(self, at: float, live: tuple[float, Fields] | None = None) -> None:
        """Sends all that may go out today, where nothing or only the audio `live` went out in the recording."""
        while (item := self._client.outgoing(at)) is not None:
            is_live = live and isinstance(item, Chunk) and item.samples == live[1]["samples"]
            self._now.sent.append(live if live and is_live else (self._since(at), item_to(item)))
            self._client.sent(item, at)

    def _confirm(self, at: float) -> None:
        item, self._item = self._item, None
        if item is not None:
            self._client.sent(item, at)

    def _tick(self, at: float) -> None:
        self._overdue_since = math.inf
        self._client.tick(at)

    def _catch_up(self, at: float) -> None:
        """Calls `tick` at a deadline that the client has today and did not have in the recording."""
        if self._client.live.samples:
            # The deadline may be too early until this audio is booked, and the recording says when that was done.
            return
        if at <= self._client.deadline:
            self._overdue_since = math.inf
            return
        self._overdue_since = min(self._overdue_since, at)
        if at - self._overdue_since > OVERDUE_S and self._next_tick(at) - self._overdue_since > LATEST_S:
            self._tick(at)
            self._listen(at)

    def _next_tick(self, at: float) -> float:
        """When the recorded shell called `tick` next; inf if it did not."""
        while self._ticks and self._ticks[0] < at:
            self._ticks.popleft()
        return self._ticks[0] if self._ticks else math.inf

    def _lose(self, line: Fields, at: float) -> None:
        hang_up = self._client.sockets.hang_up
        today = hang_up.name.lower() if hang_up else None
        self._then.said.append((self._since(at), {"event": SOCKET, "hang_up": line["hang_up"]}))
        self._now.said.append((self._since(at), {"event": SOCKET, "hang_up": today}))
        how = {name: bool(line[name]) for name in ("clean", "leaving", "abrupt")}
        self._item = None
        self._client.link_lost(at, **how)

    _calls: ClassVar[dict[str, Callable[[Player, Fields, float], object]]] = {
        "outgoing": lambda self, _, at: self._ask(at),
        "sent": lambda self, _, at: self._confirm(at),
        "end_input": lambda self, _, __: self._client.end_input(),
        "flush": lambda self, _, at: self._client.flush(at),
        "update": lambda self, line, _: self._client.update(options_of(line["options"])),
        "link_opened": lambda self, line, at: self._client.link_opened(options_of(line["options"]), at),
        "link_lost": _lose,
        "attempt_failed": lambda self, line, at: self._client.attempt_failed(
            # Earlier versions did not note the options.
            error_of(line["error"]),
            options_of(line["options"]) if "options" in line else None,
        ),
        "receive": lambda self, line, at: self._client.receive(message_of(line["message"]), at),
        "pong": lambda self, line, at: self._client.pong(line["payload"].encode("latin-1"), at),
        "close_turn": lambda self, _, at: self._client.close_turn(at),
        "report_usage": lambda self, _, at: self._client.report_usage(at),
    }

    # What comes of them.

    def _listen(self, at: float) -> None:
        self._now.said += [(self._since(at), event_to(event)) for event in self._client.take_events()]

    def _since(self, at: float) -> float:
        return at - self._call.started_at

    def _counters(self, end: Fields) -> Iterator[Difference]:
        then, now = end["stats"], stats_to(self._client.stats)
        for name in sorted({*then, *now}):
            if not math.isclose(then.get(name, 0), now.get(name, 0), abs_tol=SAME_S):
                yield Difference(self._since(end["at"]), {name: then.get(name, 0)}, {name: now.get(name, 0)})
