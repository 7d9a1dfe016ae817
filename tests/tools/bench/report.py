"""A run for people and for the next run: a table, a file of JSON, a plot."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Plot

from .check import as_json, from_json
from .figures import CONTESTANTS, FLOOR, NOTHING, OFFICIAL, OURS, Figure

PACKAGES = ("livekit-agents", "livekit-plugins-cartesia", "livekit-plugins-cartesia-turns", "aiohttp")
PLOTTED = (
    ("audio", "age of audio p95, ms, 20 ms frames"),
    ("audio", "event delay p50, ms"),
    ("cpu", "CPU seconds a stream-minute, 25 streams at real time"),
    ("memory", "USS a busy stream, KiB, after 1 minute"),
    ("session", "turn.end to the model's call, ms"),
    ("trouble", "after a reset, words lost of a hundred"),
)
COLORS = dict(zip(CONTESTANTS, ("#2a6f97", "#e07a5f", "#f2b79f", "#9aa5b1", "#d0d5db"), strict=True))


@dataclass
class Report:
    """All that is kept of a run."""

    command: str
    rounds: int
    figures: list[Figure]
    failures: list[str] = field(default_factory=list)
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M"))
    seconds: float = 0.0
    load: tuple[float, float] = (0.0, 0.0)
    """The machine's, at the beginning and at the end: with more than 1 the times are of a busy machine."""
    packages: dict[str, str] = field(default_factory=dict)
    """Their versions."""

    def save(self, path: Path) -> None:
        """Writes it as JSON."""
        told = {**vars(self), "figures": as_json(self.figures)}
        path.write_text(json.dumps(told, indent=1), encoding="utf-8")

    def text(self) -> str:
        """A line about the run, and a table for each scale."""
        scales = dict.fromkeys(figure.scale for figure in self.figures)
        tables = [f"{scale}\n\n{table([f for f in self.figures if f.scale == scale])}" for scale in scales]
        return "\n\n".join([self.heading(), *tables, *(f"FAILED: {failure}" for failure in self.failures)])

    def heading(self) -> str:
        """When, by which command, of what, on what."""
        packages = ", ".join(f"{name} {version}" for name, version in self.packages.items())
        return (
            f"{self.date}, `{self.command}`, {self.rounds} rounds in {self.seconds / 60:.1f} minutes; {packages};"
            f" {os.cpu_count()} cores, load {self.load[0]:.1f} to {self.load[1]:.1f}"
        )


def versions() -> dict[str, str]:
    """Of what is measured, and of what it runs on."""
    installed = {each.name.lower(): each.version for each in importlib.metadata.distributions()}
    return {"Python": platform.python_version(), **{name: installed.get(name, "not installed") for name in PACKAGES}}


def read(path: Path) -> list[Figure]:
    """The figures of an earlier run.

    Raises:
        OSError: the file can't be read.
        ValueError: it is no run.
    """
    told = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(told, dict) or not isinstance(told.get("figures"), list):
        raise ValueError(f"{path} is not the JSON of a benchmark")
    return from_json(told["figures"])


def table(figures: Sequence[Figure]) -> str:
    """Medians as Markdown, the harness's own share taken off, and how many times its peers' this plugin's are."""
    names = [name for name in CONTESTANTS if any(name in figure.values for figure in figures)]
    peers = [name for name in (FLOOR, OFFICIAL) if name in names]
    rows = [["what", *names, *(f"x {peer}" for peer in peers)], ["---"] * (1 + len(names) + len(peers))]
    for figure in figures:
        medians = [_shown(figure.median(name)) for name in names]
        rows.append([figure.name, *medians, *(_shown(figure.ratio(OURS, peer)) for peer in peers)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _shown(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def plot(figures: Iterable[Figure], path: Path) -> None:
    """Draws some of the figures, as SVG."""
    known = {(figure.scale, figure.name): figure for figure in figures}
    chosen = [known[key] for key in PLOTTED if key in known] or list(known.values())[:6]
    drawing = Plot(figsize=(9, 1.6 * max(1, len(chosen))), layout="constrained")
    for number, figure in enumerate(chosen):
        _bars(drawing.add_subplot(len(chosen), 1, number + 1), figure)
    drawing.savefig(path)


def _bars(axes: Axes, figure: Figure) -> None:
    names = [name for name in CONTESTANTS if name in figure.values and name != NOTHING][::-1]
    medians = [figure.median(name) for name in names]
    bars = axes.barh(names, medians, color=[COLORS[name] for name in names])
    axes.bar_label(bars, labels=[_shown(value) for value in medians], padding=3, fontsize=8)
    axes.set_title(figure.name, fontsize=9, loc="left")
    axes.tick_params(labelsize=8)
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
