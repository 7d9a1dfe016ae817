"""Settings that change on an open socket: what a `config` can change, what it is answered, and what is in force.

The server answers a config that it takes with nothing, and one that it rejects with an `error`: that changes nothing,
and the socket stays open (https://docs.cartesia.ai/api-reference/stt/turns/websocket, read 2026-11-25). An error names
no config, so the time at which it comes decides which one it answers. All times are monotonic seconds.

    config sent      error              the socket is still there: rejected
     -----|------------|---------------------------|----------------------->
          |            |<--- CLOSE_FOLLOWS_S ----->|
          |<-- CONFIG_SPACING_S: no other config -->|
          |<--------- ANSWER_S: an error may be the answer --------->|
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..wire.messages import Config, ErrorMessage, TurnSettings
from ..wire.options import Options, in_order
from ..wire.vendor import MODELS, TURN_RANGES

CONFIG_SPACING_S = 0.5
"""The least time between two configs, so that an error answers one of them for certain; two round trips if longer."""
ANSWER_S = 5.0
"""How long after a config an error may be its answer; ten round trips if that is longer."""
CLOSE_FOLLOWS_S = 1.0
"""An error that is followed by the end of the socket within this time was about the socket."""
ABOUT_THE_SOCKET = frozenset({401, 402, 403, 429})
"""Statuses that tell of the key or of the plan, whatever was sent before."""
LONGEST_END_TIMEOUT_MS = TURN_RANGES[0].value["end_timeout_ms"].high
LISTS = ("keyterms", "language_hints")
"""The options beside `turn` that a config may change, for a model that lets it."""
NOT_FOR_OPTIONS = ABOUT_THE_SOCKET | {404, 408}
"""Statuses under 500 that say nothing against the options that a socket was asked for with."""
KEPT = 4
"""How many configs are remembered: with CONFIG_SPACING_S between them, no error is about an earlier one."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server rejected a change of settings, and goes by those that it had."""

    change: Config
    before: Config
    """What was in force, and is."""
    error: ErrorMessage


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
        """What the server goes by, as far as that is known: a None has a default that only the server knows."""
        self._sent: list[_Sent] = []
        self._rejected: list[Config] = []
        self._error: ErrorMessage | None = None
        self._answered: _Sent | None = None
        self._is_unsure = False
        self._reached: Options | None = None
        self.decide_at: float = math.inf
        """When to call `decide`."""
        self.send_at: float = math.inf
        """When a change may go out for which `change_to` found it too early."""

    @property
    def error(self) -> ErrorMessage | None:
        """An error of which it is not decided yet whether it is about a config or about the socket."""
        return self._error

    @property
    def end_timeout_s(self) -> float:
        """The longest that the server may wait after speech stopped, in seconds.

        Where that may be its default, which only the server knows, it is the longest that it is known to allow.
        """
        last_ms = self.in_force.turn.end_timeout_ms
        if not self._sent and last_ms is not None:
            return last_ms / 1000
        timeouts_ms = [last_ms, *(sent.before.turn.end_timeout_ms for sent in self._sent)]
        return max(LONGEST_END_TIMEOUT_MS if ms is None else ms for ms in timeouts_ms) / 1000

    def serves(self, wanted: Options) -> bool:
        """Whether this socket can have these options.

        A turn setting can't go back to the server's default, since nobody here knows what that is.
        """
        if self._is_unsure or _with(settings_of(self._opened), wanted) != self._opened:
            return False
        if not self._lists_can_change and settings_of(wanted) != replace(self.in_force, turn=wanted.turn):
            return False
        return not any(
            getattr(wanted.turn, name) is None and getattr(self.in_force.turn, name) is not None
            for name in TurnSettings.__slots__
        )

    def is_settled(self, wanted: Options) -> bool:
        """Whether `change_to` has nothing to say about these options, and no answer is waited for."""
        return wanted is self._reached and not self._sent

    def change_to(self, wanted: Options, now: float, *, rtt_s: float) -> Config | None:
        """The config that brings the server as near to these options as one can, if one may go out now."""
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
            # What is left of the last settings is in the way: these come with a new socket.
            return None
        ready_at = self._sent[-1].at + max(CONFIG_SPACING_S, 2 * rtt_s) if self._sent else now
        self.send_at = ready_at if now < ready_at else math.inf
        return change if now >= ready_at else None

    def sent(self, config: Config, now: float) -> None:
        """A config is with the socket."""
        self._sent = [*self._sent[1 - KEPT :], _Sent(config, self.in_force, now)]
        self.in_force = merged(self.in_force, config)

    def receive(self, error: ErrorMessage, now: float, *, rtt_s: float, shortest_rtt_s: float) -> bool:
        """An error came in.

        Args:
            error: it.
            now: the present.
            rtt_s: the present round trip, in seconds.
            shortest_rtt_s: the shortest round trip so far: what comes much sooner after a config does not answer it.

        Returns:
            Whether it may be the answer to a config: `decide` will tell. If not, it is about the socket.
        """
        self._forget_answered(now, rtt_s)
        if not self._sent or error.status_code in ABOUT_THE_SOCKET:
            return False
        too_late = len(self._sent) > 1 and now - self._sent[-1].at < shortest_rtt_s / 2
        asked = self._sent[-2 if too_late else -1]
        if self._error is None and (self._answered is None or asked.at != self._answered.at):
            # A config with two bad settings may be answered with two errors: the first one stands for both.
            self._error, self._answered = error, asked
            self._is_unsure = self._is_unsure or len(self._sent) > 1
            self.decide_at = now + CLOSE_FOLLOWS_S
        return True

    def decide(self, now: float) -> Rejected | None:
        """The config that was rejected, once the socket has outlived the error for long enough."""
        if now < self.decide_at or self._error is None or self._answered is None:
            return None
        rejected = Rejected(self._answered.config, self._answered.before, self._error)
        self._error, self._reached, self.decide_at = None, None, math.inf
        self._rejected.append(rejected.change)
        self.in_force = undone(self.in_force, rejected)
        self._sent = [replace(sent, before=undone(sent.before, rejected)) for sent in self._sent]
        return rejected

    @property
    def _lists_can_change(self) -> bool:
        model = MODELS.get(self._opened.model)
        return model is not None and model.changes_lists

    def _forget_answered(self, now: float, rtt_s: float) -> None:
        window_s = max(ANSWER_S, 10 * rtt_s)
        while self._sent and now >= self._sent[0].at + window_s:
            self._sent.pop(0)


