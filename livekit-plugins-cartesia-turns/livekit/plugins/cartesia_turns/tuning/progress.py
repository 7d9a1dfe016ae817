"""Shows how far the runs are, and keeps each result as it comes."""

from __future__ import annotations

import sys
import time

from .plan import Tuning
from .report import counted, lasting, lasting_s
from .results import Result
from .runs import Job, RunError

BAR = 30
"""How wide the progress bar is, in characters."""


class Progress:
    """Takes the results of runs. It keeps each one, and shows on standard error how far the runs are.

    Args:
        tuning: what is to be done, and where results are kept.
        at_once: how many runs are made at once.
    """

    def __init__(self, tuning: Tuning, at_once: int) -> None:
        self._tuning = tuning
        self._of = len(tuning.jobs)
        self._done = 0
        self._ends_at = time.monotonic() + lasting_s([job.sample.seconds for job in tuning.jobs], at_once)
        self._show()

    def __call__(self, job: Job, result: Result | RunError) -> None:
        """Takes the result of a run, or why the endpoint refused its settings."""
        if isinstance(result, RunError):
            self._tuning.refused[job.turn] = str(result)
        else:
            self._tuning.results.add(result)
        self._done += 1
        self._show()

    def _show(self) -> None:
        text = bar(self._done, self._of, self._ends_at - time.monotonic())
        if sys.stderr.isatty():
            # The line before may have been longer.
            sys.stderr.write(f"\r{text:<78}{'' if self._done < self._of else chr(10)}")
            sys.stderr.flush()
        elif self._done == self._of or self._done % max(1, self._of // 10) == 0:
            sys.stderr.write(f"{text}\n")


def bar(done: int, of: int, left_s: float) -> str:
    """A progress bar.

    Args:
        done: how many runs are done.
        of: how many there are.
        left_s: how long the rest takes.
    """
    filled = BAR * done // of
    left = f", {lasting(left_s)} left" if done < of and left_s > 0 else ""
    return f"[{'#' * filled}{'.' * (BAR - filled)}] {done} of {counted(of, 'run')}{left}"
