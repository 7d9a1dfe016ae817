"""Plays messages and incidents to a turn, and tells its events in short."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from livekit.plugins.cartesia_turns.core.events import TurnEvent
from livekit.plugins.cartesia_turns.core.turn import Turn
from livekit.plugins.cartesia_turns.wire.messages import TurnMessage

Step: TypeAlias = TurnMessage | str


def named(turn_id: str, *messages: TurnMessage) -> list[TurnMessage]:
    return [replace(message, turn_id=turn_id) for message in messages]


def play(turn: Turn, *steps: Step) -> list[str]:
    """Plays messages, "lost", "lost N" (characters without audio) and "close"; tells the events in short."""
    events: list[TurnEvent] = []
    for step in steps:
        if not isinstance(step, str):
            events += turn.receive(step)
        elif step == "close":
            events += turn.close()
        else:
            turn.lost(int(step.removeprefix("lost") or 0))
    return [f"{event.kind.value} {event.transcript}".strip() for event in events]
