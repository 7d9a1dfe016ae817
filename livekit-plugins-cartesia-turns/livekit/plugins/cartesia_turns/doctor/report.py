"""How verdicts are printed: lines for people, JSON for programs."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence

from ..version import __version__
from .verdict import Level, Verdict

REPORT_SCHEMA = 1
"""Goes up when a field of the JSON changes its meaning or is removed, not when fields or checks are added."""
WIDTH = 110
NAME_WIDTH, LEVEL_WIDTH = 30, 9
ADVICE = "-> "


def lines(verdict: Verdict) -> str:
    """A verdict as it is printed: its level, name and finding, and below it what to do."""
    indent = " " * (LEVEL_WIDTH + NAME_WIDTH)
    head = f"{verdict.level.value:<{LEVEL_WIDTH}}{verdict.name:<{NAME_WIDTH}}"
    text = textwrap.fill(verdict.what, WIDTH, initial_indent=head, subsequent_indent=indent)
    if not verdict.advice:
        return text
    advice = textwrap.fill(
        verdict.advice, WIDTH, initial_indent=indent + ADVICE, subsequent_indent=indent + " " * len(ADVICE)
    )
    return f"{text}\n{advice}"


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many there are of each kind, in one line."""
    count = Counter(verdict.level for verdict in verdicts)
    rest = f"{_counted(count[Level.OK], 'check')} passed, {count[Level.SKIPPED]} skipped."
    if not count[Level.PROBLEM] and not count[Level.WARNING]:
        return f"All is well: {rest}"
    return f"{_counted(count[Level.PROBLEM], 'problem')}, {_counted(count[Level.WARNING], 'warning')}; {rest}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def is_well(verdicts: Sequence[Verdict]) -> bool:
    """No check found a problem."""
    return all(verdict.level is not Level.PROBLEM for verdict in verdicts)


def as_json(verdicts: Sequence[Verdict]) -> str:
    """All verdicts as one JSON object."""
    document = {
        "schema": REPORT_SCHEMA,
        "plugin": __version__,
        "ok": is_well(verdicts),
        "verdicts": [
            {
                "name": verdict.name,
                "level": verdict.level.value,
                "what": verdict.what,
                "advice": verdict.advice,
                "figures": {name: round(value, 4) for name, value in verdict.figures.items()},
            }
            for verdict in verdicts
        ],
    }
    return json.dumps(document, indent=2)
