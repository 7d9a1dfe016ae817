"""The live screen: the audio as a waveform that fills up, the turn that grows under it, finals above."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from types import TracebackType

from printable import visible
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .audio import SAMPLE_RATE, Samples, levels
from .call import EAGER_END, FINAL, RESUME, Call, Moment, State, Summary, Turn
from .views import Source, clock_text, seconds_text, span_text, table

BLOCKS = " ▁▂▃▄▅▆▇█"
WINDOW_S = 30.0
"""How much of a microphone's audio the waveform shows."""
MARGIN = 2
BADGE_WIDTH, ASIDE_WIDTH = 14, 30
LOUDNESS_EXPONENT = 0.6
"""Lifts what is quiet, as the ear does."""
STILL_TO_COME, BETWEEN = "bright_black", "white"
STYLES = {State.SPEAKING: "green", State.MAYBE_DONE: "yellow", State.DONE: "cyan"}
BADGES = {
    None: Text("○ listening", "dim"),
    State.SPEAKING: Text("● speaking", "bold green"),
    State.MAYBE_DONE: Text("◐ maybe done", "bold yellow"),
    State.DONE: Text("○ listening", "dim"),
}


class Screen:
    """Draws a call on a terminal while it goes on. Use as a context manager."""

    def __init__(self, console: Console, source: Source, side: str, call: Call) -> None:
        self._console = console
        self._source = source
        self._call = call
        self._position_s = 0.0
        self._turn: Turn | None = None
        self._levels: tuple[int, list[float]] = (0, [])
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=10, transient=True)
        console.print(
            Text.assemble(
                (visible(source.name), "bold"), (" → ", "dim"), (visible(side), "bold"), ("   Ctrl-C ends it", "dim")
            )
        )
        console.print()

    def __rich__(self) -> RenderableType:
        return self._render()

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def heard(self, position_s: float) -> None:
        self._position_s = position_s

    def show(self, moment: Moment) -> None:
        self._turn = moment.turn or self._turn
        if moment.turn is None:
            return
        if moment.type == FINAL:
            self._console.print(_final(moment.turn))
        elif moment.type == EAGER_END:
            text = tail(visible(moment.text), self._console.width - ASIDE_WIDTH)
            self._console.print(_aside("◐", "yellow", moment, "maybe done", text))
        elif moment.type == RESUME:
            self._console.print(_aside("↺", "magenta", moment, "goes on", ""))

    def notice(self, text: str) -> None:
        self._console.print(Text(f"{'!':>4}  {visible(text)}", "red"))

    def finish(self, turns: Sequence[Turn], summary: Summary) -> None:
        self._live.stop()
        self._console.print()
        self._console.print(table(turns, summary))

    def _render(self) -> RenderableType:
        turn = self._turn
        state = turn.state if turn else None
        head = Table.grid(expand=True, padding=(0, 2))
        head.add_column(width=BADGE_WIDTH)
        head.add_column(ratio=1)
        head.add_column()
        head.add_row(BADGES[state], self._bar(), Text(self._times(), "dim"))
        words = Text(visible(turn.text) if turn and state is not State.DONE else "", "italic", overflow="ellipsis")
        return Group("", *self._waveform(), head, words)

    def _times(self) -> str:
        total = self._source.duration_s
        return clock_text(self._position_s) + (f" / {clock_text(total)}" if total else "")

    def _bar(self) -> RenderableType:
        total = self._source.duration_s
        return ProgressBar(total, min(self._position_s, total), complete_style="cyan") if total else ""

    def _waveform(self) -> list[Text]:
        width = max(10, self._console.width - MARGIN)
        start_s, end_s, heights = self._heights(width)
        styles = self._styles(width, start_s, (end_s - start_s) / width)
        return [_row(heights, styles, row) for row in (1, 0)]

    def _heights(self, width: int) -> tuple[float, float, list[float]]:
        total = self._source.duration_s
        if total is None:
            start_s = max(0.0, self._position_s - WINDOW_S)
            return start_s, start_s + WINDOW_S, _padded(self._source.since(start_s), width)
        if self._levels[0] != width:
            self._levels = (width, levels(self._source.samples, width))
        return 0.0, total, self._levels[1]

    def _styles(self, width: int, start_s: float, bin_s: float) -> list[str]:
        """How each bin is drawn: what is still to come, turns, and the rest."""
        played = min(width, max(0, round((self._position_s - start_s) / bin_s)))
        styles = [BETWEEN] * played + [STILL_TO_COME] * (width - played)
        for turn in self._call.turns:
            if turn.began_s is None:
                continue
            end_s = self._position_s if turn.ended_s is None else turn.ended_s
            first, last = (min(width, max(0, round((at_s - start_s) / bin_s))) for at_s in (turn.began_s, end_s))
            styles[first:last] = [STYLES[turn.state]] * max(0, last - first)
        return styles


def tail(text: str, width: int) -> str:
    """The end of a text that is too long, after an ellipsis."""
    return text if len(text) <= width else "…" + text[len(text) - width + 1 :]


def _padded(window: Samples, width: int) -> list[float]:
    bins = min(width, round(width * len(window) / SAMPLE_RATE / WINDOW_S))
    return [*levels(window, bins), *[0.0] * (width - bins)]


def _row(heights: Sequence[float], styles: Sequence[str], row: int) -> Text:
    """One of the two lines of the waveform; row 1 is the upper."""
    steps = len(BLOCKS) - 1
    floor = 1 if row == 0 else 0
    filled = (round(height**LOUDNESS_EXPONENT * 2 * steps) - row * steps for height in heights)
    blocks = (BLOCKS[max(floor, min(steps, level))] for level in filled)
    runs = groupby(zip(blocks, styles, strict=True), key=itemgetter(1))
    return Text.assemble(" ", *(("".join(block for block, _ in run), style) for style, run in runs))


def _final(turn: Turn) -> RenderableType:
    line = Table.grid(expand=True, padding=(0, 2))
    line.add_column(width=3, justify="right", style="bold cyan")
    line.add_column(ratio=1)
    line.add_column(justify="right", style="dim")
    delay = "" if turn.delay_s is None else f"\n+{seconds_text(turn.delay_s)}"
    times = "" if turn.ended_s is None else f"{span_text(turn)}{delay}"
    line.add_row(str(turn.number), Text(visible(turn.text.strip())), times)
    return line


def _aside(sign: str, style: str, moment: Moment, what: str, text: str) -> Text:
    at = "" if moment.at_s is None else f"{clock_text(moment.at_s)}  "
    return Text.assemble(f"{'':5}", (f"{sign} {at}{what}  ", style), (text, "dim"))
