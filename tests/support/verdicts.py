"""Verdicts of the doctor, as tests read them."""

from __future__ import annotations

from collections.abc import Iterable

from livekit.plugins.cartesia_turns.doctor.verdict import Verdict


def levels(verdicts: Iterable[Verdict]) -> dict[str, str]:
    """The level of each check, by its name."""
    return {verdict.name: verdict.level.value for verdict in verdicts}


def called(name: str, verdicts: Iterable[Verdict]) -> Verdict:
    """The one verdict of this name."""
    (found,) = [verdict for verdict in verdicts if verdict.name == name]
    return found


def advised(verdict: Verdict) -> tuple[str, str]:
    """Its level and what to do; a warning and a problem always say that."""
    assert bool(verdict.advice) or verdict.level.value in ("ok", "skipped")
    return verdict.level.value, verdict.advice
