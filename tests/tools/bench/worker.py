"""The process of one contestant in one round: reads jobs, does them, tells what it measured. Started by runner.py.

A line on the standard input is `{"scale": ..., "job": ..., "numbers": {...}}`, a line on the standard output the
figures by name, or `{"error": ...}`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

from .cells import Place
from .load import counting_loop
from .scales import SCALES


async def do(place: Place, scale: str, job: str, numbers: dict[str, float]) -> dict[str, Any]:
    """Does one job; whatever it fails with is told, so that the other jobs are done all the same."""
    try:
        return dict(await SCALES[scale].jobs[job](place, **numbers))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main(contestant: str, url: str) -> None:
    """Reads and answers until the input ends."""
    logging.disable(logging.CRITICAL)
    loop, wakes = counting_loop()
    asyncio.set_event_loop(loop)
    place = Place(contestant, url, wakes)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        told = loop.run_until_complete(do(place, **json.loads(line)))
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
