"""The settings that are tried: every combination of the values that the user gives. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..wire.messages import TurnSettings
from ..wire.options import check_turn, complete, in_order
from ..wire.vendor import TURN_DEFAULTS

_KNOWN = complete(TURN_DEFAULTS[0].value)

STARTS: tuple[float, ...] = (_KNOWN.start_threshold,)
EAGER_ENDS: tuple[float, ...] = (_KNOWN.eager_end_threshold,)
ENDS: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
TIMEOUTS_MS: tuple[int, ...] = (1600, _KNOWN.end_timeout_ms)
"""What is tried of each setting unless the user says otherwise. All four are always sent, so that the results do not
depend on the server's defaults."""


def grid(
    starts: Sequence[float] = STARTS,
    eager_ends: Sequence[float] = EAGER_ENDS,
    ends: Sequence[float] = ENDS,
    timeouts_ms: Sequence[int] = TIMEOUTS_MS,
) -> tuple[list[TurnSettings], int]:
    """All combinations of these values that a server takes, and how many are left out.

    Those are left out that break the order of the thresholds: start > eager end > end.

    Raises:
        ValueError: a value can't be right, or no combination is in order.
    """
    axes = (starts, eager_ends, ends, timeouts_ms)
    for name, values in zip(TurnSettings.__slots__, axes, strict=True):
        for value in values:
            check_turn(TurnSettings(**{name: value}))  # type: ignore[arg-type]  # each name has its own type
    every = list(dict.fromkeys(TurnSettings(*values) for values in itertools.product(*axes)))
    settings = [turn for turn in every if in_order(turn)]
    if not settings:
        raise ValueError(
            f"no combination is in order: turn_start_threshold {_listed(starts)} > turn_eager_end_threshold"
            f" {_listed(eager_ends)} > turn_end_threshold {_listed(ends)} must hold for one at least"
        )
    return settings, len(every) - len(settings)


def _listed(values: Sequence[float]) -> str:
    return " or ".join(map(str, values))


def arguments_of(turn: TurnSettings) -> dict[str, float]:
    """The arguments of an STT with these settings."""
    given = ((name, getattr(turn, name)) for name in TurnSettings.__slots__)
    return {f"turn_{name}": value for name, value in given if value is not None}


def to_paste(turn: TurnSettings) -> str:
    """The arguments as they stand in a program."""
    return ", ".join(f"{name}={value}" for name, value in arguments_of(turn).items())
