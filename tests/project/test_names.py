"""A number has a name of its own, so that a reader who knows it from one module is not wrong in another."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "livekit-plugins-cartesia-turns/livekit/plugins/cartesia_turns"
CONSTANTS = re.compile(r"^ *((?:[A-Z][A-Z0-9_]*, )*[A-Z][A-Z0-9_]*)(?:: \w+)? = ([-0-9._, ]+)$", re.MULTILINE)
"""One constant or several, and their numbers."""


def test_no_two_numbers_have_one_name() -> None:
    values: dict[str, set[float]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        for names, numbers in CONSTANTS.findall(path.read_text()):
            for name, number in zip(names.split(", "), numbers.split(", "), strict=True):
                values[name].add(float(number))
    assert len(values) > 100
    assert {name: found for name, found in values.items() if len(found) > 1} == {}
