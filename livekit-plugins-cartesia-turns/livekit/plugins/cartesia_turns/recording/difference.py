"""How two runs of a call differ: in events, in what was sent, and in the times of both."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import zip_longest

from .schema import Fields

SAME_S = 1e-6
"""Two times that differ by less than this are the same."""
MOST_SHOWN = 20
"""At most this many differences are shown."""


@dataclass
class Trace:
    """What a client said and sent, each with its time in seconds since the start of the call."""

    said: list[tuple[float, Fields]] = field(default_factory=list)
    sent: list[tuple[float, Fields]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that differs from the recording.

    `at_s` is when, in seconds since the start of the call. `recorded` and `today` are what happened, as JSON objects;
    None if nothing did.
    """

    at_s: float
    recorded: Fields | None
    today: Fields | None

    def __str__(self) -> str:
        return f"{self.at_s:9.3f} s  recorded {_shown(self.recorded)}, today {_shown(self.today)}"


def _shown(said: Fields | None) -> str:
    return json.dumps(said, ensure_ascii=False) if said else "nothing"


def compared(then: list[tuple[float, Fields]], now: list[tuple[float, Fields]]) -> Iterator[Difference]:
    """Yields what is missing, what is new, and what comes at another time."""
    keys = [[json.dumps(said, sort_keys=True) for _, said in trace] for trace in (then, now)]
    for what, a, b, c, d in _opcodes(*keys):
        if what == "equal":
            for (before_s, said), (at_s, _) in zip(then[a:b], now[c:d], strict=True):
                if abs(at_s - before_s) > SAME_S:
                    yield Difference(before_s, {**said, "at_s": round(before_s, 3)}, {**said, "at_s": round(at_s, 3)})
        else:
            yield from (Difference(at_s, said, None) for at_s, said in then[a:b])
            yield from (Difference(at_s, None, said) for at_s, said in now[c:d])


def first_of(then: list[tuple[float, Fields]], now: list[tuple[float, Fields]]) -> Iterator[Difference]:
    """Yields only the first difference in what was sent, since what follows differs too."""
    for before, after in zip_longest(then, now):
        if before is None or after is None or before[1] != after[1] or abs(before[0] - after[0]) > SAME_S:
            at_s = min(moment[0] for moment in (before, after) if moment)
            yield Difference(at_s, before[1] if before else None, after[1] if after else None)
            return


def _opcodes(then: list[str], now: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    if then == now:
        return [("equal", 0, len(then), 0, len(now))] if then else []
    return SequenceMatcher(None, then, now, autojunk=False).get_opcodes()


@dataclass(frozen=True, slots=True)
class Replay:
    """The result of a replay: `events` is the number of recorded events, `audio_s` the seconds of audio pushed."""

    differences: list[Difference]
    events: int
    audio_s: float

    @property
    def is_same(self) -> bool:
        """Nothing differs from the recording."""
        return not self.differences

    def __str__(self) -> str:
        if self.is_same:
            return f"the same as recorded: {self.events} events, {self.audio_s:.1f} s of audio"
        shown = [str(difference) for difference in self.differences[:MOST_SHOWN]]
        left = len(self.differences) - len(shown)
        return "\n".join([f"{len(self.differences)} differences:", *shown, *([f"and {left} more"] if left else [])])
