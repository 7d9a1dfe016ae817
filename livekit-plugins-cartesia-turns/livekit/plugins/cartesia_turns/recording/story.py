"""What happened in a recorded call, told for people: turns, sockets, replays and silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from ..core.events import Notice
from .files import Recording
from .letters import LIVE
from .schema import Fields
from .steps import steps_of


@dataclass
class Span:
    """A stretch of time, in seconds since the start of the call; `end` is None if it never ended."""

    start: float
    end: float | None = None
    note: str = ""


@dataclass
class Turn:
    """One turn of the user; times are in seconds since the start of the call.

    `words` are the texts as they grew. `maybe` are the stretches in which the turn was perhaps over: if one ends before
    the turn does, the user went on.
    """

    number: int
    told_at: float
    speech_start: float
    speech_end: float | None = None
    end: float | None = None
    words: list[tuple[float, str]] = field(default_factory=list)
    maybe: list[Span] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The whole text of the turn."""
        return self.words[-1][1] if self.words else ""

    @property
    def went_on(self) -> list[Span]:
        """The stretches in which the turn was perhaps over and then was not."""
        return [span for span in self.maybe if span.end is not None and span.end != self.end]


@dataclass
class Story:
    """A call; times are in seconds since its start."""

    seconds: float = 0.0
    turns: list[Turn] = field(default_factory=list)
    sockets: list[Span] = field(default_factory=list)
    replays: list[Span] = field(default_factory=list)
    silence: list[Span] = field(default_factory=list)
    marks: list[Span] = field(default_factory=list)
    """Notices, changed options and failed attempts to connect."""
    told: list[tuple[float, str]] = field(default_factory=list)
    """The events that the framework got."""
    pushes: list[tuple[float, int]] = field(default_factory=list)
    """When audio was pushed, and how many bytes."""
    stats: Fields = field(default_factory=dict)
    is_complete: bool = False


def story_of(recording: Recording) -> Story:
    """Tells the story of a recorded call."""
    return _Teller(recording).tell()


class _Teller:
    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._started = recording.started_at
        self._story = Story(is_complete=recording.is_complete)
        self._sent_to = 0
        """The position up to which sockets were given audio, in samples."""

    def tell(self) -> Story:
        for line in self._recording.lines:
            at = float(line["at"]) - self._started
            self._story.seconds = max(self._story.seconds, at)
            if "steps" in line:
                self._steps(line)
            elif "events" in line:
                for event in line["events"]:
                    self._event(event, at)
            elif (tell := self._kinds.get(next(iter(line.keys() & self._kinds.keys()), ""))) is not None:
                tell(self, line, at)
        self._story.seconds = max([self._story.seconds, *(at + size / 2 / self._rate for at, size in self._placed())])
        return self._story

    @property
    def _rate(self) -> int:
        return self._recording.options.sample_rate

    def _placed(self) -> list[tuple[float, int]]:
        return self._story.pushes[-1:]

    def _steps(self, line: Fields) -> None:
        for step in steps_of(line):
            at = step.at - self._started
            if step.pushed:
                self._story.pushes.append((at, step.pushed))
            if step.letter == LIVE:
                self._sent_to += step.pushed // 2
            if step.sent is None:
                continue
            start, samples, is_silence = step.sent
            if is_silence:
                _extend(self._story.silence, at, samples / self._rate)
            elif start < self._sent_to:
                _extend(self._story.replays, at, samples / self._rate)
            self._sent_to = max(self._sent_to, start + samples)

    def _event(self, event: Fields, at: float) -> None:
        kind = event["event"]
        if kind == "notice":
            self._story.marks.append(Span(at, note=notice_of(event["notice"])))
        elif kind == "rejected":
            self._story.marks.append(Span(at, note="the server rejected changed options"))
        elif kind == "start":
            self._story.turns.append(Turn(len(self._story.turns) + 1, at, self._heard_at(event, at)))
        elif self._story.turns and "transcript" in event:
            self._turn(self._story.turns[-1], event, at)

    def _heard_at(self, event: Fields, at: float) -> float:
        return float(event["heard_at"]) - self._started if "heard_at" in event else at

    def _turn(self, turn: Turn, event: Fields, at: float) -> None:
        kind, text = event["event"], event["transcript"]
        if text and text != turn.text:
            turn.words.append((at, text))
        if kind == "end":
            turn.end, turn.speech_end = at, self._heard_at(event, at)
        # Anything else than another eager end means that the turn went on, or is over.
        if turn.maybe and turn.maybe[-1].end is None and kind != "eager_end":
            turn.maybe[-1].end = at
        elif kind == "eager_end" and not (turn.maybe and turn.maybe[-1].end is None):
            turn.maybe.append(Span(at))

    def _call(self, line: Fields, at: float) -> None:
        method = line["call"]
        if method == "link_opened":
            self._story.sockets.append(Span(at))
        elif method == "link_lost" and self._story.sockets:
            self._story.sockets[-1].end = at
            self._story.sockets[-1].note = self._story.sockets[-1].note or _why(line)
        elif method == "update":
            self._story.marks.append(Span(at, note="the options were changed"))
        elif method == "flush":
            self._story.marks.append(Span(at, note="a flush was asked for"))

    def _told(self, line: Fields, at: float) -> None:
        kind = line["told"]
        if kind != "recognition_usage":
            self._story.told.append(
                (at, " ".join([kind.replace("_", " "), *([line["text"]] if "text" in line else [])]))
            )

    def _announced(self, line: Fields, at: float) -> None:
        name = line["announced"]
        if name == "connection_error":
            self._story.marks.append(Span(at, note=f"a connection failed: {line.get('cause', 'other')}"))
        elif name == "disconnected" and self._story.sockets and line.get("reason"):
            self._story.sockets[-1].note = line["reason"]

    def _stats(self, line: Fields, _: float) -> None:
        self._story.stats = line["stats"]

    _kinds: ClassVar[dict[str, Callable[[_Teller, Fields, float], None]]] = {
        "call": _call,
        "told": _told,
        "announced": _announced,
        "stats": _stats,
    }


def notice_of(name: str) -> str:
    """A notice in words, even if only an older or a newer version has it."""
    return Notice[name.upper()].value if name.upper() in Notice.__members__ else name.replace("_", " ")


def _why(line: Fields) -> str:
    if line.get("hang_up"):
        return str(line["hang_up"]).replace("_", " ")
    return "closed by the server" if line.get("clean") else "lost"


def _extend(spans: list[Span], at: float, seconds: float) -> None:
    """Adds a stretch of audio to the last stretch if it follows that, and else as a new one."""
    last = spans[-1] if spans else None
    if last is not None and last.end is not None and at <= last.end + 0.1:
        last.end = max(last.end, at + seconds)
    else:
        spans.append(Span(at, at + seconds))
