"""What happened in a call, and assertions whose errors list it in words and seconds."""

from __future__ import annotations

from dataclasses import dataclass

from ..stt import STT
from .notes import Notes, Turn

FAST = "audio was pushed faster than real time, so delays are unknown: leave out fast=True"


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the agent. Times are seconds of the call.

    Attributes:
        text: its text in the chat history; if it was interrupted, the part that was played.
        began_s: when its first sound was played; without a speaker, when its first words came.
        delay_s: from the end of the user's last word to `began_s`; None if the user had not said a word.
        interrupted: whether the user interrupted it.
    """

    text: str
    began_s: float
    delay_s: float | None
    interrupted: bool = False


class Heard:
    """Everything that has happened in one call so far.

    Args:
        stt: the STT of the call; it serves no other call.
        fast: audio is pushed faster than real time, so delays have no meaning.
    """

    def __init__(self, stt: STT, *, fast: bool = False) -> None:
        self._notes = Notes(stt, fast=fast)
        self.turns: list[Turn] = self._notes.turns
        """The finished turns, in order."""
        self.replies: list[Reply] = []
        """The agent's replies, in order; empty for a stream without a session."""
        self.errors: list[Exception] = []
        """Errors that the plugin or the session did not recover from."""
        self._fast = fast

    @property
    def now_s(self) -> float:
        """Seconds since the call began."""
        return self._notes.now_s

    @property
    def in_turn(self) -> bool:
        """Whether a turn is open."""
        return self._notes.in_turn

    @property
    def text(self) -> str:
        """The text of all finished turns."""
        return " ".join(filter(None, (turn.text for turn in self.turns)))

    def __str__(self) -> str:
        return str(self._notes)

    def assert_turns(self, *texts: str) -> None:
        """Asserts that the user's finished turns have exactly these texts, in this order.

        Raises:
            AssertionError: they do not. The text lists what happened.
        """
        __tracebackhide__ = True
        said = [turn.text for turn in self.turns]
        if said != list(texts):
            raise self._failure(f"the turns should have been {_quoted(texts)}, and were {_quoted(said)}")

    def assert_turns_ended_within(self, seconds: float) -> None:
        """Asserts that there was a turn, and that each ended within this time after the end of its last word.

        Raises:
            AssertionError: one ended later, or there was none.
            ValueError: audio was pushed faster than real time.
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
        """Asserts that the agent's last reply contains this text, and began soon after the user's last word.

        Args:
            text: a part of the reply, in upper or lower case.
            within: the longest delay in seconds; by default any delay passes.

        Raises:
            AssertionError: it did not, or there was no reply.
            ValueError: `within` is given, and audio was pushed faster than real time.
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
        self._notes.add(text)

    def said(self) -> None:
        """A word of the user's has just ended."""
        self._notes.said()

    def replied(self, text: str, began_s: float, *, interrupted: bool) -> None:
        """The agent has said something."""
        delay_s = self._notes.since_last_word_s(began_s)
        self.replies.append(Reply(text, began_s, delay_s, interrupted))
        late = "" if delay_s is None else f", {delay_s:.2f} s after the user's last word"
        self.note(f'the agent has replied "{text}"{late}{", and was interrupted" if interrupted else ""}')

    def failed(self, error: Exception) -> None:
        """Something failed for good."""
        self.errors.append(error)
        self.note(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Notes nothing more."""
        self._notes.close()

    def _failure(self, problem: str) -> AssertionError:
        return AssertionError(f"{problem}\n{self}")

    def _reply_texts(self) -> list[str]:
        return [reply.text for reply in self.replies]


def _quoted(texts: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts) or "none"
