"""Ways to show a call: a live screen, plain lines, JSON lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Protocol

from livekit import rtc
from printable import visible, visible_json
from rich import box
from rich.console import Console
from rich.table import Table

from .audio import Samples
from .call import EAGER_END, FINAL, RESUME, START, Clock, Moment, Summary, Turn


class Source(Protocol):
    """Audio as it is spoken: a file that is played, or a microphone."""

    name: str
    duration_s: float | None
    """None while it is not known."""
    played_s: float
    clock: Clock

    @property
    def samples(self) -> Samples:
        """All of a file, or what was recorded so far."""

    def since(self, start_s: float) -> Samples:
        """The same, from that second on."""

    def frames(self) -> AsyncIterator[rtc.AudioFrame]:
        """The audio, each frame when it has been spoken."""

    def stop(self) -> None:
        """Ends `frames` early."""


class View(Protocol):
    """What `transcribe.py` tells as a call goes on."""

    def heard(self, position_s: float) -> None:
        """So many seconds of audio were pushed."""

    def show(self, moment: Moment) -> None:
        """An event came."""

    def notice(self, text: str) -> None:
        """Something happened to the connection."""

    def finish(self, turns: Sequence[Turn], summary: Summary) -> None:
        """The call is over."""


class JsonLines:
    """One JSON object a line: every event, then a summary. Times are seconds of audio, null where unknown."""

    def heard(self, position_s: float) -> None:
        pass

    def show(self, moment: Moment) -> None:
        fields: dict[str, object] = {"type": moment.type, "at_s": _rounded(moment.at_s)}
        if moment.turn is not None:
            fields |= {"turn": moment.turn.number, "text": moment.text}
        if moment.type == FINAL and moment.turn is not None:
            fields["speech_start_s"] = _rounded(moment.turn.speech_start_s)
            fields["speech_end_s"] = _rounded(moment.turn.speech_end_s)
            fields["delay_s"] = _rounded(moment.turn.delay_s)
        _print_json(fields)

    def notice(self, text: str) -> None:
        _print_json({"type": "notice", "text": text})

    def finish(self, turns: Sequence[Turn], summary: Summary) -> None:
        fields = {name: _rounded(value) for name, value in asdict(summary).items()}
        _print_json({"type": "summary", **fields})


class Pipe(Console):
    """A console whose reader may leave: rich by itself would end the program with an error then."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class PlainLines:
    """Lines for a file or a pipe: no colour, nothing that moves."""

    def __init__(self, source: Source, side: str) -> None:
        self._console = Pipe(width=100, soft_wrap=True, highlight=False, markup=False, emoji=False)
        self._say(f"{source.name} -> {side}")

    def heard(self, position_s: float) -> None:
        pass

    def show(self, moment: Moment) -> None:
        at = f"{clock_text(moment.at_s):>7}  "
        if moment.type == START and moment.turn is not None:
            self._say(f"{at}turn {moment.turn.number} starts")
        elif moment.type == EAGER_END:
            self._say(f"{at}maybe done: {moment.text}")
        elif moment.type == RESUME:
            self._say(f"{at}goes on")
        elif moment.type == FINAL and moment.turn is not None:
            self._say(f"{at}turn {moment.turn.number}: {moment.text}")

    def notice(self, text: str) -> None:
        self._say(text)

    def finish(self, turns: Sequence[Turn], summary: Summary) -> None:
        self._console.print()
        self._console.print(table(turns, summary, box.ASCII2))

    def _say(self, line: str) -> None:
        self._console.print(visible(line))


def table(turns: Sequence[Turn], summary: Summary, style: box.Box = box.ROUNDED) -> Table:
    """The turns of a call and, under them, its figures."""
    grid = Table(box=style, show_footer=True, footer_style="bold", border_style="dim", caption_justify="left")
    grid.add_column("turn", f"{summary.turns} turn{'' if summary.turns == 1 else 's'}", justify="right", style="cyan")
    grid.add_column("speech", f"{summary.audio_s:.1f} s of audio")
    grid.add_column("words", str(summary.words), justify="right")
    grid.add_column("delay", _typical(summary.delay_s), justify="right")
    grid.add_column("eager lead", _typical(summary.eager_lead_s), justify="right")
    grid.add_column("resumed", str(sum(len(turn.resumes_s) for turn in turns)), justify="right")
    for turn in turns:
        delays = (seconds_text(turn.delay_s), seconds_text(turn.eager_lead_s))
        grid.add_row(str(turn.number), span_text(turn), str(turn.words), *delays, str(len(turn.resumes_s) or ""))
    grid.caption = "delay: end of speech to final; eager lead: eager end to final\n" + (
        f"silence sent for audio that stopped in mid-turn: {summary.silence_sent_s:.1f} s"
    )
    return grid


def clock_text(position_s: float | None) -> str:
    """A position in the audio, e.g. 1:04.2; nothing where it is unknown."""
    if position_s is None:
        return ""
    minutes, seconds = divmod(round(position_s, 1), 60)
    return f"{minutes:.0f}:{seconds:04.1f}"


def span_text(turn: Turn) -> str:
    """From where to where somebody spoke."""
    if turn.speech_start_s is None and turn.speech_end_s is None:
        return ""
    return f"{clock_text(turn.speech_start_s)} - {clock_text(turn.speech_end_s)}"


def seconds_text(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"


def _typical(seconds: float | None) -> str:
    return "" if seconds is None else f"median {seconds:.2f} s"


def _rounded(value: float | None) -> float | None:
    return value if value is None else round(value, 3)


def _print_json(fields: dict[str, object]) -> None:
    print(visible_json(fields), flush=True)
