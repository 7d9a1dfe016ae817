"""The turn as its consumer sees it: one table from (state, message) to (state, actions).

The server's own order is turn.start, turn.update*, (turn.eager_end turn.resume)*, turn.end. This machine keeps its
promise (one START, one END, no word lost) for any order, and across sockets: a turn that was open when a socket was
lost goes on with what the next socket makes of the replayed audio.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from .protocol import TurnEagerEnd, TurnEnd, TurnMessage, TurnResume, TurnStart, TurnUpdate


class State(Enum):
    """Where the turn is."""

    IDLE = "idle"
    SPEAKING = "speaking"
    EAGER_ENDED = "eager ended"
    RESUMING = "resuming"
    """The socket was lost in mid-turn: the replayed audio is expected to bring the turn back."""


class Kind(Enum):
    """What happened in the turn."""

    START = "start"
    UPDATE = "update"
    EAGER_END = "eager_end"
    RESUME = "resume"
    END = "end"


@dataclass(frozen=True, slots=True)
class TurnEvent:
    """One step of a turn. `transcript` is the whole text of the turn so far, verbatim; empty for START."""

    kind: Kind
    transcript: str = ""


class Action(Enum):
    """What a transition does; each is a method of Turn."""

    OPEN = "open"
    SHOW = "show"
    SPECULATE = "speculate"
    REVIVE = "revive"
    SPLIT = "split"
    CLOSE = "close"


TRANSITIONS: dict[tuple[State, type[TurnMessage]], tuple[State, tuple[Action, ...]]] = {
    (State.IDLE, TurnStart): (State.SPEAKING, (Action.OPEN,)),
    (State.IDLE, TurnUpdate): (State.SPEAKING, (Action.OPEN, Action.SHOW)),
    (State.IDLE, TurnEagerEnd): (State.EAGER_ENDED, (Action.OPEN, Action.SPECULATE)),
    (State.IDLE, TurnEnd): (State.IDLE, (Action.OPEN, Action.CLOSE)),
    (State.SPEAKING, TurnStart): (State.SPEAKING, (Action.SPLIT,)),
    (State.SPEAKING, TurnUpdate): (State.SPEAKING, (Action.SHOW,)),
    (State.SPEAKING, TurnEagerEnd): (State.EAGER_ENDED, (Action.SPECULATE,)),
    (State.SPEAKING, TurnEnd): (State.IDLE, (Action.CLOSE,)),
    (State.EAGER_ENDED, TurnStart): (State.SPEAKING, (Action.SPLIT,)),
    (State.EAGER_ENDED, TurnUpdate): (State.SPEAKING, (Action.SHOW,)),
    (State.EAGER_ENDED, TurnEagerEnd): (State.EAGER_ENDED, (Action.SPECULATE,)),
    (State.EAGER_ENDED, TurnResume): (State.SPEAKING, (Action.REVIVE,)),
    (State.EAGER_ENDED, TurnEnd): (State.IDLE, (Action.CLOSE,)),
    (State.RESUMING, TurnStart): (State.SPEAKING, ()),
    (State.RESUMING, TurnUpdate): (State.SPEAKING, (Action.SHOW,)),
    (State.RESUMING, TurnEagerEnd): (State.EAGER_ENDED, (Action.SPECULATE,)),
    (State.RESUMING, TurnEnd): (State.IDLE, (Action.CLOSE,)),
}
"""While IDLE, a message with text implies the start of its turn; one without text (but turn.start) is ignored."""

IGNORED: frozenset[tuple[State, type[TurnMessage]]] = frozenset(
    {(State.IDLE, TurnResume), (State.SPEAKING, TurnResume), (State.RESUMING, TurnResume)}
)

_SENTENCE_END = re.compile(r"[.?!][\"')\]]*\s*$")
_WORD = re.compile(r"\S+")


def word_count(text: str) -> int:
    """The number of words, as white space parts them."""
    return len(_WORD.findall(text))


def skip_words(text: str, count: int) -> str:
    """`text` from its word number `count` on, without the white space before it; all of it, verbatim, for 0."""
    if count == 0:
        return text
    starts = [match.start() for match in _WORD.finditer(text)]
    return text[starts[count] :] if count < len(starts) else ""


def first_words(text: str, count: int) -> str:
    """`text` up to the end of its word number `count`, verbatim."""
    ends = [match.end() for match in _WORD.finditer(text)]
    return text[: ends[min(count, len(ends)) - 1]] if count > 0 and ends else ""


def _says_nothing(message: TurnMessage) -> bool:
    """Whether it is no sign that the server is in a turn."""
    return isinstance(message, TurnUpdate | TurnEagerEnd) and not message.transcript.strip()


class Turn:
    """Keeps the state and the text of the current turn.

    Args:
        early_preflight: how many EAGER_END events a turn has at most, when an update that ends with a sentence makes
            one too; 0 leaves them to turn.eager_end, without a limit.
    """

    def __init__(self, early_preflight: int = 0) -> None:
        self._budget = early_preflight
        self._spent = 0
        self._state = State.IDLE
        self._shown = ""
        self._speculated = ""
        self._prefix = ""
        self._delivered = 0
        self._gone = 0
        self._resumed = False
        self._replaying = False

    @property
    def state(self) -> State:
        """Where the turn is."""
        return self._state

    @property
    def is_open(self) -> bool:
        """A START is out and its END is not."""
        return self._state is not State.IDLE

    @property
    def text(self) -> str:
        """What the consumer has seen of the open turn."""
        return self._shown

    @property
    def words(self) -> int:
        """How many words are known of what the server takes for one turn, those that `close` delivered included."""
        return self._delivered + word_count(self._shown)

    def receive(self, message: TurnMessage) -> list[TurnEvent]:
        """Takes the server's next message and returns what it means to the consumer."""
        if (self._state, type(message)) in IGNORED:
            return []
        if isinstance(message, TurnStart) and self._state in (State.SPEAKING, State.EAGER_ENDED):
            self._settle()
        if self._resumed and isinstance(message, TurnEnd) and not message.transcript.strip():
            # The replay began with something that was no speech: the turn itself is still to come.
            self._state = State.RESUMING
            return []
        text = "" if isinstance(message, TurnStart | TurnResume) else self._heard(message.transcript)
        if self._state is State.IDLE and not self._begins(message, text):
            return []
        if self._state is State.RESUMING and _says_nothing(message):
            return []
        self._state, actions = TRANSITIONS[self._state, type(message)]
        return [event for action in actions for event in self._act(action, text)]

    def lost(self, gone: int = 0) -> None:
        """The socket is gone. An open turn waits for its audio to be replayed.

        Args:
            gone: how many of the first `words` have no audio left to replay. What of them was shown stays; the text of
                the next socket is put behind it.
        """
        self._replaying = True
        self._gone = max(self._gone, gone)
        self.forget(gone)
        if self.is_open:
            self._state = State.RESUMING
            self._resumed = True
            self._prefix = first_words(self._shown, self._gone - self._delivered)

    def forget(self, gone: int) -> None:
        """The audio of the first `gone` words is done with: if `close` delivered no others, whatever comes is new."""
        if not self.is_open and gone >= self._delivered:
            self._settle()

    def close(self) -> list[TurnEvent]:
        """Ends an open turn with the text so far, whatever the server thinks.

        Words delivered so are not delivered again: not when the server goes on with that turn, and not when its audio
        is replayed.
        """
        if not self.is_open:
            return []
        self._delivered += word_count(self._shown)
        self._state = State.IDLE
        return self._ended(self._shown)

    def _begins(self, message: TurnMessage, text: str) -> bool:
        """Whether a message that comes while idle opens a turn."""
        if isinstance(message, TurnEnd):
            # Where a replay makes two turns of one, the rest of the delivered words is still to come.
            self._delivered = max(0, self._delivered - self._gone - word_count(message.transcript))
            self._gone = 0
        if not isinstance(message, TurnStart):
            return bool(text.strip())
        if self._replaying and self._delivered:
            # The replay of a turn that was closed from its text: only words that go beyond it are news.
            return False
        self._settle()
        return True

    def _heard(self, transcript: str) -> str:
        text = skip_words(transcript, max(0, self._delivered - self._gone))
        if not self._prefix:
            return text
        gap = "" if text[:1].isspace() else " "
        return f"{self._prefix}{gap}{text}" if text else self._prefix

    def _act(self, action: Action, text: str) -> list[TurnEvent]:
        match action:
            case Action.OPEN:
                return self._started()
            case Action.SHOW:
                return self._update(text)
            case Action.SPECULATE:
                return self._speculate(text)
            case Action.REVIVE:
                return [TurnEvent(Kind.RESUME, self._shown)]
            case Action.SPLIT:
                return [*self._ended(self._shown), *self._started()] if self._shown else []
            case Action.CLOSE:
                return self._close(text)

    def _close(self, text: str) -> list[TurnEvent]:
        self._settle()
        return self._ended(text or self._shown if self._resumed else text)

    def _settle(self) -> None:
        """The server's turn is over: whatever it tells next is new."""
        self._delivered = self._gone = 0
        self._replaying = False

    def _started(self) -> list[TurnEvent]:
        self._shown = self._speculated = ""
        self._spent = 0
        return [TurnEvent(Kind.START)]

    def _ended(self, text: str) -> list[TurnEvent]:
        self._shown = self._prefix = ""
        self._resumed = False
        return [TurnEvent(Kind.END, text)]

    def _update(self, text: str) -> list[TurnEvent]:
        if not self._is_news(text):
            return []
        if self._spent < self._budget and _SENTENCE_END.search(text):
            return self._speculate(text)
        return self._show(Kind.UPDATE, text)

    def _show(self, kind: Kind, text: str) -> list[TurnEvent]:
        self._shown = text
        return [TurnEvent(kind, text)]

    def _speculate(self, text: str) -> list[TurnEvent]:
        if not text or text == self._speculated or self._is_behind(text):
            return []
        if self._budget and self._spent >= self._budget:
            return self._show(Kind.UPDATE, text) if self._is_news(text) else []
        self._spent += 1
        self._speculated = text
        return self._show(Kind.EAGER_END, text)

    def _is_news(self, text: str) -> bool:
        if not text or text == self._shown:
            return False
        return not self._resumed or word_count(text) > word_count(self._shown)

    def _is_behind(self, text: str) -> bool:
        return self._resumed and word_count(text) < word_count(self._shown)
