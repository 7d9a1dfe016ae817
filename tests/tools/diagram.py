"""The diagram of a turn, drawn from the table that runs it."""

from __future__ import annotations

from collections import defaultdict

from livekit.plugins.cartesia_turns.core.turn import TRANSITIONS, State
from livekit.plugins.cartesia_turns.wire.messages import TurnMessage

OUTSIDE = (
    (State.SPEAKING, State.RESUMING, "socket lost"),
    (State.EAGER_ENDED, State.RESUMING, "socket lost"),
    (State.RESUMING, State.IDLE, "closed by us"),
    (State.SPEAKING, State.IDLE, "closed by us"),
    (State.EAGER_ENDED, State.IDLE, "closed by us"),
)
"""What no message brings about: `Turn.lost` and `Turn.close`."""


def turn_diagram() -> str:
    """The states of a turn and what leads from one to the other, as a Mermaid diagram."""
    arrows: dict[tuple[State, State], list[str]] = defaultdict(list)
    for (state, message), (target, _) in TRANSITIONS.items():
        if state is not target:
            arrows[state, target].append(_label(state, message))
    for state, target, label in OUTSIDE:
        arrows[state, target].append(label)
    lines = [
        f"    {_name(state)} --> {_name(target)}: {', '.join(labels)}" for (state, target), labels in arrows.items()
    ]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {_name(State.IDLE)}", *lines])


def _name(state: State) -> str:
    return state.value.title().replace(" ", "")


def _label(state: State, message: type[TurnMessage]) -> str:
    with_text = state is State.IDLE and "transcript" in message.__slots__
    return f"{message.TYPE} with text" if with_text else message.TYPE


if __name__ == "__main__":
    print(turn_diagram())
