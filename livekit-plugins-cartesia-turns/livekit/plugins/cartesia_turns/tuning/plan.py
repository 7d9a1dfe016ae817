"""What is to be tried, with which calls, and what is known of it by now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..doctor.calls import Server
from ..recording.files import calls_of
from ..recording.labels import PERSON, LabelsError, load_labels
from ..recording.schema import SchemaError
from ..wire.messages import TurnSettings
from .report import counted
from .results import Results
from .runs import Job, Sample, key_of, sample_of
from .score import Point, Score, score

LATE_RUN_S = 1.0
"""If a run took so much longer than its audio, the machine is too busy to measure delays."""
MOST_NAMED = 5
"""So many calls that are left out are named."""


class UsageError(ValueError):
    """The arguments or the calls can't be used. The text says why, and what to do."""


@dataclass
class Tuning:
    """What is to be done, and what came of it so far."""

    server: Server
    samples: list[Sample]
    settings: list[TurnSettings]
    results: Results
    refused: dict[TurnSettings, str] = field(default_factory=dict)

    @property
    def jobs(self) -> list[Job]:
        """The runs that are still to be made, or made anew since they were late: one setting after the other."""
        every = [Job(sample, turn) for turn in self.settings for sample in self.samples]
        return [job for job in every if not self._is_done(job)]

    @property
    def is_refused(self) -> bool:
        """The endpoint refused each of the settings, so nothing came of this command."""
        return self.refused.keys() >= set(self.settings)

    def points(self) -> list[Point]:
        """Each setting that was tried with all of these calls, now or before, and its score."""
        tried = dict.fromkeys([*self.settings, *(result.key.turn for result in self.results)])
        scores = {turn: self._score(turn) for turn in tried}
        return [Point(turn, total) for turn, total in scores.items() if total is not None]

    def _is_done(self, job: Job) -> bool:
        result = self.results.get(key_of(self.server, job))
        return result is not None and result.late_s <= LATE_RUN_S

    def late(self) -> list[float]:
        """How much longer than their audio those runs took that are part of the points and can't be trusted."""
        keys = [key_of(self.server, Job(sample, point.turn)) for point in self.points() for sample in self.samples]
        found = [result.late_s for key in keys if (result := self.results.get(key)) is not None]
        return [late_s for late_s in found if late_s > LATE_RUN_S]

    def _score(self, turn: TurnSettings) -> Score | None:
        total = Score()
        for sample in self.samples:
            result = self.results.get(key_of(self.server, Job(sample, turn)))
            if result is None:
                return None
            total += score(sample.labels, result.events, result.heard_s)
        return total


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls that can be run, why the others can't, and how many labels no person has confirmed."""

    samples: list[Sample]
    left_out: list[str]
    proposed: int

    def remarks(self) -> Iterator[str]:
        """What the user should know of them."""
        if self.left_out:
            yield f"{counted(len(self.left_out), 'call')} left out:"
            yield from (f"    {why}" for why in self.left_out[:MOST_NAMED])
            if len(self.left_out) > MOST_NAMED:
                yield f"    and {len(self.left_out) - MOST_NAMED} more"
        if self.proposed:
            yield (
                f"{counted(self.proposed, 'call')} with proposed labels that nobody has confirmed: look at them with"
                " `view`."
            )


def read(paths: Sequence[Path]) -> Calls:
    """Reads the calls in these folders, and their labels.

    Raises:
        UsageError: none can be used.
        SchemaError: a folder has no calls.
        OSError: a folder can't be read.
    """
    found = [_sample(call) for call in calls_of(paths)]
    samples = [sample for sample in found if isinstance(sample, Sample)]
    left_out = [why for why in found if isinstance(why, str)]
    if not samples:
        raise UsageError(
            f"no call can be used ({left_out[0]}): run `python -m livekit.plugins.cartesia_turns label` first"
        )
    if not any(sample.labels.turns for sample in samples):
        raise UsageError("no turn ends in the labels of these calls: correct them on the page that `view` makes")
    return Calls(samples, left_out, sum(sample.labels.by != PERSON for sample in samples))


def _sample(call: Path) -> Sample | str:
    """The call in this folder, or why it can't be used."""
    try:
        labels = load_labels(call)
        if labels is None:
            return f"{call} has no labels"
        return sample_of(call, labels) or f"{call} has no audio"
    except (LabelsError, SchemaError, OSError) as error:
        return str(error)
