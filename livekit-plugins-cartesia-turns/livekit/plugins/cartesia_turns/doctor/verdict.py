"""What a check has found, in words that need no knowledge of the plugin's insides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Level(Enum):
    """How bad it is. The value is what the report shows."""

    OK = "ok"
    WARNING = "warning"
    """Calls work, but not as well as they could."""
    PROBLEM = "problem"
    """Calls fail, or do not do what they are there for."""
    SKIPPED = "skipped"
    """It could not be checked, or was not asked for."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one check.

    Attributes:
        name: what was checked: a short name that stays the same from version to version.
        level: how bad it is.
        what: what was found, in one sentence or two. It never holds a key, a token, a header or a query.
        advice: what to do about it; empty where there is nothing to do.
        figures: what was measured, by a name that ends in the unit.
    """

    name: str
    level: Level
    what: str
    advice: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


def ok(name: str, what: str, **figures: float) -> Verdict:
    """All is well."""
    return Verdict(name, Level.OK, what, figures=figures)


def warning(name: str, what: str, advice: str, **figures: float) -> Verdict:
    """It works, but could work better."""
    return Verdict(name, Level.WARNING, what, advice, figures)


def problem(name: str, what: str, advice: str, **figures: float) -> Verdict:
    """It does not work."""
    return Verdict(name, Level.PROBLEM, what, advice, figures)


def skipped(name: str, why: str, advice: str = "") -> Verdict:
    """It was not checked."""
    return Verdict(name, Level.SKIPPED, why, advice)


def printable(text: str, most: int = 200) -> str:
    """A text from outside as a terminal may show it: one line without control characters, cut off at `most`."""
    line = " ".join(text.split())
    shown = "".join(character if character.isprintable() else "?" for character in line)
    return shown if len(shown) <= most else f"{shown[:most]}..."
