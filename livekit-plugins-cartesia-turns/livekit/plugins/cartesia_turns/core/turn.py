"""The turn as its consumer sees it: a machine that follows the table of `transitions`.

The server's own order is turn.start, turn.update*, (turn.eager_end turn.resume)*, turn.end. This machine keeps its
promise (one START, one END, no word lost) for any order, and across sockets: a turn that was open when a socket was
lost goes on with what the next socket makes of the replayed audio.

Text that is not visible counts as none. Punctuation alone is told only if the server ends a turn with it as the whole
text: it begins no turn, and makes no UPDATE (which interrupts the agent) and no EAGER_END (which asks the model).
"""

from __future__ import annotations

from ..wire.messages import BareMessage, DetectedLanguage, SpokenMessage, TurnEnd, TurnMessage, TurnStart, TurnUpdate
from .echo import Echo
from .events import Kind, TurnEvent
from .text import Relation, ends_sentence, has_words, is_blank, is_same, relation
from .transitions import IGNORED, TRANSITIONS, Action, Incident, State
from .words import KnownText


class Turn:
    """Keeps the state and the text of the current turn.

    Args:
        early_preflight: how many EAGER_END events a turn may have if an update that ends with a sentence makes one
            too. With 0 only turn.eager_end makes them, without a limit.
    """

    def __init__(self, early_preflight: int = 0) -> None:
        self._budget, self._spent = early_preflight, 0
        self._state = State.IDLE
        self._shown = self._speculated = ""
        self._known = KnownText()
        self._echo: Echo | None = None
        self._resumed = False
        self._told = ""
        """The server's own text of the turn that it is in, on this socket."""
        self._restart: TurnStart | None = None
        """A turn.start in mid-turn, until the text that follows shows whether it began another turn."""
        self._turn_id = ""
        self._languages: tuple[DetectedLanguage, ...] = ()
        self.request_id: str = ""
        """The server's name for the present socket, or for the last one."""

    @property
    def state(self) -> State:
        """Where the turn is."""
        return self._state

    @property
    def is_open(self) -> bool:
        """The consumer was told the START of a turn and not yet its END."""
        return self._state is not State.IDLE

    @property
    def text(self) -> str:
        """What the consumer has seen of the open turn."""
        return self._shown

    @property
    def length(self) -> int:
        """How many characters of the server's turn are known, with those that `close` told. `lost` counts so too."""
        return self._known.length(self._shown)

    def receive(self, message: TurnMessage) -> list[TurnEvent]:
        """Takes the server's next message and returns what it means to the consumer."""
        if isinstance(message, TurnStart) and self._told:
            return self._start_in_mid_turn(message)
        if isinstance(message, BareMessage):
            self._turn_id = message.turn_id or self._turn_id
            return self._take(message, "")
        transcript = self._echo.rest(message.transcript) if self._echo else message.transcript
        transcript = "" if is_blank(transcript) else transcript
        is_other = self._is_another(message) and has_words(transcript)
        if is_other and self._restart is None and relation(transcript, self._told) is not Relation.GOES_ON:
            self._restart = TurnStart(message.request_id, message.turn_id)
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
            # Text is append-only, so an end without text does not take back what was told.
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
            gone: how many of the first `length` characters have no audio left to replay. Those of them that were shown
                stay, and the text of the next socket is appended to them.
        """
        self._known.lose_socket(gone, self._shown)
        self.forget(gone)
        self._told, self._restart = "", None
        self._go(Incident.SOCKET_LOST)
        self._resumed = self.is_open
        if not self.is_open:
            self._turn_id, self._languages = "", ()

    def expect_echo(self, told: str, *, is_whole: bool = True) -> None:
        """The replay may begin with the end of the turn `told`; see `Echo`. An empty text rules that out."""
        self._echo = Echo(told, is_whole=is_whole) if told else None

    def forget(self, gone: int) -> None:
        """No replay brings the first `gone` characters again: if `close` delivered no others, whatever comes is new."""
        if not self.is_open:
            self._known.forget_first(gone)

    def close(self) -> list[TurnEvent]:
        """Ends an open turn with the text so far, whether or not the server has ended it.

        This text is not delivered again, neither when the server goes on with that turn nor when its audio is replayed.
        """
        return self._go(Incident.CLOSED_BY_US, self._shown)

    def _start_in_mid_turn(self, start: TurnStart) -> list[TurnEvent]:
        """Takes a turn.start in mid-turn: a new turn_id begins another turn, else the next text decides that."""
        if self._is_another(start):
            return self._split(start)
        self._restart = start
        return []

    def _continues(self, message: SpokenMessage, transcript: str) -> Relation:
        """Whether a message after a turn.start in mid-turn is about the turn that was open before it."""
        is_end = isinstance(message, TurnEnd)
        if self._is_another(message):
            return Relation.OTHER
        if not transcript:
            return Relation.GOES_ON if is_end else Relation.BEHIND
        found = relation(transcript, self._told)
        # Text is append-only, so a turn.end with less text than was told ends another turn.
        return Relation.OTHER if is_end and found is Relation.BEHIND else found

    def _is_another(self, message: TurnMessage) -> bool:
        """Whether the message has a turn_id other than that of the present turn."""
        return bool(message.turn_id and self._turn_id) and message.turn_id != self._turn_id

    def _split(self, start: TurnStart) -> list[TurnEvent]:
        """The server began another turn and did not end this one, so the audio of this one is not settled."""
        unsettled = self._known.told_so_far(self._told)
        events = self._take(TurnEnd(start.request_id, self._told), self._told)
        self._known.keep_unsettled(unsettled)
        self._server_ended()
        return [*events, *self.receive(start)]

    def _server_ended(self) -> None:
        self._told = self._turn_id = ""
        self._restart = self._echo = None
        self._languages = self._languages if self.is_open else ()

    def _take(self, message: TurnMessage, transcript: str) -> list[TurnEvent]:
        """Applies a message to the table, unless its text means nothing in the present state."""
        text = self._known.news(transcript) if not isinstance(message, BareMessage) else ""
        if self._resumed and isinstance(message, TurnEnd) and not (text and has_words(transcript)):
            if has_words(transcript):
                self._known.forget_part(transcript)
            return self._go(Incident.NO_NEWS)
        if self._state is State.IDLE and not self._begins(message, transcript, text):
            return []
        if self._state is State.EAGER_ENDED and isinstance(message, TurnUpdate) and is_same(text, self._shown):
            return []
        if self._state is State.RESUMING and not isinstance(message, TurnStart) and not has_words(transcript):
            return []
        return self._go(type(message), text)

    def _go(self, step: type[TurnMessage] | Incident, text: str = "") -> list[TurnEvent]:
        """Does what the table says for this step, with the turn's text."""
        if (self._state, step) in IGNORED:
            return []
        self._state, actions = TRANSITIONS[self._state, step]
        return [event for action in actions for event in self._act(action, text)]

    def _begins(self, message: TurnMessage, transcript: str, text: str) -> bool:
        """Whether a message that comes while idle opens a turn."""
        if isinstance(message, TurnEnd):
            goes_on = text != transcript
            self._known.end(transcript)
            # Punctuation alone that continues a turn which the client closed is no turn.
            return bool(text) and (has_words(text) or not goes_on)
        if not isinstance(message, TurnStart):
            return has_words(text)
        if self._known.delivered_before or self._echo:
            # The replay may repeat a turn that was told, or its end. Only text beyond that begins a turn.
            return False
        self._known.begin()
        return True

    def _act(self, action: Action, text: str) -> list[TurnEvent]:
        match action:
            case Action.OPEN:
                self._shown = self._speculated = ""
                self._spent = 0
                return [TurnEvent(Kind.START, turn_id=self._turn_id, request_id=self.request_id)]
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
        return TurnEvent(kind, text, self._turn_id, self._languages, self.request_id)

    def _ended(self, text: str) -> list[TurnEvent]:
        event = self._event(Kind.END, text)
        self._shown, self._languages, self._resumed = "", (), False
        return [event]

    def _update(self, text: str) -> list[TurnEvent]:
        if not self._is_news(text):
            return []
        if self._spent < self._budget and ends_sentence(text):
            return self._speculate(text)
        return self._show(Kind.UPDATE, text)

    def _show(self, kind: Kind, text: str) -> list[TurnEvent]:
        self._shown = text
        return [self._event(kind, text)]

    def _speculate(self, text: str) -> list[TurnEvent]:
        is_behind = self._resumed and len(text) < len(self._shown)
        if is_behind or not has_words(text) or is_same(text, self._speculated):
            return []
        if self._budget and self._spent >= self._budget:
            return self._show(Kind.UPDATE, text) if self._is_news(text) else []
        self._spent += 1
        self._speculated = text
        return self._show(Kind.EAGER_END, text)

    def _is_news(self, text: str) -> bool:
        is_longer = not self._resumed or len(text.rstrip()) > len(self._shown.rstrip())
        return is_longer and has_words(text) and not is_same(text, self._shown)
