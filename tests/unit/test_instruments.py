"""Which metrics there are, under which names; tests/calls/metrics has what calls record."""

from __future__ import annotations

from livekit.plugins.cartesia_turns.core.events import Notice
from livekit.plugins.cartesia_turns.core.measures import EndedBy, Measures
from opentelemetry.sdk.metrics.export import NumberDataPoint
from support.metrics import Recorded


def test_every_counter_is_0_before_anything_happens_with_each_value_of_its_attribute() -> None:
    recorded = Recorded()
    recorded.instruments.start()
    points = [(name, point) for name, metric in recorded.metrics.items() for point in metric.data.data_points]
    assert {point.value for _, point in points if isinstance(point, NumberDataPoint)} == {0}
    assert sorted((name, *(point.attributes or {}).values()) for name, point in points) == sorted(
        [
            ("reconnects",),
            ("lost_audio",),
            ("eager_ends", "ended"),
            ("eager_ends", "resumed"),
            *(("turns", ended_by.value) for ended_by in EndedBy),
            *(("cut_offs", ended_by.value) for ended_by in EndedBy),
            *(("notices", notice.name.lower()) for notice in Notice),
        ]
    )


def test_a_second_stream_sets_nothing_back() -> None:
    recorded = Recorded()
    recorded.instruments.start()
    recorded.instruments.turn_ended(Measures(EndedBy.SERVER))
    recorded.instruments.start()
    assert recorded.counts("turns") == {"server": 1}


def test_a_turn_is_recorded_with_what_is_known_of_it() -> None:
    recorded = Recorded()
    recorded.instruments.turn_ended(Measures(EndedBy.PLUGIN))
    assert recorded.counts("turns") == {"plugin": 1}
    assert recorded.metrics.keys() == {"turns"}
    recorded.instruments.turn_ended(Measures(EndedBy.SERVER, 0.5, 0.25, 2, EndedBy.PLUGIN))
    assert recorded.counts("turns") == {"plugin": 1, "server": 1}
    assert recorded.counts("cut_offs") == {"plugin": 1}
    assert recorded.counts("eager_ends") == {"resumed": 2, "ended": 1}
    assert recorded.histogram("end_delay") == {"server": (1, 0.5)}
    assert recorded.histogram("eager_lead") == {"server": (1, 0.25)}
