"""What the plugin's instruments recorded."""

from __future__ import annotations

from collections.abc import Mapping

from livekit.plugins.cartesia_turns.instruments import NAMESPACE, Instruments
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    MetricReader,
    NumberDataPoint,
)


class Recorded:
    """Instruments of a provider of their own, and what they recorded.

    Args:
        readers: that read the same beside this.
    """

    def __init__(self, *readers: MetricReader) -> None:
        self._reader = InMemoryMetricReader()
        provider = MeterProvider([self._reader, *readers], shutdown_on_exit=False)
        self.instruments = Instruments(provider.get_meter("livekit.plugins.cartesia_turns"))

    @property
    def metrics(self) -> dict[str, Metric]:
        """Each metric by its name, without the namespace."""
        data = self._reader.get_metrics_data()
        found = [] if data is None else data.resource_metrics[0].scope_metrics[0].metrics
        return {metric.name.removeprefix(f"{NAMESPACE}."): metric for metric in found}

    def counts(self, name: str) -> dict[str, float]:
        """The values of a counter by its attribute, those that are 0 left out."""
        points = self._points(name).items()
        return {value: point.value for value, point in points if isinstance(point, NumberDataPoint) and point.value}

    def histogram(self, name: str) -> dict[str, tuple[int, float]]:
        """How many values a histogram has and their sum, by its attribute."""
        points = self._points(name).items()
        return {value: (point.count, point.sum) for value, point in points if isinstance(point, HistogramDataPoint)}

    def _points(self, name: str) -> dict[str, object]:
        metric = self.metrics.get(name)
        points = metric.data.data_points if metric else ()
        return {_only(point.attributes or {}): point for point in points}


def _only(attributes: Mapping[str, object]) -> str:
    """The value of the only attribute, or nothing."""
    (value,) = attributes.values() or ("",)
    return str(value)
