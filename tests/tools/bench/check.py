"""Compares a run with an earlier one: what got worse by more than the noise that was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from .figures import FLOOR, OURS, PEERS, Figure

SLACK = 0.05
"""A change of a twentieth is never called one: machines differ by as much from hour to hour."""
ROUGH = 0.3
"""The same where there are too few rounds to know the noise."""
FEW_ROUNDS = 3
NOISES = 3.0
"""A change is one from so many times the noise on."""


def worse(now: Iterable[Figure], earlier: Iterable[Figure]) -> list[str]:
    """One sentence for each figure of this plugin that got worse."""
    before = {(figure.scale, figure.name): figure for figure in earlier}
    pairs = ((figure, before.get((figure.scale, figure.name))) for figure in now)
    return [sentence for figure, old in pairs if old is not None for sentence in _compared(figure, old)]


def missing(now: Iterable[Figure], earlier: Iterable[Figure]) -> list[str]:
    """The figures of the scales of this run that the earlier one has and this one has not."""
    present = {(figure.scale, figure.name) for figure in now}
    scales = {scale for scale, _ in present}
    lost = (old for old in earlier if old.scale in scales and (old.scale, old.name) not in present)
    return [f"{old.scale}: {old.name}" for old in lost]


def tolerance(figure: Figure, peer: str) -> float:
    """By what part of itself a ratio to this peer may change by chance."""
    few = len(figure.values.get(peer, [])) < FEW_ROUNDS
    return max(ROUGH if few else SLACK, NOISES * max(figure.noise(peer), figure.noise(FLOOR)))


def _compared(figure: Figure, old: Figure) -> Iterator[str]:
    peer = next((name for name in PEERS if _has_ratio(figure, name) and _has_ratio(old, name)), None)
    if peer is None:
        yield from _alone(figure, old)
        return
    was, is_now = old.ratio(OURS, peer), figure.ratio(OURS, peer)
    allowed = 1 + max(tolerance(figure, peer), tolerance(old, peer))
    if _is_worse(was, is_now, allowed, figure):
        yield f"{figure.scale}: {figure.name}: {was:.2f} x {peer} has become {is_now:.2f} x (noise {allowed - 1:.0%})"


def _alone(figure: Figure, old: Figure) -> Iterator[str]:
    """Without a peer that took anything, the values themselves are compared."""
    was, is_now = old.median(OURS), figure.median(OURS)
    allowed = 1 + max(tolerance(figure, OURS), tolerance(old, OURS))
    if _is_worse(was, is_now, allowed, figure):
        yield f"{figure.scale}: {figure.name}: {was:.3g} has become {is_now:.3g} (noise {allowed - 1:.0%})"


def _has_ratio(figure: Figure, peer: str) -> bool:
    return math.isfinite(figure.ratio(OURS, peer))


def _is_worse(was: float, is_now: float, allowed: float, figure: Figure) -> bool:
    if math.isnan(was) or math.isnan(is_now):
        return False
    return is_now * allowed < was if figure.more_is_better else is_now > was * allowed


def as_json(figures: Iterable[Figure]) -> list[dict[str, object]]:
    """What `from_json` reads."""
    return [
        {
            "scale": figure.scale,
            "name": figure.name,
            "more_is_better": figure.more_is_better,
            "harness_in_it": figure.harness_in_it,
            "values": figure.values,
        }
        for figure in figures
    ]


def from_json(rows: Iterable[Mapping[str, object]]) -> list[Figure]:
    """The figures of an earlier run.

    Raises:
        ValueError: it is none.
    """
    try:
        return [Figure(**row) for row in rows]  # type: ignore[arg-type]  # checked below
    except TypeError as error:
        raise ValueError("this is not the JSON of a benchmark") from error
