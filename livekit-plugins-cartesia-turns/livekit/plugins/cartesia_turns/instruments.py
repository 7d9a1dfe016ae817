"""OpenTelemetry's instruments: histograms and counters of turns, and counters of what went wrong.

No instrument is used while audio comes in: a stream records when a turn or a socket ends, and at a notice. The
attributes have few values, and never an id, a text or a key.
"""

from __future__ import annotations

from opentelemetry import metrics

from .core.events import Notice
from .core.measures import EndedBy, Measures

NAMESPACE = "cartesia_turns"
"""What the names of metrics, spans and their attributes begin with."""

END_DELAY_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0)
EAGER_LEAD_S = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
REPLAYED_S = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 60.0)
"""The bounds of the histograms' buckets. They are narrow where a user notices the difference."""

PROVED_RIGHT = {"outcome": "ended"}
WENT_ON = {"outcome": "resumed"}
"""What became of an eager end."""


class Instruments:
    """The instruments of a process; without a meter provider they do nothing.

    Args:
        meter: makes them.
    """

    def __init__(self, meter: metrics.Meter) -> None:
        count, measure = meter.create_counter, meter.create_histogram
        self.reconnects = count(f"{NAMESPACE}.reconnects", "{socket}", "Sockets opened after a stream's first")
        self.notices = count(f"{NAMESPACE}.notices", "{notice}", "What went wrong and was mended, by `kind`")
        self.lost_audio = count(f"{NAMESPACE}.lost_audio", "s", "Audio dropped unsent, or not there to be replayed")
        self.turns = count(f"{NAMESPACE}.turns", "{turn}", "Turns with words that ended")
        self.cut_offs = count(f"{NAMESPACE}.cut_offs", "{turn}", "Turns after whose end the user went on at once")
        self.eager_ends = count(f"{NAMESPACE}.eager_ends", "{eager_end}", "Eager ends, by `outcome`")
        self.end_delay = measure(
            f"{NAMESPACE}.end_delay",
            "s",
            "From the end of the speech to the end of the turn",
            explicit_bucket_boundaries_advisory=END_DELAY_S,
        )
        self.eager_lead = measure(
            f"{NAMESPACE}.eager_lead",
            "s",
            "From an eager end that proved right to the end of the turn",
            explicit_bucket_boundaries_advisory=EAGER_LEAD_S,
        )
        self.replayed_audio = measure(
            f"{NAMESPACE}.replayed_audio",
            "s",
            "Audio sent again in a turn, since a socket was lost",
            explicit_bucket_boundaries_advisory=REPLAYED_S,
        )

    def start(self) -> None:
        """A stream begins: every counter is there from now on.

        Prometheus sees no increase in a counter whose first value is not 0.
        """
        for counter in (self.reconnects, self.lost_audio):
            counter.add(0)
        for notice in Notice:
            self.notices.add(0, kind_of(notice))
        for ended_by in EndedBy:
            self.turns.add(0, attributes_of(ended_by))
            self.cut_offs.add(0, attributes_of(ended_by))
        for outcome in (PROVED_RIGHT, WENT_ON):
            self.eager_ends.add(0, outcome)

    def turn_ended(self, measures: Measures) -> None:
        """A turn with words ended."""
        attributes = attributes_of(measures.ended_by)
        self.turns.add(1, attributes)
        if measures.cut_off is not None:
            self.cut_offs.add(1, attributes_of(measures.cut_off))
        if measures.resumes:
            self.eager_ends.add(measures.resumes, WENT_ON)
        if measures.end_delay_s is not None:
            self.end_delay.record(measures.end_delay_s, attributes)
        if measures.eager_lead_s is not None:
            self.eager_ends.add(1, PROVED_RIGHT)
            self.eager_lead.record(measures.eager_lead_s, attributes)


def kind_of(notice: Notice) -> dict[str, str]:
    """The attributes of a notice."""
    return {"kind": notice.name.lower()}


def attributes_of(ended_by: EndedBy) -> dict[str, str]:
    """The attributes of a turn."""
    return {"ended_by": ended_by.value}
