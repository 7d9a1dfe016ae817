"""The turn as its consumer sees it: one table from (state, message) to (state, actions).

The server's own order is turn.start, turn.update*, (turn.eager_end turn.resume)*, turn.end. This machine keeps its
promise (one START, one END, no word lost) for any order, and across sockets: a turn that was open when a socket was
lost goes on with what the next socket makes of the replayed audio.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from .messages import TurnEagerEnd, TurnEnd, TurnMessage, TurnResume, TurnStart, TurnUpdate
from .words import KnownWords, word_count


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
        self._known = KnownWords()
        self._resumed = False

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
        return self._known.count(self._shown)

    def receive(self, message: TurnMessage) -> list[TurnEvent]:
        """Takes the server's next message and returns what it means to the consumer."""
        if (self._state, type(message)) in IGNORED:
            return []
        if isinstance(message, TurnStart) and self._state in (State.SPEAKING, State.EAGER_ENDED):
            self._known.forget()
        if self._resumed and isinstance(message, TurnEnd) and not message.transcript.strip():
            # The replay began with something that was no speech: the turn itself is still to come.
            self._state = State.RESUMING
            return []
        text = "" if isinstance(message, TurnStart | TurnResume) else self._known.news(message.transcript)
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
        self._known.lose_socket(gone, self._shown)
        self.forget(gone)
        if self.is_open:
            self._state = State.RESUMING
            self._resumed = True

    def forget(self, gone: int) -> None:
        """The audio of the first `gone` words is done with: if `close` delivered no others, whatever comes is new."""
        if not self.is_open:
            self._known.forget_first(gone)

    def close(self) -> list[TurnEvent]:
        """Ends an open turn with the text so far, whatever the server thinks.

        Words delivered so are not delivered again: not when the server goes on with that turn, and not when its audio
        is replayed.
        """
        if not self.is_open:
            return []
        self._known.deliver(self._shown)
        self._state = State.IDLE
        return self._ended(self._shown)

    def _begins(self, message: TurnMessage, text: str) -> bool:
        """Whether a message that comes while idle opens a turn."""
        if isinstance(message, TurnEnd):
            self._known.forget_part(message.transcript)
        if not isinstance(message, TurnStart):
            return bool(text.strip())
        if self._known.delivered_before:
            # The replay of a turn that was closed from its text: only words that go beyond it are news.
            return False
        self._known.forget()
        return True

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
        self._known.forget()
        # Text once sent is final: an end without any does not take it back.
        return self._ended(text or self._shown)

    def _started(self) -> list[TurnEvent]:
        self._shown = self._speculated = ""
        self._spent = 0
        return [TurnEvent(Kind.START)]

    def _ended(self, text: str) -> list[TurnEvent]:
        self._shown = ""
        self._known.close()
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
