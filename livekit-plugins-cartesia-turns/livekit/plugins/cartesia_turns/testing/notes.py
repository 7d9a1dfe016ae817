"""What the plugin tells of a call, noted as it comes: the turns, and a line for each event."""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..events import (
    ConnectedEvent,
    ConnectionErrorEvent,
    DisconnectedEvent,
    TurnEagerEndEvent,
    TurnEndEvent,
    TurnResumeEvent,
    TurnStartEvent,
    TurnUpdateEvent,
)
from ..stt import STT


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of the user's that is over. Times are seconds of the call.

    Attributes:
        text: its final text; empty where nothing was said.
        started_s: when the plugin told of its start.
        ended_s: when the plugin told of its end.
        delay_s: from the end of the last word before that to `ended_s`. None if no word had been said, or if audio was
            pushed faster than in real time.
        texts: the text each time that it grew, in order.
        eager_ends: the text at each eager end.
        resumes: how many eager ends turned out wrong.
    """

    text: str
    started_s: float
    ended_s: float
    delay_s: float | None
    texts: tuple[str, ...] = ()
    eager_ends: tuple[str, ...] = ()
    resumes: int = 0


@dataclass(slots=True)
class _OpenTurn:
    started_s: float
    texts: list[str] = field(default_factory=list)
    eager_ends: list[str] = field(default_factory=list)
    resumes: int = 0


class Notes:
    """The notes of one call. Times are seconds since it began.

    Args:
        stt: whose events are noted.
        fast: audio is pushed faster than in real time, so that delays mean nothing.
    """

    def __init__(self, stt: STT, *, fast: bool) -> None:
        self.turns: list[Turn] = []
        """The turns that are over, in order."""
        self._stt = stt
        self._fast = fast
        self._began = time.monotonic()
        self._open: _OpenTurn | None = None
        self._word_ends_s: list[float] = []
        self._lines: list[tuple[float, str]] = []
        self._handlers: dict[str, Callable[..., object]] = {
            "connected": self._on_connected,
            "disconnected": self._on_disconnected,
            "connection_error": self._on_connection_error,
            "turn_start": self._on_start,
            "turn_update": self._on_update,
            "turn_eager_end": self._on_eager_end,
            "turn_resume": self._on_resume,
            "turn_end": self._on_end,
        }
        for name, handler in self._handlers.items():
            stt.on(name, handler)  # type: ignore[call-overload]  # a str is not a Literal

    @property
    def now_s(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self._began

    @property
    def in_turn(self) -> bool:
        """A turn has started and is not over."""
        return self._open is not None

    def __str__(self) -> str:
        lines = [f"{at_s:8.2f} s  {text}" for at_s, text in self._lines]
        return "\n".join(["what was said and heard, in seconds of the call:", *(lines or ["   nothing"])])

    def add(self, text: str) -> None:
        """Adds a line."""
        self._lines.append((self.now_s, text))

    def said(self) -> None:
        """A word of the user's has just ended."""
        self._word_ends_s.append(self.now_s)

    def since_last_word_s(self, at_s: float) -> float | None:
        """Seconds from the end of the last word before that; None if they can't be known."""
        count = bisect.bisect(self._word_ends_s, at_s)
        return None if self._fast or not count else at_s - self._word_ends_s[count - 1]

    def close(self) -> None:
        """Notes nothing more."""
        for name, handler in self._handlers.items():
            self._stt.off(name, handler)  # type: ignore[arg-type]  # a str is not a Literal

    def _on_connected(self, _: ConnectedEvent) -> None:
        self.add("the plugin is connected")

    def _on_disconnected(self, event: DisconnectedEvent) -> None:
        self.add(f"the plugin is disconnected: {event.reason}")

    def _on_connection_error(self, event: ConnectionErrorEvent) -> None:
        again = "gives up" if event.retry_in_s is None else f"tries again in {event.retry_in_s:.2f} s"
        self.add(f"the connection failed ({event.cause}), and the plugin {again}")

    def _on_start(self, _: TurnStartEvent) -> None:
        self._open = _OpenTurn(self.now_s)
        self.add("a turn starts")

    def _on_update(self, event: TurnUpdateEvent) -> None:
        self._turn_so_far().texts.append(event.transcript)
        self.add(f'the turn so far: "{event.transcript}"')

    def _on_eager_end(self, event: TurnEagerEndEvent) -> None:
        self._turn_so_far().eager_ends.append(event.transcript)
        self.add(f'the turn may be over: "{event.transcript}"')

    def _on_resume(self, _: TurnResumeEvent) -> None:
        self._turn_so_far().resumes += 1
        self.add("the turn goes on")

    def _on_end(self, event: TurnEndEvent) -> None:
        turn, self._open, ended_s = self._turn_so_far(), None, self.now_s
        delay_s = self.since_last_word_s(ended_s)
        self.turns.append(
            Turn(
                event.transcript,
                turn.started_s,
                ended_s,
                delay_s,
                tuple(turn.texts),
                tuple(turn.eager_ends),
                turn.resumes,
            )
        )
        late = "" if delay_s is None else f", {delay_s:.2f} s after its last word"
        self.add(f'the turn is over: "{event.transcript}"{late}')

    def _turn_so_far(self) -> _OpenTurn:
        return self._open or _OpenTurn(self.now_s)
