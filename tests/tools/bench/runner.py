"""Runs the cells: one process of the server, one of each contestant and round, in alternating order."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .cells import Cell
from .figures import Figure
from .processes import Process

MORE_IS_BETTER = ("head start", "streams that a core serves")
"""How the names of the few figures begin that are no costs."""
WITH_HARNESS = "CPU seconds a stream-minute"
"""How those begin from which the harness's own share is to be taken off. Its wake-ups are shared with the contestant's,
and nobody can tell whose they are."""


@dataclass
class Run:
    """All rounds.

    Args:
        cells: what is measured, in this order.
        contestants: those that are installed.
        rounds: how many.
        say: told of progress.
    """

    cells: list[Cell]
    contestants: Sequence[str]
    rounds: int
    say: Callable[[str], None]
    figures: dict[tuple[str, str], Figure] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def all_rounds(self) -> list[Figure]:
        """Measures everything; takes minutes."""
        with contextlib.closing(Process("tools.bench.endpoint")) as server:
            server.keep_to_first_core()
            url = server.line()
            for number in range(self.rounds):
                self._round(url, number)
        return list(self.figures.values())

    def _round(self, url: str, number: int) -> None:
        order = self._order(number)
        if apart := [cell for cell in self.cells if cell.apart]:
            self._apart(apart, order, url, number)
        with self._workers(order, url) as workers:
            for cell in self.cells:
                if not cell.apart:
                    self._cell(cell, {name: workers[name] for name in order if name in cell.contestants}, number)

    def _order(self, number: int) -> list[str]:
        """Every round begins with another, and every second one goes the other way."""
        first = number % len(self.contestants)
        order = [*self.contestants[first:], *self.contestants[:first]]
        return order[::-1] if number % 2 else order

    @contextlib.contextmanager
    def _workers(self, names: Sequence[str], url: str) -> Iterator[dict[str, Process]]:
        with contextlib.ExitStack() as ends:
            workers = {name: Process("tools.bench.worker", name, url) for name in names}
            for worker in workers.values():
                ends.callback(worker.close)
            for worker in workers.values():
                worker.line()
            yield workers

    def _apart(self, cells: list[Cell], order: list[str], url: str, number: int) -> None:
        with contextlib.ExitStack() as ends:
            under_way = []
            for cell in cells:
                names = [name for name in order if name in cell.contestants]
                workers = ends.enter_context(self._workers(names, url))
                self._progress(cell, number)
                for worker in workers.values():
                    _give(cell, worker)
                under_way.append((cell, workers))
            for cell, workers in under_way:
                for name, worker in workers.items():
                    self._take(cell, name, worker)

    def _cell(self, cell: Cell, workers: dict[str, Process], number: int) -> None:
        begun = time.monotonic()
        for worker in workers.values() if cell.together else ():
            _give(cell, worker)
        for name, worker in workers.items():
            if not cell.together:
                _give(cell, worker)
            self._take(cell, name, worker)
        self._progress(cell, number, f" {time.monotonic() - begun:.1f} s")

    def _take(self, cell: Cell, contestant: str, worker: Process) -> None:
        told: dict[str, Any] = json.loads(worker.line())
        if "error" in told:
            self.failures.append(f"{cell.scale}, {cell.named(cell.job)}, {contestant}: {told['error']}")
            self.say(f"FAILED: {self.failures[-1]}")
            return
        for measure, value in told.items():
            name = cell.named(measure)
            figure = self.figures.setdefault((cell.scale, name), new_figure(cell.scale, name))
            figure.values.setdefault(contestant, []).append(float(value))

    def _progress(self, cell: Cell, number: int, more: str = "") -> None:
        self.say(f"round {number + 1} of {self.rounds}: {cell.scale}, {cell.named(cell.job)}{more}")


def new_figure(scale: str, name: str) -> Figure:
    """One without values."""
    is_gain, has_harness = name.startswith(MORE_IS_BETTER), name.startswith(WITH_HARNESS)
    return Figure(scale, name, more_is_better=is_gain, harness_in_it=has_harness)


def _give(cell: Cell, worker: Process) -> None:
    worker.ask({"scale": cell.scale, "job": cell.job, "numbers": dict(cell.numbers)})
