"""The states of a turn, and one table: what each message and each other incident does in each state."""

from __future__ import annotations

from enum import Enum

from ..wire.messages import TurnEagerEnd, TurnEnd, TurnMessage, TurnResume, TurnStart, TurnUpdate


class State(Enum):
    """Where the turn is."""

    IDLE = "idle"
    SPEAKING = "speaking"
    EAGER_ENDED = "eager ended"
    RESUMING = "resuming"
    """The socket was lost in mid-turn: the replayed audio is expected to bring the turn back."""


class Incident(Enum):
    """Anything that happens to a turn and is no message of the server."""

    SOCKET_LOST = "socket lost"
    NO_NEWS = "replay ended without new text"
    """The replay began with noise or with text that is known already, so the turn itself is still to come."""
    CLOSED_BY_US = "closed by the plugin"


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
"""While IDLE, a message with text implies the start of its turn. Without text, only turn.start begins one."""

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
"""A turn.start in mid-turn does nothing by itself: the text that follows decides whether it began another turn."""
