"""What is measured. Each module has one scale: its jobs, and the cells of a run."""

from __future__ import annotations

from ..cells import Scale
from . import audio, cpu, growth, memory, server, session, start, trouble

SCALES: dict[str, Scale] = {
    scale.name: scale
    for scale in (
        memory.SCALE,
        audio.SCALE,
        cpu.SCALE,
        start.SCALE,
        session.SCALE,
        trouble.SCALE,
        growth.SCALE,
        server.SCALE,
    )
}
"""By name, in the order of a run."""
