"""A picture of a call: its waveform, the turns over it, and when each event came."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from printable import visible

from .audio import SAMPLE_RATE, Samples
from .call import Turn
from .views import clock_text

ROW_S = 20.0
"""How much audio a row holds; a call that is too long for MAX_ROWS such rows has longer rows."""
MAX_ROWS = 30
WIDTH_IN, ROW_IN = 13.0, 2.3
POINTS_PER_ROW = 1500
CHARACTERS_PER_ROW = 175
INK, WAVE, SPEECH, WAIT, EAGER, RESUMED, ENDED = (
    "#1c2430", "#93a0b4", "#3b7dd8", "#f4b740", "#d97706", "#9333ea", "#15803d",
)  # fmt: skip
TOP_Y, LANE_Y, BOTTOM_Y = 2.05, -1.22, -1.5
BREAK_S = 0.2
"""How long before a turn a row breaks."""


def draw(path: Path, title: str, samples: Samples, turns: Sequence[Turn]) -> None:
    """Writes the picture of a call; the file's name says in which format."""
    duration_s = len(samples) / SAMPLE_RATE
    rows = row_spans(duration_s, turns)
    width_s = max(end_s - start_s for start_s, end_s in rows)
    figure = Figure(figsize=(WIDTH_IN, ROW_IN * len(rows) + 0.9), layout="constrained")
    axes = figure.subplots(len(rows), squeeze=False)[:, 0]
    peak = max(1, int(np.abs(samples.astype(np.int32)).max(initial=0)))
    for ax, (start_s, end_s) in zip(axes, rows, strict=True):
        _frame(ax, start_s, width_s)
        _waveform(ax, samples, peak, start_s, end_s)
        for turn in turns:
            _turn(ax, turn, start_s, end_s, CHARACTERS_PER_ROW / width_s)
    figure.suptitle(visible(title), x=0.01, ha="left", color=INK, fontsize=13, fontweight="bold", parse_math=False)
    figure.legend(handles=_legend(), loc="outside lower left", ncols=6, frameon=False, fontsize=9, labelcolor=INK)
    figure.savefig(path, dpi=130)


def row_spans(duration_s: float, turns: Sequence[Turn]) -> list[tuple[float, float]]:
    """Rows that hold a whole call: (start, end) of each in seconds. They break between turns where they can."""
    row_s = max(ROW_S, duration_s / MAX_ROWS)
    spans = []
    start_s = 0.0
    while duration_s - start_s > row_s:
        cut_s = _cut(start_s + row_s / 2, start_s + row_s, turns)
        spans.append((start_s, cut_s))
        start_s = cut_s
    return [*spans, (start_s, max(duration_s, 1.0))]


def _cut(earliest_s: float, latest_s: float, turns: Sequence[Turn]) -> float:
    """The latest moment up to `latest_s` at which nobody is in a turn; `latest_s` where there is none."""
    cut_s = latest_s
    for turn in reversed(turns):
        if turn.began_s is not None and turn.ended_s is not None and turn.began_s <= cut_s < turn.ended_s:
            cut_s = turn.began_s - BREAK_S
    return cut_s if cut_s >= earliest_s else latest_s


def _frame(ax: Axes, start_s: float, width_s: float) -> None:
    ax.set_xlim(start_s, start_s + width_s)
    ax.set_ylim(BOTTOM_Y, TOP_Y)
    ax.set_yticks([])
    ax.spines[["top", "left", "right"]].set_visible(False)
    ax.spines["bottom"].set_color(WAVE)
    ax.tick_params(axis="x", colors=INK, labelsize=8)
    ax.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    ax.xaxis.set_major_formatter(lambda position_s, _: clock_text(position_s).removesuffix(".0"))


def _waveform(ax: Axes, samples: Samples, peak: int, start_s: float, end_s: float) -> None:
    part = samples[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
    size = max(1, len(part) // POINTS_PER_ROW)
    blocks = part[: len(part) // size * size].reshape(-1, size) / peak
    times = start_s + np.arange(len(blocks)) * size / SAMPLE_RATE
    ax.fill_between(times, blocks.min(axis=1), blocks.max(axis=1), color=WAVE, linewidth=0)


def _turn(ax: Axes, turn: Turn, row_start_s: float, row_end_s: float, density: float) -> None:
    start_s, end_s = turn.began_s, turn.ended_s
    if start_s is None or end_s is None or end_s < row_start_s or start_s > row_end_s:
        return
    spoken_s = end_s if turn.speech_end_s is None else turn.speech_end_s
    ax.axvspan(start_s, spoken_s, color=SPEECH, alpha=0.16, linewidth=0)
    ax.axvspan(spoken_s, end_s, color=WAIT, alpha=0.35, linewidth=0)
    ax.axvline(end_s, color=ENDED, linewidth=1.6)
    _lane(ax, turn.updates_s, "|", SPEECH)
    _lane(ax, turn.eager_ends_s, "v", EAGER)
    _lane(ax, turn.resumes_s, "^", RESUMED)
    if row_start_s <= (start_s + end_s) / 2 <= row_end_s:
        start_s, end_s = max(start_s, row_start_s), min(end_s, row_end_s)
        _words(ax, turn, start_s, max(14, round((end_s - start_s) * density)))


def _lane(ax: Axes, times: Iterable[float | None], marker: str, color: str) -> None:
    known = [time for time in times if time is not None]
    ax.plot(known, [LANE_Y] * len(known), marker, color=color, markersize=6, clip_on=True)


def _words(ax: Axes, turn: Turn, start_s: float, width: int) -> None:
    head = f"{turn.number}" if turn.delay_s is None else f"{turn.number}   +{turn.delay_s:.2f} s"
    text = "\n".join(textwrap.wrap(visible(turn.text), width, max_lines=3, placeholder=" …"))
    for line, offset, color, weight in ((head, -6, SPEECH, "bold"), (text, -18, INK, "normal")):
        ax.annotate(
            line,
            (start_s, TOP_Y),
            (6, offset),
            textcoords="offset points",
            va="top",
            color=color,
            weight=weight,
            fontsize=8,
            parse_math=False,
        )


def _legend() -> list[Patch | Line2D]:
    marks = [("|", SPEECH, "transcript grows"), ("v", EAGER, "eager end"), ("^", RESUMED, "resume")]
    return [
        Patch(color=SPEECH, alpha=0.16, label="speech"),
        Patch(color=WAIT, alpha=0.35, label="end of speech to final"),
        Line2D([], [], color=ENDED, linewidth=1.6, label="final transcript"),
        *(Line2D([], [], marker=mark, color=color, linestyle="", label=label) for mark, color, label in marks),
    ]
