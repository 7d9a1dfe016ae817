"""How good a setting is: how often it cut a caller off, and how late it ended the turns. Pure.

A turn that is ended before the caller was done is a false cut-off. From where the caller was done to where the turn is
ended is the delay, and an agent can't answer sooner. The two trade against each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from ..recording.labels import Labels
from ..wire.messages import TurnSettings

START, EAGER_END, RESUME, END = "start", "eager_end", "resume", "end"
Event = tuple[str, float]
"""One of these, and when it came: in seconds of the call's audio that had been sent."""


@dataclass(frozen=True, slots=True)
class Score:
    """What one setting did in some calls; times are in seconds of audio.

    Attributes:
        turns: how many turns the callers ended.
        cut_offs: how often a turn was ended before the caller was done.
        missed: turns that had no end of their own: the caller spoke again, or the call was over, before one came.
        extra: turns that were told where nobody had spoken.
        delays: for each turn, from the end of its speech to the next end of a turn. For the last turn of a call that
            may be only the rest of the call, which is less than the delay was.
        early: the same, to the eager end before it, if there was one: a speculative reply can start then.
        early_in_vain: eager ends before the caller was done: each costs a reply that is thrown away.
    """

    turns: int = 0
    cut_offs: int = 0
    missed: int = 0
    extra: int = 0
    delays: tuple[float, ...] = ()
    early: tuple[float, ...] = ()
    early_in_vain: int = 0

    def __add__(self, other: Score) -> Score:
        """Both together."""
        return Score(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    @property
    def cut_off_share(self) -> float:
        """False cut-offs for each turn."""
        return self.cut_offs / self.turns if self.turns else 0.0

    @property
    def delay_s(self) -> float:
        """The mean delay."""
        return _mean(self.delays)

    @property
    def early_s(self) -> float:
        """The mean delay of the eager end, or of the end where no eager end came before it."""
        return _mean(self.early)

    @property
    def delay_90_s(self) -> float:
        """Nine of ten turns ended within this delay."""
        ordered = sorted(self.delays)
        return ordered[math.ceil(0.9 * len(ordered)) - 1] if ordered else 0.0


@dataclass(frozen=True, slots=True)
class Point:
    """A setting and its score over all calls."""

    turn: TurnSettings
    score: Score


@dataclass(frozen=True, slots=True)
class _Turn:
    start: float
    end: float
    is_over: bool


def score(labels: Labels, events: Sequence[Event], heard_s: float) -> Score:
    """What a run of one call is worth.

    Args:
        labels: where the turns of the call really ended.
        events: what the endpoint told, in order.
        heard_s: how much audio it was sent.
    """
    turns = _turns(labels)
    ends = [at for kind, at in events if kind == END]
    eager = [at for kind, at in events if kind == EAGER_END]
    over = [turn for turn in turns if turn.is_over]
    later = [*(after.start for after in turns[1:]), math.inf][: len(over)]
    answered = [next((at for at in ends if at >= turn.end), math.inf) for turn in over]
    early = [next((at for at in eager if turn.end <= at < end), end) for turn, end in zip(over, answered, strict=True)]
    return Score(
        turns=len(over),
        cut_offs=_within(turns, ends),
        missed=sum(end >= after or end == math.inf for end, after in zip(answered, later, strict=True)),
        extra=_extra(turns, ends),
        delays=_delays(over, answered, heard_s),
        early=_delays(over, early, heard_s),
        early_in_vain=_within(turns, eager),
    )


def frontier(points: Iterable[Point]) -> list[Point]:
    """The settings than which no other is better in both respects, from the fewest cut-offs to the shortest delay."""
    best: list[Point] = []
    for point in sorted(points, key=lambda one: (one.score.cut_off_share, one.score.delay_s)):
        if not best or point.score.delay_s < best[-1].score.delay_s:
            best.append(point)
    return best


def _turns(labels: Labels) -> list[_Turn]:
    """The turns of the caller. If the call was over before its last turn was, that turn has no end."""
    turns: list[_Turn] = []
    start: float | None = None
    for stretch in labels.stretches:
        start = stretch.start if start is None else start
        if stretch.ends_turn:
            turns.append(_Turn(start, stretch.end, True))
            start = None
    if start is not None:
        turns.append(_Turn(start, labels.stretches[-1].end, False))
    return turns


def _delays(turns: Sequence[_Turn], ends: Sequence[float], heard_s: float) -> tuple[float, ...]:
    return tuple(max(0.0, min(end, heard_s) - turn.end) for turn, end in zip(turns, ends, strict=True))


def _within(turns: Sequence[_Turn], times: Sequence[float]) -> int:
    return sum(turn.start <= at < turn.end for turn in turns for at in times)


def _extra(turns: Sequence[_Turn], ends: Sequence[float]) -> int:
    """Ends of turns outside the caller's turns, other than the first one after each of them."""
    edges = [(-math.inf, turns[0].start if turns else math.inf)]
    edges += [(before.end, after.start) for before, after in pairwise(turns)]
    edges += [(turns[-1].end, math.inf)] if turns else []
    counts = [sum(start <= at < end for at in ends) for start, end in edges]
    return counts[0] + sum(max(0, count - 1) for count in counts[1:])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
