"""Diagrams of the documentation, drawn from the code. `python -m tools.diagram` in tests/ prints them.

That of a turn comes from the table that runs it, that of the layers from what the modules import.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.core.turn import TRANSITIONS, Incident, State
from livekit.plugins.cartesia_turns.wire.messages import TurnMessage

PACKAGE = Path(cartesia_turns.__file__).parent
FOLDERS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
LAYERS = ["", *sorted(FOLDERS, key=["net", "core", "wire", "server", *FOLDERS].index)]
"""The folders of the package from above to below, the package itself first."""

BELOW_ALL = {"errors", "log", "version"}
"""Modules of the package itself that its folders may use."""


def turn_diagram() -> str:
    """The states of a turn and what leads from one to the other, as a Mermaid diagram."""
    arrows: dict[tuple[State, State], list[str]] = defaultdict(list)
    for (state, step), (target, _) in TRANSITIONS.items():
        if state is not target:
            arrows[state, target].append(step.value if isinstance(step, Incident) else _label(state, step))
    lines = [
        f"    {_name(state)} --> {_name(target)}: {', '.join(labels)}" for (state, target), labels in arrows.items()
    ]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {_name(State.IDLE)}", *lines])


def layers_diagram() -> str:
    """The folders of the package and which imports from which, as a Mermaid diagram."""
    arrows = sorted({arrow for path in PACKAGE.rglob("*.py") for arrow in _arrows(path)}, key=_by_layer)
    lines = [f"    {source or 'package'} --> {target or 'package'}" for source, target in arrows]
    return "\n".join(["flowchart TD", *lines])


def _by_layer(arrow: tuple[str, str]) -> list[int]:
    return [LAYERS.index(folder) for folder in arrow]


def _arrows(path: Path) -> Iterator[tuple[str, str]]:
    """From this module's folder to each other folder that it imports from."""
    within = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*within[: len(within) - node.level + 1], *(node.module or "").split(".")]
            source, target = (within or ("",))[0], base[0]
            folder = target if target in LAYERS else ""
            if target not in BELOW_ALL and folder != source:
                yield source, folder


def _name(state: State) -> str:
    return state.value.title().replace(" ", "")


def _label(state: State, message: type[TurnMessage]) -> str:
    with_text = state is State.IDLE and "transcript" in message.__slots__
    return f"{message.TYPE} with text" if with_text else message.TYPE


if __name__ == "__main__":
    print(turn_diagram(), layers_diagram(), sep="\n\n")
