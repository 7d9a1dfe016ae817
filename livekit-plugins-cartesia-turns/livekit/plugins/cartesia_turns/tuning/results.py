"""The results of runs in a file, one JSON object a line, so that a later run goes on where an earlier one ended.

A line has `schema` (RESULTS_SCHEMA), `call` (the name of its folder), `audio` (a digest of what was sent), `endpoint`,
`model`, `turn` (the settings), `heard_s` (seconds of the call that were sent), `sent_s` (all audio that the endpoint
bills), `late_s` (how much longer than real time the run took) and `events`: what the endpoint told, each with the
seconds of audio that had been sent. It has no words. Labels are not part of it, so results outlive corrections of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..wire.messages import TurnSettings
from ..wire.options import check_turn
from .score import Event

RESULTS_SCHEMA = 1
"""The version of the file. It changes when a reader of the version before would misread it."""


class Key(NamedTuple):
    """What a run depends on."""

    audio: str
    endpoint: str
    model: str
    turn: TurnSettings


@dataclass(frozen=True, slots=True)
class Result:
    """What the endpoint told in one run; see the module for the fields."""

    key: Key
    call: str
    heard_s: float
    sent_s: float
    late_s: float
    events: tuple[Event, ...]


class Results:
    """The results in a file.

    Args:
        path: is made by the first result.

    Raises:
        OSError: the file can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        # If an earlier process was killed, its last line may be incomplete.
        self._is_torn = bool(text) and not text.endswith("\n")
        self._known = dict(_read(text.splitlines()))

    def __iter__(self) -> Iterator[Result]:
        return iter(self._known.values())

    def get(self, key: Key) -> Result | None:
        """The result of such a run, if it was made before."""
        return self._known.get(key)

    def prepare(self) -> None:
        """Makes the file and its folder, so that nothing is spent on runs whose results can't be kept.

        Raises:
            OSError: the disk does not take them.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.open("a").close()

    def add(self, result: Result) -> None:
        """Keeps a result at once.

        Raises:
            OSError: the disk does not take it.
        """
        self._known[result.key] = result
        with self._path.open("a", encoding="utf-8") as file:
            file.write(("\n" if self._is_torn else "") + json.dumps(_written(result)) + "\n")
        self._is_torn = False


def _written(result: Result) -> dict[str, Any]:
    return {
        "schema": RESULTS_SCHEMA,
        "call": result.call,
        **result.key._asdict(),
        "turn": asdict(result.key.turn),
        "heard_s": round(result.heard_s, 3),
        "sent_s": round(result.sent_s, 3),
        "late_s": round(result.late_s, 3),
        "events": [[kind, round(at, 3)] for kind, at in result.events],
    }


def _read(lines: Iterable[str]) -> Iterator[tuple[Key, Result]]:
    """The results by their keys; lines that are something else are left out, so that their runs are made again."""
    return ((result.key, result) for line in lines if (result := _result(line)) is not None)


def _result(line: str) -> Result | None:
    try:
        written: dict[str, Any] = json.loads(line)
        if written["schema"] != RESULTS_SCHEMA:
            return None
        turn = TurnSettings(**written["turn"])
        check_turn(turn)
        key = Key(str(written["audio"]), str(written["endpoint"]), str(written["model"]), turn)
        events = tuple((str(kind), _finite(at)) for kind, at in written["events"])
        heard_s, sent_s, late_s = (_finite(written[name]) for name in ("heard_s", "sent_s", "late_s"))
        return Result(key, str(written["call"]), heard_s, sent_s, late_s, events)
    except (ValueError, LookupError, TypeError, RecursionError, OverflowError):
        return None


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("no time")
    return float(number)
