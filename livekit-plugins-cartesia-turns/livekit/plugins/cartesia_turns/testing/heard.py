"""What was said and heard in a call, and assertions that tell it in words and seconds when they fail."""

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

FAST = "audio was pushed faster than in real time, so nobody knows how long anything took: leave out fast=True"


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


@dataclass(frozen=True, slots=True)
class Reply:
    """Something that the agent said. Times are seconds of the call.

    Attributes:
        text: as it stands in the history; if it was interrupted, the part that was heard.
        began_s: when its first sound was played, or its first words came if the agent does not speak.
        delay_s: from the end of the user's last word before that to `began_s`; None if the user had said none.
        interrupted: whether the user cut it off.
    """

    text: str
    began_s: float
    delay_s: float | None
    interrupted: bool = False


@dataclass(slots=True)
class _OpenTurn:
    started_s: float
    texts: list[str] = field(default_factory=list)
    eager_ends: list[str] = field(default_factory=list)
    resumes: int = 0


class Heard:
    """All that came of one call, as it comes.

    Args:
        stt: whose turns are noted: those of the one call that it serves.
        fast: audio is pushed faster than in real time, so that delays mean nothing.
    """

    def __init__(self, stt: STT, *, fast: bool = False) -> None:
        self.turns: list[Turn] = []
        """The turns that are over, in order."""
        self.replies: list[Reply] = []
        """What the agent said, in order; a stream by itself has none."""
        self.errors: list[Exception] = []
        """What ended the call or the session's parts: an outage that lasted, a model that failed."""
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
        """Whether the user is in a turn."""
        return self._open is not None

    @property
    def text(self) -> str:
        """The text of all turns that are over."""
        return " ".join(filter(None, (turn.text for turn in self.turns)))

    def __str__(self) -> str:
        lines = [f"{at_s:8.2f} s  {text}" for at_s, text in self._lines]
        return "\n".join(["what was said and heard, in seconds of the call:", *(lines or ["   nothing"])])

    def assert_turns(self, *texts: str) -> None:
        """The user's turns that are over were these, in this order.

        Raises:
            AssertionError: they were not; it tells what was heard.
        """
        __tracebackhide__ = True
        said = [turn.text for turn in self.turns]
        if said != list(texts):
            raise self._failure(f"the turns should have been {_quoted(texts)}, and were {_quoted(said)}")

    def assert_turns_ended_within(self, seconds: float) -> None:
        """There was a turn, and each ended no more than so many seconds after the end of its last word.

        Raises:
            AssertionError: one ended later, or there was none.
            ValueError: audio was pushed faster than in real time.
        """
        __tracebackhide__ = True  # for pytest: the error is shown where the test asserts
        if self._fast:
            raise ValueError(FAST)
        if not self.turns:
            raise self._failure("a turn should have ended, and none did")
        for turn in self.turns:
            if turn.delay_s is not None and turn.delay_s > seconds:
                late = f"{turn.delay_s:.2f} s after its last word, and not within {seconds:g} s"
                raise self._failure(f'the turn "{turn.text}" ended {late}')

    def assert_reply(self, text: str = "", *, within: float | None = None) -> None:
        """The agent's last reply has this in it, and began no more than so many seconds after the user's last word.

        Args:
            text: a part of the reply; upper and lower case are the same.
            within: in seconds; by default it may have taken any time.

        Raises:
            AssertionError: it did not, or there was no reply.
            ValueError: `within` is given, and audio was pushed faster than in real time.
        """
        __tracebackhide__ = True
        if within is not None and self._fast:
            raise ValueError(FAST)
        if not self.replies:
            raise self._failure(f'the agent should have replied "{text}", and said nothing')
        last = self.replies[-1]
        if text.casefold() not in last.text.casefold():
            raise self._failure(f'the agent should have replied "{text}", and said "{last.text}"')
        if within is not None and (last.delay_s is None or last.delay_s > within):
            taken = "before the user's first word" if last.delay_s is None else f"{last.delay_s:.2f} s after the user"
            raise self._failure(f'the reply "{last.text}" came {taken}, and not within {within:g} s')

    def assert_no_reply(self) -> None:
        """The agent said nothing.

        Raises:
            AssertionError: it did.
        """
        __tracebackhide__ = True
        if self.replies:
            raise self._failure(f"the agent should have said nothing, and said {_quoted(self._reply_texts())}")

    def assert_no_errors(self) -> None:
        """Nothing failed for good: lost connections that the plugin made good do not count.

        Raises:
            AssertionError: something did.
        """
        __tracebackhide__ = True
        if self.errors:
            names = ", ".join(f"{type(error).__name__}: {error}" for error in self.errors)
            raise self._failure(f"nothing should have failed, and there was {names}")

    # For those who make a call.

    def failure(self, problem: str) -> AssertionError:
        """An error that tells the problem and all that was heard."""
        return self._failure(problem)

    def note(self, text: str) -> None:
        """Adds a line to what is told of the call."""
        self._lines.append((self.now_s, text))

    def said(self) -> None:
        """A word of the user's has just ended."""
        self._word_ends_s.append(self.now_s)

    def replied(self, text: str, began_s: float, *, interrupted: bool) -> None:
        """The agent has said something."""
        delay_s = self._since_last_word(began_s)
        self.replies.append(Reply(text, began_s, delay_s, interrupted))
        late = "" if delay_s is None else f", {delay_s:.2f} s after the user's last word"
        self.note(f'the agent has replied "{text}"{late}{", and was interrupted" if interrupted else ""}')

    def failed(self, error: Exception) -> None:
        """Something failed for good."""
        self.errors.append(error)
        self.note(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Notes nothing more."""
        for name, handler in self._handlers.items():
            self._stt.off(name, handler)  # type: ignore[arg-type]  # a str is not a Literal

    def _failure(self, problem: str) -> AssertionError:
        return AssertionError(f"{problem}\n{self}")

    def _reply_texts(self) -> list[str]:
        return [reply.text for reply in self.replies]

    def _since_last_word(self, at_s: float) -> float | None:
        """Seconds from the end of the last word before that; None if they can't be known."""
        count = bisect.bisect(self._word_ends_s, at_s)
        return None if self._fast or not count else at_s - self._word_ends_s[count - 1]

    def _on_connected(self, _: ConnectedEvent) -> None:
        self.note("the plugin is connected")

    def _on_disconnected(self, event: DisconnectedEvent) -> None:
        self.note(f"the plugin is disconnected: {event.reason}")

    def _on_connection_error(self, event: ConnectionErrorEvent) -> None:
        again = "gives up" if event.retry_in_s is None else f"tries again in {event.retry_in_s:.2f} s"
        self.note(f"the connection failed ({event.cause}), and the plugin {again}")

    def _on_start(self, _: TurnStartEvent) -> None:
        self._open = _OpenTurn(self.now_s)
        self.note("a turn starts")

    def _on_update(self, event: TurnUpdateEvent) -> None:
        self._turn().texts.append(event.transcript)
        self.note(f'the turn so far: "{event.transcript}"')

    def _on_eager_end(self, event: TurnEagerEndEvent) -> None:
        self._turn().eager_ends.append(event.transcript)
        self.note(f'the turn may be over: "{event.transcript}"')

    def _on_resume(self, _: TurnResumeEvent) -> None:
        self._turn().resumes += 1
        self.note("the turn goes on")

    def _on_end(self, event: TurnEndEvent) -> None:
        turn, self._open, ended_s = self._turn(), None, self.now_s
        delay_s = self._since_last_word(ended_s)
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
        self.note(f'the turn is over: "{event.transcript}"{late}')

    def _turn(self) -> _OpenTurn:
        return self._open or _OpenTurn(self.now_s)


def _quoted(texts: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts) or "none"
