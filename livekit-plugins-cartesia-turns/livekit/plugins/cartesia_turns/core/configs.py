"""Settings of an open socket: what a `config` can change, how it is answered, and what is in force.

The server does not answer a config that it takes. It answers one that it rejects with an `error`, keeps its settings
and leaves the socket open (https://docs.cartesia.ai/api-reference/stt/turns/websocket, read 2026-11-25). An error names
no config, so the time at which it comes decides which one it answers. All times are monotonic seconds.

    config sent      error              the socket is still there: rejected
     -----|------------|---------------------------|----------------------->
          |            |<--- CLOSE_FOLLOWS_S ----->|
          |<-- CONFIG_SPACING_S: no other config -->|
          |<--------- ANSWER_S: an error may be the answer --------->|
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..wire.messages import Config, ErrorMessage, TurnSettings
from ..wire.options import Options, in_order
from ..wire.vendor import MODELS, TURN_RANGES
from .changes import ABOUT_THE_SOCKET, Rejected, difference, merged, settings_of, undone, with_settings

CONFIG_SPACING_S = 0.5
"""The least time between two configs, or two round trips if longer: it is then certain which one an error answers."""
ANSWER_S = 5.0
"""How long after a config an error may be its answer, or ten round trips if longer."""
CLOSE_FOLLOWS_S = 1.0
"""If the socket ends within this time after an error, the error was about the socket and not about a config."""
LONGEST_END_TIMEOUT_MS = TURN_RANGES[0].value["end_timeout_ms"].high
CONFIGS_KEPT = 4
"""How many configs are remembered. They are CONFIG_SPACING_S apart, so no error is about an earlier one."""


@dataclass(frozen=True, slots=True)
class _Sent:
    config: Config
    before: Config
    at: float


class Configs:
    """The settings of one open socket.

    Args:
        options: what it was opened with.
    """

    def __init__(self, options: Options) -> None:
        self._opened = options
        self.in_force: Config = settings_of(options)
        """The server's settings, as far as they are known. None stands for a default that only the server knows."""
        self._at_first = self.in_force
        self._sent: tuple[_Sent, ...] = ()
        self._rejected: tuple[Config, ...] = ()
        self._error: ErrorMessage | None = None
        self._answered: _Sent | None = None
        self._is_unsure = False
        self._reached: Options | None = None
        self.decide_at: float = math.inf
        """When to call `decide`."""
        self.send_at: float = math.inf
        """When a change may go out that `change_to` held back because the last config was too recent."""

    @property
    def error(self) -> ErrorMessage | None:
        """An error for which it is not decided yet whether it is about a config or about the socket."""
        return self._error

    @property
    def end_timeout_s(self) -> float:
        """The longest time that the server may wait with the end of turn after speech stopped, in seconds.

        If the server may use its default, which only the server knows, this is the longest timeout it is known to take.
        """
        last_ms = self.in_force.turn.end_timeout_ms
        if not self._sent and last_ms is not None:
            return last_ms / 1000
        timeouts_ms = [last_ms, *(sent.before.turn.end_timeout_ms for sent in self._sent)]
        return max(LONGEST_END_TIMEOUT_MS if ms is None else ms for ms in timeouts_ms) / 1000

    def serves(self, wanted: Options) -> bool:
        """Whether configs can bring this socket to these options; otherwise they need a new socket.

        A config can't put a turn setting back to the server's default, since only the server knows that value.
        """
        if wanted is self._opened and self.in_force is self._at_first:
            # As in nearly all calls: nothing has changed since the socket was opened.
            return not self._is_unsure
        if self._is_unsure or with_settings(settings_of(self._opened), wanted) != self._opened:
            return False
        if not self._lists_can_change and settings_of(wanted) != replace(self.in_force, turn=wanted.turn):
            return False
        return not any(
            getattr(wanted.turn, name) is None and getattr(self.in_force.turn, name) is not None
            for name in TurnSettings.__slots__
        )

    def is_settled(self, wanted: Options) -> bool:
        """Whether `change_to` returns None for these options, and no answer to a config is awaited."""
        return wanted is self._reached and not self._sent

    def change_to(self, wanted: Options, now: float, *, rtt_s: float) -> Config | None:
        """The config that brings the server as near as possible to these options; None if none may go out now."""
        self.send_at = math.inf
        if self._sent:
            self._forget_answered(now, rtt_s)
        if wanted is self._reached or self._error is not None:
            return None
        change = difference(self.in_force, settings_of(wanted))
        if not self._lists_can_change:
            change = Config(change.turn)
        if change == Config() or change in self._rejected:
            self._reached = wanted
            return None
        if not self.serves(wanted) and not in_order(merged(self.in_force, change).turn):
            # Old settings that no config can take back would put the thresholds out of order: it takes a new socket.
            return None
        ready_at = self._sent[-1].at + max(CONFIG_SPACING_S, 2 * rtt_s) if self._sent else now
        self.send_at = ready_at if now < ready_at else math.inf
        return change if now >= ready_at else None

    def taken(self, now: float, *, rtt_s: float) -> Config:
        """The settings that the server has taken for certain: without changes that it may still reject."""
        self._forget_answered(now, rtt_s)
        return self._sent[0].before if self._sent else self.in_force

    def sent(self, config: Config, now: float) -> None:
        """The socket has taken a config."""
        self._sent = (*self._sent[1 - CONFIGS_KEPT :], _Sent(config, self.in_force, now))
        self.in_force = merged(self.in_force, config)

    def receive(self, error: ErrorMessage, now: float, *, rtt_s: float, shortest_rtt_s: float) -> bool:
        """An error came in.

        Args:
            error: the error.
            now: the present.
            rtt_s: the present round trip, in seconds.
            shortest_rtt_s: the shortest round trip so far, in seconds. An error that comes much sooner after a config
                does not answer it.

        Returns:
            Whether it may answer a config; `decide` then settles that. Otherwise it is about the socket.
        """
        self._forget_answered(now, rtt_s)
        if not self._sent or error.status_code in ABOUT_THE_SOCKET:
            return False
        too_late = len(self._sent) > 1 and now - self._sent[-1].at < shortest_rtt_s / 2
        asked = self._sent[-2 if too_late else -1]
        if self._error is None and (self._answered is None or asked.at != self._answered.at):
            # The server may answer a config with two bad settings with two errors. The first one stands for both.
            self._error, self._answered = error, asked
            self._is_unsure = self._is_unsure or len(self._sent) > 1
            self.decide_at = now + CLOSE_FOLLOWS_S
        return True

    def decide(self, now: float) -> Rejected | None:
        """The rejected config, once the socket has outlived the error by CLOSE_FOLLOWS_S; None before that."""
        if now < self.decide_at or self._error is None or self._answered is None:
            return None
        rejected = Rejected(self._answered.config, self._answered.before, self._error)
        self._error, self._reached, self.decide_at = None, None, math.inf
        self._rejected = (*self._rejected, rejected.change)
        self.in_force = undone(self.in_force, rejected)
        self._sent = tuple([replace(sent, before=undone(sent.before, rejected)) for sent in self._sent])
        return rejected

    @property
    def _lists_can_change(self) -> bool:
        model = MODELS.get(self._opened.model)
        return model is not None and model.changes_lists

    def _forget_answered(self, now: float, rtt_s: float) -> None:
        window_s = max(ANSWER_S, 10 * rtt_s)
        while self._sent and now >= self._sent[0].at + window_s:
            self._sent = self._sent[1:]