def settings_of(options: Options) -> Config:
    """Those of the options that a config may change, complete."""
    return Config(options.turn, **_lists(options))


def merged(base: Config, change: Config) -> Config:
    """`base` with all that `change` gives."""
    return _each(lambda old, new: old if new is None else new, base, change)


def difference(old: Config, new: Config) -> Config:
    """What of `new` is given and not the same in `old`."""
    return _each(lambda before, after: None if before == after else after, old, new)


def undone(settings: Config, rejected: Rejected) -> Config:
    """`settings` without the change that was rejected: each setting that has its value is what it was before."""
    return _each(
        lambda now, change, before: before if change is not None and now == change else now,
        settings,
        rejected.change,
        rejected.before,
    )


def refused(asked: Config, taken: Config | None, error: ErrorMessage | None) -> Rejected | None:
    """The change that a socket was refused for, as far as can be told.

    Args:
        asked: the settings that it was asked for with.
        taken: those that an earlier socket of the stream had, if there was one.
        error: what the server said.

    Returns:
        What differs, if the error may be about that: the next socket can do without.
    """
    if taken is None or error is None or error.status_code in NOT_FOR_OPTIONS or not 400 <= error.status_code < 500:
        return None
    change = difference(taken, asked)
    return None if change == Config() else Rejected(change, taken, error)


def without(options: Options, rejected: Rejected) -> Options:
    """`options` less a change that was rejected."""
    try:
        return _with(undone(settings_of(options), rejected), options)
    except ValueError:
        # With what was changed since, the settings from before are not in order: all of them are, as they were.
        return _with(rejected.before, options)


def names_of(change: Config) -> list[str]:
    """The names of the options that it changes."""
    turn = [f"turn_{name}" for name in TurnSettings.__slots__ if getattr(change.turn, name) is not None]
    return turn + [name for name in LISTS if getattr(change, name) is not None]


def _each(choose: Callable[..., Any], *settings: Config) -> Config:
    """Settings made one by one from those of the same name."""
    turn = {name: choose(*(getattr(each.turn, name) for each in settings)) for name in TurnSettings.__slots__}
    return Config(TurnSettings(**turn), **{name: choose(*(getattr(each, name) for each in settings)) for name in LISTS})


def _with(settings: Config, options: Options) -> Options:
    """`options` with these settings, which are complete."""
    lists: dict[str, Any] = {name: getattr(settings, name) for name in LISTS}
    return replace(options, turn=settings.turn, **lists)


def _lists(options: Options) -> dict[str, tuple[str, ...]]:
    return {name: getattr(options, name) for name in LISTS}
