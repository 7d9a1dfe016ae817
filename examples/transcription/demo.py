"""The recorded sentences of the examples as one call, and a script of that call for a server without a recognizer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from livekit.plugins.cartesia_turns.server import Line, Script

from .audio import SAMPLE_RATE, Recording, decode, silence

CLIPS = Path(__file__).parent.parent / "audio"
TRANSCRIPTS = CLIPS / "transcripts.tsv"
GAP_S = 1.5
"""Silence between two clips: enough for a turn to end in."""
TAIL_S = 2.0
START_DELAY_S, UPDATE_S, EAGER_DELAY_S, END_DELAY_S = 0.3, 0.8, 0.15, 0.45
"""When a script sends what: how long after speech began, how often meanwhile, how long after its end."""


def demo_call() -> Recording:
    """The recorded sentences as one call, with a pause after each."""
    clips = [decode(path) for path in sorted(CLIPS.glob("*.wav"))]
    gap, tail = silence(GAP_S), silence(TAIL_S)
    parts = [part for clip in clips for part in (gap, clip)][1:]
    return Recording(f"{len(clips)} recorded sentences", np.concatenate([*parts, tail]))


def demo_script() -> Script:
    """What a server says to `demo_call`, from the sentences as they are written down."""
    said = dict(line.split("\t") for line in TRANSCRIPTS.read_text(encoding="utf-8").splitlines())
    lines, start_s = list[Line](), 0.0
    for path in sorted(CLIPS.glob("*.wav")):
        end_s = start_s + len(decode(path)) / SAMPLE_RATE
        lines += _turn(said[path.name], start_s, end_s)
        start_s = end_s + GAP_S
    return Script(lines)


def _turn(text: str, start_s: float, end_s: float) -> Iterator[Line]:
    words = text.split()
    yield Line(start_s + START_DELAY_S, {"type": "turn.start"})
    updates = int((end_s - start_s) / UPDATE_S)
    for step in range(1, updates + 1):
        so_far = " ".join(words[: len(words) * step // (updates + 1)])
        yield Line(start_s + step * UPDATE_S, {"type": "turn.update", "transcript": so_far})
    yield Line(end_s + EAGER_DELAY_S, {"type": "turn.eager_end", "transcript": text})
    yield Line(end_s + END_DELAY_S, {"type": "turn.end", "transcript": text})
