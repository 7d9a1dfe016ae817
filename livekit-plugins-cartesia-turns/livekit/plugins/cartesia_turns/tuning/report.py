"""What the command says: what the runs will cost before they are made, and what came out of them. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..wire.messages import TurnSettings
from .grid import to_paste
from .score import Point

FEW_TURNS = 30
"""With fewer turns one false cut-off more or less may be chance."""


def counted(count: int, one: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count} {one}" if count == 1 else f"{count} {one}s"


def lasting(seconds: float) -> str:
    """`45 s`, `12.3 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def cost(
    *, calls: int, turns: int, settings: int, done: int, seconds: Sequence[float], base_url: str, at_once: int
) -> str:
    """What is about to be spent.

    Args:
        calls: the calls to be run.
        turns: the turns in them.
        settings: the settings to be tried.
        done: how many runs were made before.
        seconds: how long the audio of each run is that is still to be made.
        base_url: where it goes.
        at_once: how many runs are made at once.
    """
    made = f", of which {done} were made before" if done else ""
    head = f"{counted(calls, 'call')} with {counted(turns, 'turn')}, {counted(settings, 'setting')}"
    return (
        f"{head}: {counted(len(seconds) + done, 'run')}{made}.\n"
        f"{lasting(math.fsum(seconds))} of audio will be sent to {base_url}, {counted(at_once, 'run')} at once, which"
        f" takes {lasting(lasting_s(seconds, at_once))} or a little more.\n"
        "Cartesia bills each second of audio. A turn that has not ended with its call adds some, up to its timeout."
    )


def lasting_s(seconds: Sequence[float], at_once: int) -> float:
    """How long runs of such lengths take, so many at once."""
    return max(math.fsum(seconds) / at_once, max(seconds, default=0.0))


def outcome(points: Sequence[Point], best: Sequence[Point]) -> str:
    """The settings on the frontier, with the arguments to paste."""
    verb = "is" if len(best) == 1 else "are"
    lines = [
        f"{len(best)} of {counted(len(points), 'setting')} {verb} worth a choice: no other has both fewer false"
        " cut-offs and a shorter delay."
    ]
    for point in best:
        score = point.score
        lines += [
            "",
            f"{counted(score.cut_offs, 'false cut-off')} in {counted(score.turns, 'turn')};"
            f" turns end {score.delay_s:.2f} s after speech, nine of ten within {score.delay_90_s:.2f} s"
            f"{_more(point)}:",
            f"    STT({to_paste(point.turn)})",
        ]
    if points and points[0].score.turns < FEW_TURNS:
        lines += ["", f"Fewer than {FEW_TURNS} turns tell little: a difference of one or two cut-offs may be chance."]
    return "\n".join(lines)


def _more(point: Point) -> str:
    parts = [
        f", {counted(point.score.missed, 'end')} missed" if point.score.missed else "",
        f", {counted(point.score.extra, 'turn')} without speech" if point.score.extra else "",
    ]
    return "".join(parts)


def refused(errors: Mapping[TurnSettings, str]) -> str:
    """Which settings the endpoint does not take, and what it said, each reason once."""
    lines: list[str] = []
    for why in dict.fromkeys(errors.values()):
        settings = [turn for turn, said in errors.items() if said == why]
        lines += [f"left out, since the endpoint refused {'it' if len(settings) == 1 else 'them'}: {why}"]
        lines += [f"    {to_paste(turn)}" for turn in settings]
    return "\n".join(lines)
