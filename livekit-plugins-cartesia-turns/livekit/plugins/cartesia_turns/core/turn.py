"""The turn as its consumer sees it: one table from (state, message) to (state, actions).

The server's own order is turn.start, turn.update*, (turn.eager_end turn.resume)*, turn.end. This machine keeps its
promise (one START, one END, no word lost) for any order, and across sockets: a turn that was open when a socket was
lost goes on with what the next socket makes of the replayed audio.

Text is what has a letter or a digit in it. What does not show counts as no text (white space, a zero width space, a
byte order mark), and punctuation alone is told only as the whole text of a turn that the server ends with it: it begins
no turn, and is no UPDATE (which interrupts the agent) and no EAGER_END (which asks the model).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..wire.messages import DetectedLanguage, TurnEagerEnd, TurnEnd, TurnMessage, TurnResume, TurnStart, TurnUpdate
from .echo import Echo
from .text import Relation, has_words, is_blank, is_same, relation
from .words import KnownText


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
    """One step of a turn.

    `transcript` is the whole text of the turn so far, verbatim; empty for START. `turn_id` is the server's name for the
    turn, and `languages` are those that it heard, most likely first; both are empty where it does not say.

    The rest is added by the client: `request_id` is the server's name for the socket, `at` for START and END when the
    speech began or ended (monotonic, seconds), and `usage_s` for END how much audio was sent since the last report.
    """

    kind: Kind
    transcript: str = ""
    turn_id: str = ""
    languages: tuple[DetectedLanguage, ...] = ()
    request_id: str = ""
    at: float | None = None
    usage_s: float = 0.0


class Incident(Enum):
    """What happens to a turn beside the server's messages."""

    SOCKET_LOST = "socket lost"
    NO_NEWS = "turn.end without news in a replay"
    """The replay began with something that was no speech, or is known: the turn itself is still to come."""
    CLOSED_BY_US = "closed by us"


class Action(Enum):
    """What a transition does."""

    OPEN = "open"
    SHOW = "show"
    SPECULATE = "speculate"
    REVIVE = "revive"
    CLOSE = "close"
    DELIVER = "deliver"


TRANSITIONS: dict[tuple[State, type[TurnMessage] | Incident], tuple[State, tuple[Action, ...]]] = {
    (State.IDLE, TurnStart): (State.SPEAKING, (Action.OPEN,)),
    (State.IDLE, TurnUpdate): (State.SPEAKING, (Action.OPEN, Action.SHOW)),
    (State.IDLE, TurnEagerEnd): (State.EAGER_ENDED, (Action.OPEN, Action.SPECULATE)),
    (State.IDLE, TurnEnd): (State.IDLE, (Action.OPEN, Action.CLOSE)),
    (State.SPEAKING, TurnUpdate): (State.SPEAKING, (Action.SHOW,)),
    (State.SPEAKING, TurnEagerEnd): (State.EAGER_ENDED, (Action.SPECULATE,)),
    (State.SPEAKING, TurnEnd): (State.IDLE, (Action.CLOSE,)),
    (State.EAGER_ENDED, TurnUpdate): (State.SPEAKING, (Action.SHOW,)),
    (State.EAGER_ENDED, TurnEagerEnd): (State.EAGER_ENDED, (Action.SPECULATE,)),
    (State.EAGER_ENDED, TurnResume): (State.SPEAKING, (Action.REVIVE,)),
    (State.EAGER_ENDED, TurnEnd): (State.IDLE, (Action.CLOSE,)),
    (State.RESUMING, TurnStart): (State.SPEAKING, ()),
    (State.RESUMING, TurnUpdate): (State.SPEAKING, (Action.SHOW,)),
    (State.RESUMING, TurnEagerEnd): (State.EAGER_ENDED, (Action.SPECULATE,)),
    (State.RESUMING, TurnEnd): (State.IDLE, (Action.CLOSE,)),
    (State.SPEAKING, Incident.SOCKET_LOST): (State.RESUMING, ()),
    (State.EAGER_ENDED, Incident.SOCKET_LOST): (State.RESUMING, ()),
    (State.SPEAKING, Incident.NO_NEWS): (State.RESUMING, ()),
    (State.EAGER_ENDED, Incident.NO_NEWS): (State.RESUMING, ()),
    (State.SPEAKING, Incident.CLOSED_BY_US): (State.IDLE, (Action.DELIVER,)),
    (State.EAGER_ENDED, Incident.CLOSED_BY_US): (State.IDLE, (Action.DELIVER,)),
    (State.RESUMING, Incident.CLOSED_BY_US): (State.IDLE, (Action.DELIVER,)),
}
"""While IDLE, a message with text implies the start of its turn; one without text (but turn.start) is ignored."""

