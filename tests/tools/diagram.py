"""The drawing and the table of the documentation's page on the architecture, made from the code.

`python -m tools.diagram` in tests/ writes the drawing and prints the table. The drawing of a turn's states comes from
the table that runs a turn, the table of folders from what their modules import.
"""

from __future__ import annotations

import ast
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.core.transitions import TRANSITIONS, Incident, State
from livekit.plugins.cartesia_turns.wire.messages import TurnMessage

PACKAGE = Path(cartesia_turns.__file__).parent
FOLDERS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
LAYERS = ["", *sorted(FOLDERS, key=["net", "core", "wire", "server", *FOLDERS].index)]
"""The folders of the package from above to below, the package itself first."""

BELOW_ALL = {"errors", "log", "version"}
"""Modules of the package itself that its folders may use."""

SIZE = (1200, 430)
PLACES = {State.IDLE: (80, 215), State.SPEAKING: (600, 30), State.EAGER_ENDED: (600, 400), State.RESUMING: (1120, 215)}
"""The middle of each state's box, in pixels."""
BOX = (130, 44)
APART = 9
"""How far an arrow is from the middle line between its boxes, in pixels: there may be one in each direction."""
LINE_HEIGHT = 17

STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1d2733; }
    .name { font-weight: 600; text-anchor: middle; dominant-baseline: central; }
    .label { dominant-baseline: central; paint-order: stroke; stroke: #fff; stroke-width: 5px; }
    .paper { fill: #fff; }
    .box { fill: #e8f3f1; stroke: #087a6b; }
    .arrow { stroke: #5b6b7a; fill: none; }
    .tip { fill: #5b6b7a; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6ebf0; }
      .label { stroke: #1e2129; }
      .paper { fill: #1e2129; }
      .box { fill: #10332f; stroke: #4fb3a5; }
      .arrow { stroke: #9aa7b4; }
      .tip { fill: #9aa7b4; }
    }"""


def turn_drawing() -> str:
    """The states of a turn and what leads from one to another, as SVG."""
    arrows: dict[tuple[State, State], list[str]] = defaultdict(list)
    for (state, step), (target, _) in TRANSITIONS.items():
        if state is not target:
            arrows[state, target].append(step.value if isinstance(step, Incident) else _label(state, step))
    size = 'width="{}" height="{}"'.format(*SIZE)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE[0]} {SIZE[1]}" {size}>',
            f"  <style>{STYLE}\n  </style>",
            '  <marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="9" markerHeight="9" orient="auto">',
            '    <path class="tip" d="M0 0 8 4 0 8z"/>',
            "  </marker>",
            f'  <rect class="paper" {size}/>',
            *(_line(*ends) for ends in arrows),
            *(_text(*ends, labels) for ends, labels in arrows.items()),
            *map(_box, PLACES),
            "</svg>\n",
        ]
    )


def folders_table() -> str:
    """The folders of the package and which others each of them imports, as a table."""
    imports: dict[str, list[str]] = {folder: [] for folder in LAYERS}
    for source, target in sorted({arrow for path in PACKAGE.rglob("*.py") for arrow in _arrows(path)}, key=_by_layer):
        imports[source].append(_folder(target))
    lines = [f"| {_folder(folder)} | {', '.join(targets) or 'none'} |" for folder, targets in imports.items()]
    return "\n".join(["| folder | imports from |", "| --- | --- |", *lines])


def _box(state: State) -> str:
    (x, y), (width, height) = PLACES[state], BOX
    corner = f'x="{x - width // 2}" y="{y - height // 2}"'
    box = f'  <rect class="box" {corner} width="{width}" height="{height}" rx="8"/>'
    return f'{box}<text class="name" x="{x}" y="{y}">{_name(state)}</text>'


def _line(source: State, target: State) -> str:
    (x1, y1), (x2, y2) = _ends(source, target)
    return f'  <path class="arrow" marker-end="url(#tip)" d="M{x1:.0f} {y1:.0f} {x2:.0f} {y2:.0f}"/>'


def _text(source: State, target: State, labels: list[str]) -> str:
    """The labels of an arrow, one below the other, on its right-hand side."""
    (x1, y1), (x2, y2) = _ends(source, target)
    across_x, across_y = _across(source, target)
    part = 0.5
    if x1 == x2:  # the upright arrows cross the level one in the middle
        part = 0.6 if y1 < y2 else 0.4
    elif y1 == y2:
        part, labels = 0.25, [", ".join(labels)]
    x, y = x1 + (x2 - x1) * part + 8 * across_x, y1 + (y2 - y1) * part + 8 * across_y
    y += LINE_HEIGHT * (len(labels) / 2 * across_y - (len(labels) - 1) / 2)
    anchor = "middle" if abs(across_x) < 0.1 else "start" if across_x > 0 else "end"
    rows = [f'<tspan x="{x:.0f}" y="{y + LINE_HEIGHT * row:.0f}">{label}</tspan>' for row, label in enumerate(labels)]
    return f'  <text class="label" text-anchor="{anchor}">{"".join(rows)}</text>'


def _ends(source: State, target: State) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where an arrow leaves one box and reaches the other."""
    return _edge(source, target, _across(source, target)), _edge(target, source, _across(source, target))


def _edge(source: State, target: State, across: tuple[float, float]) -> tuple[float, float]:
    """Where the line to another box leaves this one, moved to its place beside the middle line."""
    start, dx, dy = PLACES[source], PLACES[target][0] - PLACES[source][0], PLACES[target][1] - PLACES[source][1]
    x, y = APART * across[0], APART * across[1]
    part_x = (math.copysign(BOX[0] / 2, dx) - x) / dx if dx else math.inf
    part_y = (math.copysign(BOX[1] / 2, dy) - y) / dy if dy else math.inf
    part = min(part_x, part_y)
    return start[0] + x + dx * part, start[1] + y + dy * part


def _across(source: State, target: State) -> tuple[float, float]:
    """The direction to the right of an arrow, one pixel long."""
    (x1, y1), (x2, y2) = PLACES[source], PLACES[target]
    length = math.hypot(x2 - x1, y2 - y1)
    return (y1 - y2) / length, (x2 - x1) / length


def _folder(name: str) -> str:
    return f"`{name}/`" if name else "the package itself"


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
    drawing = Path(__file__).parents[2] / "livekit-plugins-cartesia-turns/docs/turn.svg"
    drawing.write_text(turn_drawing())
    print(folders_table())
