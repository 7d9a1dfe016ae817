"""What is measured: a cell is one job of each contestant, with one set of numbers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from .figures import CONTESTANTS
from .load import Wakes


@dataclass(frozen=True)
class Place:
    """Where a job is done: whose line, to which server, and what counts the wake-ups of the event loop."""

    contestant: str
    url: str
    wakes: Wakes


Job: TypeAlias = Callable[..., Awaitable[dict[str, float]]]
"""Takes its place, and the numbers of its cell by name; returns what it measured, by the name of the figure."""


@dataclass(frozen=True)
class Cell:
    """A job and its numbers.

    Attributes:
        scale: the scale it belongs to.
        job: the name of its job, among those of the scale.
        label: what its figures are told apart by; the name of each gets it.
        numbers: for the job.
        contestants: who takes part.
        together: all contestants at the same time: a job that waits for most of its time disturbs nobody.
        apart: in processes of its own, while all other such cells of the run are done too.
    """

    scale: str
    job: str
    label: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    contestants: tuple[str, ...] = CONTESTANTS
    together: bool = False
    apart: bool = False

    def named(self, measure: str) -> str:
        """The name of one of its figures."""
        return f"{measure}, {self.label}" if self.label else measure


@dataclass(frozen=True)
class Scale:
    """A set of cells: those of a quick look, those of a usual run, and those that take long in addition."""

    name: str
    jobs: dict[str, Job]
    usual: list[Cell]
    quick: list[Cell]
    long: list[Cell] = field(default_factory=list)

    def cells(self, *, quick: bool, long: bool) -> list[Cell]:
        """Those of this run."""
        return self.quick if quick else [*self.usual, *(self.long if long else [])]