IGNORED: frozenset[tuple[State, type[TurnMessage] | Incident]] = frozenset(
    {
        (State.IDLE, TurnResume),
        (State.SPEAKING, TurnResume),
        (State.RESUMING, TurnResume),
        (State.SPEAKING, TurnStart),
        (State.EAGER_ENDED, TurnStart),
        (State.IDLE, Incident.SOCKET_LOST),
        (State.RESUMING, Incident.SOCKET_LOST),
        (State.IDLE, Incident.NO_NEWS),
        (State.RESUMING, Incident.NO_NEWS),
        (State.IDLE, Incident.CLOSED_BY_US),
    }
)
"""A turn.start in mid-turn by itself says nothing: the text that follows decides whether it began another turn."""

_SENTENCE_ENDS = tuple(".?!\u3002\uff1f\uff01\uff0e\u0964\u06d4\u061f")
"""Those of European languages, Japanese and Chinese, Hindi, Urdu and Arabic."""
_CLOSING = "\"')]\u201d\u2019\u00bb\u300d\u300f\uff09"


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
        self._known = KnownText()
        self._echo: Echo | None = None
        self._resumed = False
        self._told = ""
        """The server's own text of the turn it is in, on this socket."""
        self._restart: TurnStart | None = None
        """A turn.start in mid-turn, until text says what it began."""
        self._turn_id = ""
        self._languages: tuple[DetectedLanguage, ...] = ()

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
    def length(self) -> int:
        """How many characters are known of what the server takes for one turn, those that `close` delivered included.

        `lost` and `forget` take such numbers.
        """
        return self._known.length(self._shown)

    def receive(self, message: TurnMessage) -> list[TurnEvent]:
        """Takes the server's next message and returns what it means to the consumer."""
        if isinstance(message, TurnStart) and self._told:
            return self._start_in_mid_turn(message)
        if isinstance(message, TurnStart | TurnResume):
            self._turn_id = message.turn_id or self._turn_id
            return self._take(message, "")
        transcript = self._echo.rest(message.transcript) if self._echo else message.transcript
        transcript = "" if is_blank(transcript) else transcript
        if self._restart is not None:
            match self._continues(message, transcript):
                case Relation.BEHIND:
                    return []
                case Relation.OTHER:
                    return [*self._split(self._restart), *self.receive(message)]
                case Relation.GOES_ON:
                    self._restart = None
        if has_words(transcript):
            self._told = transcript
        elif isinstance(message, TurnEnd):
            # Text once told is final: an end without any does not take it back.
            transcript = self._told or transcript
        self._turn_id = message.turn_id or self._turn_id
        self._languages = message.languages or self._languages
        events = self._take(message, transcript)
        if isinstance(message, TurnEnd):
            self._server_ended()
        return events

    def lost(self, gone: int = 0) -> None:
        """The socket is gone. An open turn waits for its audio to be replayed.

        Args:
            gone: how many of the first `length` characters have no audio left to replay. What of them was shown stays;
                the text of the next socket is put behind it.
        """
        self._known.lose_socket(gone, self._shown)
        self.forget(gone)
        self._told, self._restart = "", None
        self._go(Incident.SOCKET_LOST)
        if self.is_open:
            self._resumed = True
        else:
            self._turn_id = ""

    def expect_echo(self, told: str, *, is_whole: bool = True) -> None:
        """The replay may begin with the end of a turn that was told; see `Echo`, empty where that is ruled out."""
        self._echo = Echo(told, is_whole=is_whole) if told else None

    def forget(self, gone: int) -> None:
        """The audio of the first `gone` characters is done with: if `close` delivered no others, what comes is new."""
        if not self.is_open:
            self._known.forget_first(gone)

    def close(self) -> list[TurnEvent]:
        """Ends an open turn with the text so far, whatever the server thinks.

        Text delivered so is not delivered again: not when the server goes on with that turn, and not when its audio is
        replayed.
        """
        return self._go(Incident.CLOSED_BY_US, self._shown)

    def _start_in_mid_turn(self, start: TurnStart) -> list[TurnEvent]:
        """Another name is another turn; without one, text is waited for."""
        if self._is_another(start):
            return self._split(start)
        self._restart = start
        return []

    def _continues(self, message: TurnUpdate | TurnEagerEnd | TurnEnd, transcript: str) -> Relation:
        """Whether a message that comes after a turn.start in mid-turn is about the turn that was open before it."""
        is_end = isinstance(message, TurnEnd)
        if self._is_another(message):
            return Relation.OTHER
        if not transcript:
            return Relation.GOES_ON if is_end else Relation.BEHIND
        found = relation(transcript, self._told)
        # Text is append-only: what ends with less is another turn.
        return Relation.OTHER if is_end and found is Relation.BEHIND else found

    def _is_another(self, message: TurnMessage) -> bool:
        """Whether it names a turn other than the present one."""
        return bool(message.turn_id and self._turn_id) and message.turn_id != self._turn_id

    def _split(self, start: TurnStart) -> list[TurnEvent]:
        """The server began another turn without an end of this one, whose audio it has not settled for that reason."""
        unsettled = self._known.told_so_far(self._told)
        events = self._take(TurnEnd(start.request_id, self._told), self._told)
        self._known.keep_unsettled(unsettled)
        self._server_ended()
        return [*events, *self.receive(start)]

    def _server_ended(self) -> None:
        self._told = self._turn_id = ""
        self._restart = self._echo = None

    def _take(self, message: TurnMessage, transcript: str) -> list[TurnEvent]:
        """Plays a message by the table, but for those that mean nothing where they come."""
        is_end = isinstance(message, TurnEnd)
        if (self._state, type(message)) in IGNORED:
            return []
        text = self._known.news(transcript) if not isinstance(message, TurnStart | TurnResume) else ""
        if self._resumed and is_end and not (text and has_words(transcript)):
            if has_words(transcript):
                self._known.forget_part(transcript)
            return self._go(Incident.NO_NEWS)
        if self._state is State.IDLE and not self._begins(message, transcript, text):
            return []
        if self._state is State.RESUMING and not isinstance(message, TurnStart) and not has_words(transcript):
            return []
        return self._go(type(message), text)

    def _go(self, step: type[TurnMessage] | Incident, text: str = "") -> list[TurnEvent]:
        """Does what the table says, where the turn has this text."""
        if (self._state, step) in IGNORED:
            return []
        self._state, actions = TRANSITIONS[self._state, step]
        return [event for action in actions for event in self._act(action, text)]

    def _begins(self, message: TurnMessage, transcript: str, text: str) -> bool:
        """Whether a message that comes while idle opens a turn."""
        if isinstance(message, TurnEnd):
            goes_on = text != transcript
            self._known.end(transcript)
            # Punctuation that goes on from a turn that was closed is no turn.
            return bool(text) and (has_words(text) or not goes_on)
        if not isinstance(message, TurnStart):
            return has_words(text)
        if self._known.delivered_before or self._echo:
            # The replay of a turn that was told, or of its end: only text that goes beyond it is news.
            return False
        self._known.begin()
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
                return [self._event(Kind.RESUME, self._shown)] if self._shown else []
            case Action.CLOSE:
                self._known.forget()
                return self._ended(text)
            case Action.DELIVER:
                self._known.deliver(text)
                return self._ended(text)

    def _event(self, kind: Kind, text: str = "") -> TurnEvent:
        return TurnEvent(kind, text, self._turn_id, self._languages)

    def _started(self) -> list[TurnEvent]:
        self._shown = self._speculated = ""
        self._spent = 0
        return [TurnEvent(Kind.START, turn_id=self._turn_id)]

    def _ended(self, text: str) -> list[TurnEvent]:
        event = self._event(Kind.END, text)
        self._shown = ""
        self._languages = ()
        self._resumed = False
        return [event]

    def _update(self, text: str) -> list[TurnEvent]:
        if not self._is_news(text):
            return []
        if self._spent < self._budget and text.rstrip().rstrip(_CLOSING).endswith(_SENTENCE_ENDS):
            return self._speculate(text)
        return self._show(Kind.UPDATE, text)

    def _show(self, kind: Kind, text: str) -> list[TurnEvent]:
        self._shown = text
        return [self._event(kind, text)]

    def _speculate(self, text: str) -> list[TurnEvent]:
        if not has_words(text) or is_same(text, self._speculated) or self._is_behind(text):
            return []
        if self._budget and self._spent >= self._budget:
            return self._show(Kind.UPDATE, text) if self._is_news(text) else []
        self._spent += 1
        self._speculated = text
        return self._show(Kind.EAGER_END, text)

    def _is_news(self, text: str) -> bool:
        if not has_words(text) or is_same(text, self._shown):
            return False
        return not self._resumed or len(text.rstrip()) > len(self._shown.rstrip())

    def _is_behind(self, text: str) -> bool:
        return self._resumed and len(text) < len(self._shown)
