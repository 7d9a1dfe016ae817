"""Changes of options by a `config`: what differs, what a rejection undoes, and what a socket was refused for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..wire.messages import Config, ErrorMessage, TurnSettings
from ..wire.options import Options

LISTS = ("keyterms", "language_hints")
"""The options beside `turn` that a config may change, if the model allows it."""
ABOUT_THE_SOCKET = frozenset({401, 402, 403, 429})
"""Statuses that are about the key or the plan, whatever was sent before."""
NOT_FOR_OPTIONS = ABOUT_THE_SOCKET | {404, 408}
"""Statuses under 500 with which the server refuses a socket for another reason than its options."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server rejected a change of settings, and keeps those that it had."""

    change: Config
    before: Config
    """The settings that were in force, and still are."""
    error: ErrorMessage


def settings_of(options: Options) -> Config:
    """All options that a config may change."""
    return Config(options.turn, **_lists(options))


def merged(base: Config, change: Config) -> Config:
    """`base` with each setting that `change` gives."""
    return _each(lambda old, new: old if new is None else new, base, change)


def difference(old: Config, new: Config) -> Config:
    """The settings that `new` gives and that differ in `old`."""
    return _each(lambda before, after: None if before == after else after, old, new)


def undone(settings: Config, rejected: Rejected) -> Config:
    """`settings` without a rejected change: each setting that has the rejected value gets back the one from before."""
    return _each(
        lambda now, change, before: before if change is not None and now == change else now,
        settings,
        rejected.change,
        rejected.before,
    )


def refused(asked: Config, taken: Config | None, error: ErrorMessage | None) -> Rejected | None:
    """The change for which the server may have refused a socket.

    Args:
        asked: the settings that the socket was asked for with.
        taken: those of an earlier socket of this stream, if there was one.
        error: what the server said.

    Returns:
        The difference between the two, which the next socket can leave out; None if the error can't be about it.
    """
    if taken is None or error is None or error.status_code in NOT_FOR_OPTIONS or not 400 <= error.status_code < 500:
        return None
    change = difference(taken, asked)
    return None if change == Config() else Rejected(change, taken, error)


def without(options: Options, rejected: Rejected) -> Options:
    """`options` without a rejected change."""
    try:
        return with_settings(undone(settings_of(options), rejected), options)
    except ValueError:
        # Together with later changes the old settings are out of order, so all settings go back to those before.
        return with_settings(rejected.before, options)


def names_of(change: Config) -> list[str]:
    """The names of the options that a config changes, as the user knows them."""
    turn = [f"turn_{name}" for name in TurnSettings.__slots__ if getattr(change.turn, name) is not None]
    return turn + [name for name in LISTS if getattr(change, name) is not None]


def _each(choose: Callable[..., Any], *settings: Config) -> Config:
    """Chooses each setting from the settings of the same name."""
    turn = {name: choose(*(getattr(each.turn, name) for each in settings)) for name in TurnSettings.__slots__}
    return Config(TurnSettings(**turn), **{name: choose(*(getattr(each, name) for each in settings)) for name in LISTS})


def with_settings(settings: Config, options: Options) -> Options:
    """`options` with these settings in place of its own."""
    lists: dict[str, Any] = {name: getattr(settings, name) for name in LISTS}
    return replace(options, turn=settings.turn, **lists)


def _lists(options: Options) -> dict[str, tuple[str, ...]]:
    return {name: getattr(options, name) for name in LISTS}
