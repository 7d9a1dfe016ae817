"""What was measured, and the statistics of it: medians of rounds, ratios within a round, and how much is noise."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

OURS = "this plugin"
OFFICIAL = "livekit-plugins-cartesia"
OFFICIAL_AT_FRAMES = "livekit-plugins-cartesia, frames"
"""The official plugin with audio pieces as long as a frame, as this plugin sends them."""
FLOOR = "bare websocket"
"""An aiohttp websocket that sends each frame and parses each message, and nothing else."""
NOTHING = "nothing"
"""The harness alone: frames are pushed nowhere."""
CONTESTANTS = (OURS, OFFICIAL, OFFICIAL_AT_FRAMES, FLOOR, NOTHING)
PEERS = (FLOOR, OFFICIAL_AT_FRAMES, OFFICIAL)
"""What this plugin is compared with."""


@dataclass
class Figure:
    """One row: what was measured of each contestant, a value for each round.

    All figures are costs, so that less is better, but those that say otherwise.
    """

    scale: str
    name: str
    """With its unit."""
    more_is_better: bool = False
    harness_in_it: bool = False
    """What the harness alone takes is in the values, and is to be taken off."""
    values: dict[str, list[float]] = field(default_factory=dict)

    def net(self, contestant: str) -> list[float]:
        """What it took each round, less what the harness alone took."""
        values = self.values.get(contestant, [])
        harness = self.values.get(NOTHING)
        if harness is None or contestant == NOTHING or not self.harness_in_it:
            return values
        return [value - own for value, own in zip(values, harness, strict=False)]

    def median(self, contestant: str) -> float:
        """Of the rounds; nan where there is none."""
        values = self.net(contestant)
        return statistics.median(values) if values else math.nan

    def ratios(self, contestant: str, peer: str) -> list[float]:
        """How many times the peer's each round was. A round in which the peer took nothing has no ratio."""
        pairs = zip(self.net(contestant), self.net(peer), strict=False)
        return [value / other for value, other in pairs if other > 0]

    def ratio(self, contestant: str, peer: str) -> float:
        """The median of the ratios; nan where there is none."""
        ratios = self.ratios(contestant, peer)
        return statistics.median(ratios) if ratios else math.nan

    def noise(self, contestant: str) -> float:
        """How far a contestant is from itself: the median distance of a round to the median one, as a part of that."""
        values, middle = self.net(contestant), self.median(contestant)
        if len(values) < 2 or middle <= 0:
            return 0.0
        return statistics.median(abs(value / middle - 1) for value in values)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median, and the least and the greatest behind it."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which this part of all values lies, between the two next to it.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("there is no value to take a quantile of")
    ordered = sorted(values)
    at = part * (len(ordered) - 1)
    below = math.floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """How cost grows: the power of the size that fits it best; 1 is linear, 2 quadratic.

    Raises:
        ValueError: there are less than two sizes, or one of the numbers is not above zero.
    """
    if len(sizes) < 2 or min(*sizes, *costs) <= 0:
        raise ValueError("growth needs two sizes and costs above zero")
    slope, _ = statistics.linear_regression([math.log(size) for size in sizes], [math.log(cost) for cost in costs])
    return slope
