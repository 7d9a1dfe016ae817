"""Shows how far the runs are, and keeps each result as it comes."""

from __future__ import annotations

import shutil
import sys
import time

from .plan import Tuning
from .report import counted, lasting, lasting_s
from .results import Result
from .runs import Job, RunError

BAR, SHORTEST_BAR = 30, 5
"""How wide the progress bar is, in characters, and how narrow where there is little room."""
WIDEST_LINE = 78
"""The longest line."""


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
        left_s = self._ends_at - time.monotonic()
        if sys.stderr.isatty():
            # In the last column some terminals begin a new line.
            room = shutil.get_terminal_size().columns - 1
            # The line before may have been longer.
            line = f"{bar(self._done, self._of, left_s, room):<{min(room, WIDEST_LINE)}}"
            sys.stderr.write(f"\r{line}{'' if self._done < self._of else chr(10)}")
            sys.stderr.flush()
            return
        text = bar(self._done, self._of, left_s)
        if self._done == self._of or self._done % max(1, self._of // 10) == 0:
            sys.stderr.write(f"{text}\n")


def bar(done: int, of: int, left_s: float, room: int = WIDEST_LINE) -> str:
    """A progress bar.

    Args:
        done: how many runs are done.
        of: how many there are.
        left_s: how long the rest takes.
        room: how many characters it may take. In less room the bar is shorter, or left out.
    """
    left = f", {lasting(left_s)} left" if done < of and left_s > 0 else ""
    text = f"{done} of {counted(of, 'run')}{left}"
    width = min(BAR, room - len(text) - len("[] "))
    if width < SHORTEST_BAR:
        return text[:room]
    filled = width * done // of
    return f"[{'#' * filled}{'.' * (width - filled)}] {text}"
