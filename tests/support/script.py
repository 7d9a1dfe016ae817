"""What a server says in a test: messages by short names, and scripts of them."""

from __future__ import annotations

from livekit.plugins.cartesia_turns.server import Script, say
from livekit.plugins.cartesia_turns.wire.messages import (
    ServerMessage,
    TurnEagerEnd,
    TurnEnd,
    TurnResume,
    TurnStart,
    TurnUpdate,
)

SAYS_NOTHING = Script([])
START, RESUME = TurnStart(""), TurnResume("")


def update(text: str) -> TurnUpdate:
    return TurnUpdate("", text)


def eager_end(text: str) -> TurnEagerEnd:
    return TurnEagerEnd("", text)


def end(text: str) -> TurnEnd:
    return TurnEnd("", text)


DIALOGUE = Script(
    [
        say(0.1, START),
        say(0.2, update("so ")),
        say(0.3, eager_end("so long")),
        say(0.4, RESUME),
        say(0.5, end("so long then")),
    ]
)
"""A turn with each kind of message."""


def playing(*messages: ServerMessage) -> Script:
    """All of it at 0.1 s of audio."""
    return Script([say(0.1, message) for message in messages])
