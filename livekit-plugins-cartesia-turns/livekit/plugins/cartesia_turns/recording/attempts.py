"""What a server must do to play a recorded call again: for each attempt to connect, what goes wrong and what is said.

Time is counted in the audio that a socket was given, so that whoever sends the same audio again hears the same at the
same place in it. What happened while no audio was sent happens right after the audio before it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ..server.faults import Faults
from ..wire.messages import Connected, ErrorMessage, TurnEnd, TurnMessage
from .files import Recording
from .letters import ANSWERED, LIVE, OFFERED, PINGED, SENT
from .schema import Fields, message_of
from .steps import steps_of

SPARE_S = 1.0
"""Where the client itself closed the socket, the server does so after this many seconds more of audio, if need be."""
MOMENT_S = 0.001
STATUSES = range(400, 600)
"""The statuses of a refusal. A refusal with any other is played as a TCP reset."""
LOST_CODE, NONE_GIVEN, NOT_ALLOWED, GOING_AWAY, BROKEN = 1006, 1005, 1008, 1001, 1011
"""Close codes. The first two stand for what was not sent: no close frame, and a close frame without a code."""


@dataclass(frozen=True, slots=True)
class Saying:
    """A message: when it comes, in seconds of the socket's audio, its text frame, and whether a turn is open then."""

    at_s: float
    frame: str
    in_turn: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to connect: what goes wrong with it, and what the server says.

    `is_refused` says that there was no socket. `is_closed_by_client` says that the client closed it. `ends_s` is how
    much audio the socket was given, in seconds.
    """

    faults: Faults
    sayings: list[Saying] = field(default_factory=list)
    is_refused: bool = False
    is_closed_by_client: bool = False
    ends_s: float = 0.0


def attempts_of(call: Recording) -> list[Attempt]:
    """The attempts of a recorded call, in order."""
    reader = _Reader(call.options.sample_rate)
    for line in call.lines:
        reader.read(line)
    reader.close()
    return reader.attempts


class _Reader:
    def __init__(self, sample_rate: int) -> None:
        self.attempts: list[Attempt] = []
        self._rate = sample_rate
        self._samples = self._offered = 0
        self._sayings: list[Saying] | None = None
        self._is_connected = self._is_closing = self._in_turn = self._ended_by_error = False
        self._answered_s = 0.0
        """How much audio the socket had when anything came from it last."""
        self._end: Fields | None = None
        self._code: int | None = None
        self._is_retold = False

    def read(self, line: Fields) -> None:
        """Takes the next line."""
        if "steps" in line:
            self._take_steps(line)
        elif line.get("announced") == "disconnected" and self._end is not None:
            self._code = line.get("code")
        elif line.get("call") == "link_opened":
            self.close()
            self._sayings, self._samples, self._offered = [], 0, 0
            self._is_connected = self._is_closing = self._in_turn = self._ended_by_error = False
            self._answered_s, self._end, self._code = 0.0, None, None
        elif line.get("call") == "link_lost":
            self._end = line
            self._is_retold = line["hang_up"] == "not_connected"
        elif line.get("call") == "attempt_failed":
            self._fail(line["error"])
        elif line.get("call") == "receive" and self._sayings is not None:
            self._say(line["message"])
        elif line.get("call") == "outgoing" and line["item"]["type"] == "close":
            self._is_closing = True

    def close(self) -> None:
        """The last socket has ended, or the recording has."""
        if self._sayings is not None:
            by_client = self._end is not None and self._end["hang_up"] is not None
            self.attempts.append(
                Attempt(self._faults(), self._sayings, is_closed_by_client=by_client, ends_s=self._now_s)
            )
        self._sayings = None

    @property
    def _now_s(self) -> float:
        return self._samples / self._rate

    def _take_steps(self, line: Fields) -> None:
        for step in steps_of(line):
            if step.letter == LIVE:
                self._samples += step.pushed // 2
            elif step.letter == OFFERED and step.sent is not None:
                self._offered = step.sent[1]
            elif step.letter == PINGED:
                self._offered = 0
            elif step.letter == SENT:
                self._samples += self._offered
                self._offered = 0
            elif step.letter == ANSWERED:
                self._answered_s = self._now_s

    def _say(self, written: Fields) -> None:
        message = message_of(written)
        self._answered_s = self._now_s
        self._ended_by_error = isinstance(message, ErrorMessage)
        if isinstance(message, Connected):
            self._is_connected = True
        elif self._sayings is not None:
            if isinstance(message, TurnMessage):
                self._in_turn = not isinstance(message, TurnEnd)
            # What was said after the client's `close` waits for the `close`, unless more audio comes.
            at_s = self._now_s + (MOMENT_S if self._is_closing else 0.0)
            self._sayings.append(Saying(at_s, json.dumps(written), self._in_turn))

    def _fail(self, error: Fields | None) -> None:
        if self._is_retold:
            # The socket that never said `connected` is an attempt already.
            self._is_retold = False
            return
        self.close()
        status = (error or {}).get("status_code")
        is_answer = isinstance(status, int) and status in STATUSES
        self.attempts.append(Attempt(Faults(status=status) if is_answer else Faults(refuse=True), is_refused=True))

    def _faults(self) -> Faults:
        silent = not self._is_connected
        if self._end is None:
            return Faults(no_connected=silent)
        if self._end["hang_up"] == "dead":
            return Faults(no_connected=silent, half_open_at_s=self._answered_s)
        is_answered = self._is_closing and (self._end["clean"] or self._end["hang_up"] == "drained")
        if is_answered or self._end["hang_up"] == "not_connected":
            return Faults(no_connected=silent)
        spare_s = SPARE_S if self._end["hang_up"] else 0.0
        return Faults(no_connected=silent, drop_at_s=self._now_s + spare_s, drop_code=self._close_code(self._end))

    def _close_code(self, end: Fields) -> int | None:
        if self._code == LOST_CODE or (self._code is None and end["abrupt"]):
            return None
        if self._code is not None:
            return 1000 if self._code == NONE_GIVEN else self._code
        if self._ended_by_error:
            return NOT_ALLOWED
        return GOING_AWAY if end["hang_up"] or end["clean"] or end["leaving"] else BROKEN
