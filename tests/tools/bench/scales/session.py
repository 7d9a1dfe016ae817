"""What a real AgentSession gains: session_figures.py, as a scale."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..cells import Cell, Job, Place, Scale
from ..figures import OFFICIAL, OURS
from ..session_figures import MEASURES, Measure, theirs

PLUGINS = (OURS, OFFICIAL)


async def measured(place: Place, *, measure: Measure, name: str, options: dict[str, Any]) -> dict[str, float]:
    """One run of a conversation."""
    wrap = {"wrap": theirs} if place.contestant == OFFICIAL else {}
    return {f"{name}, ms": 1000 * await measure(**wrap, **options)}


JOBS: dict[str, Job] = {
    name: partial(measured, measure=measure, name=name, options=options) for name, measure, options, _ in MEASURES
}
CELLS = [
    Cell("session", name, "", {}, PLUGINS if has_peer else (OURS,), together=True) for name, _, _, has_peer in MEASURES
]
SCALE = Scale("session", JOBS, usual=CELLS, quick=CELLS[:1])
