"""Processes of the benchmark: they find its modules, are asked by a line and answer by a line."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
"""In which `tools.bench` can be imported."""
PATIENCE_S = 900.0
"""How long an answer may take: more than the longest job."""


class Process:
    """A module of the benchmark in a process of its own."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=ENVIRONMENT,
        )

    def keep_to_first_core(self) -> None:
        """Has the process run on the first core alone, so that those `off_first_core` never wait for it."""
        if first := _first_core():
            os.sched_setaffinity(self._process.pid, first)

    def ask(self, question: dict[str, Any]) -> None:
        """Sends a line."""
        _pipe(self._process.stdin).write(f"{json.dumps(question)}\n")
        _pipe(self._process.stdin).flush()

    def line(self) -> str:
        """Waits for a line. There is never more than one to come.

        Raises:
            RuntimeError: the process has ended, or is stuck.
        """
        output = _pipe(self._process.stdout)
        if not select.select([output], [], [], PATIENCE_S)[0]:
            raise RuntimeError(f"a process of the benchmark has not answered for {PATIENCE_S:g} s")
        line = output.readline()
        if not line:
            raise RuntimeError("a process of the benchmark has ended before its time")
        return line.strip()

    def close(self) -> None:
        """Ends the process."""
        self._process.terminate()
        self._process.communicate()


@contextlib.contextmanager
def off_first_core() -> Iterator[None]:
    """Has this process run on the other cores alone, if there are any."""
    first = _first_core()
    if not first:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before - first)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _first_core() -> set[int]:
    """The first core of those that this process may use; empty where there is no other, or no way to choose."""
    if sys.platform != "linux":
        return set()
    cores = sorted(os.sched_getaffinity(0))
    return set(cores[:1]) if len(cores) > 1 else set()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None, "it was opened with pipes"
    return pipe
