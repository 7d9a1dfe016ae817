"""What came out, as a table (CSV) and as a picture (PNG)."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..wire.messages import TurnSettings
from .grid import arguments_of
from .score import Point, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INSTALL_HINT = (
    "the picture needs matplotlib, which is not installed: install livekit-plugins-cartesia-turns with its extra"
    " [tune], or matplotlib itself, or leave the picture out with --no-picture"
)
FIGURES: dict[str, Callable[[Score], float]] = {
    "turns": lambda score: score.turns,
    "false_cut_offs": lambda score: score.cut_offs,
    "false_cut_offs_per_100_turns": lambda score: round(100 * score.cut_off_share, 2),
    "delay_mean_s": lambda score: round(score.delay_s, 3),
    "delay_90th_percentile_s": lambda score: round(score.delay_90_s, 3),
    "missed_ends": lambda score: score.missed,
    "extra_turns": lambda score: score.extra,
    "eager_delay_mean_s": lambda score: round(score.early_s, 3),
    "eager_ends_in_vain": lambda score: score.early_in_vain,
}
"""The columns of the table beside the settings, and what stands in them."""
INK, GREY, BEST = "#13201c", "#8b9a95", "#b8480c"


class ChartError(Exception):
    """The picture can't be drawn. The text says what to install."""


def check_drawing() -> None:
    """Checks that a picture can be drawn, before anything is spent on runs.

    Raises:
        ChartError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ChartError(INSTALL_HINT)


def write_table(path: Path, points: Sequence[Point], best: Sequence[Point]) -> None:
    """Writes one line for each setting.

    Raises:
        OSError: the disk does not take it.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([*(f"turn_{name}" for name in TurnSettings.__slots__), *FIGURES, "on_frontier"])
        for point in points:
            settings = [getattr(point.turn, name) for name in TurnSettings.__slots__]
            table.writerow([*settings, *_figures(point.score), "yes" if point in best else "no"])


def draw(path: Path, points: Sequence[Point], best: Sequence[Point], title: str) -> None:
    """Draws false cut-offs against delay: a dot for each setting, and a line through those on the frontier.

    Raises:
        OSError: the disk does not take it.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  # an extra that the other commands do without
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots()
    rest = [point for point in points if point not in best]
    axes.plot(*_places(rest), "o", color=GREY, markersize=7, label="other settings")
    axes.plot(*_places(best), "o--", color=BEST, markersize=9, linewidth=1, label="no other setting is better in both")
    for point, text in zip(best, _labels(best, points), strict=True):
        _name(axes, point, text)
    axes.set_xlabel("mean delay from the end of speech to the end of the turn, in seconds", color=INK)
    axes.set_ylabel("false cut-offs per 100 turns", color=INK)
    axes.set_title(title, loc="left", color=INK, fontsize=11)
    rightmost, highest = (max(places) for places in _places(points))
    axes.set_xlim(0, 1.2 * max(rightmost, 0.5))
    axes.set_ylim(-0.05 * max(highest, 5), 1.15 * max(highest, 5))
    axes.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.grid(color=GREY, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, labelcolor=INK)
    figure.savefig(path, format="png", dpi=130)


def _name(axes: Axes, point: Point, text: str) -> None:
    axes.annotate(text, _place(point), (8, 8), textcoords="offset points", fontsize=8, color=INK)


def _labels(best: Sequence[Point], points: Sequence[Point]) -> list[str]:
    """For each of the best the settings in which the points differ."""
    settings = [arguments_of(point.turn) for point in points]
    names = [name for name in settings[0] if len({one.get(name) for one in settings}) > 1] if settings else []
    return ["\n".join(f"{_short(name)} {arguments_of(point.turn).get(name)}" for name in names) for point in best]


def _short(name: str) -> str:
    return name.removeprefix("turn_").removesuffix("_threshold").removesuffix("_ms").replace("_", " ")


def _places(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    places = [_place(point) for point in points]
    return [x for x, _ in places], [y for _, y in places]


def _place(point: Point) -> tuple[float, float]:
    return point.score.delay_s, 100 * point.score.cut_off_share


def _figures(score: Score) -> list[float]:
    return [figure(score) for figure in FIGURES.values()]
