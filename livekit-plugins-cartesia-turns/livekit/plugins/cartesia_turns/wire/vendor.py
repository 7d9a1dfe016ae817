"""What is known of the vendor's server, as data with dates. No other module holds such numbers.

The vendor changes its numbers without a new API version, so none of them decides what a user may ask for: a value that
is not known here is sent with a warning. Read the current numbers by their names, and earlier ones with `as_of`:

    TURN_DEFAULTS, TURN_RANGES          histories, newest first: what the server uses, and takes, for turn settings
    MODELS                              the models by name; the languages of each are a history too
    PRESETS                             the vendor's named turn settings
    KEYTERMS, LANGUAGE_HINTS            limits
    PLAN_STREAMS, IDLE_CLOSE_S          open sockets of each plan, and when the server closes an idle one
    API_VERSIONS                        versions that are known to work, newest last

    TURN_DEFAULTS[0].value.end_threshold        # what is known today
    as_of(TURN_DEFAULTS, "2026-05").value       # what was known in May 2026
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeAlias, TypeVar

from .messages import TurnSettings

T = TypeVar("T")

READ = "2026-11-25"
"""The day on which all the sources were last read. It is the date of each source that has none of its own."""

_DOCS = "https://docs.cartesia.ai"
_WEBSOCKET = f"{_DOCS}/api-reference/stt/turns/websocket"
_TURNS = f"{_DOCS}/use-the-api/stt/turns"
_KEYTERMS = f"{_DOCS}/use-the-api/stt/keyterms"
_LANGUAGES = f"{_DOCS}/use-the-api/stt/languages"
_MODELS = f"{_DOCS}/build-with-cartesia/stt-models/latest"
_LIMITS = f"{_DOCS}/use-the-api/concurrency-limits-and-timeouts"
_ERRORS = f"{_DOCS}/use-the-api/api-errors"
_CLIENTS = "https://github.com/pipecat-ai/pipecat and https://github.com/livekit/agents"


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A fact about the vendor.

    Attributes:
        value: the fact.
        source: the address where it is said.
        since: the day or month of the source in ISO 8601, or `READ` where the source has no date.
    """

    value: T
    source: str
    since: str


History: TypeAlias = tuple[Known[T], ...]
"""What was known of one thing at different times, newest first. It is never empty."""


def as_of(history: History[T], when: str) -> Known[T]:
    """What was known at a time.

    Args:
        history: one of this module's.
        when: a day or a month in ISO 8601. A month means the time before its first day, but includes a source whose
            date is that month alone.

    Returns:
        The newest entry that is not later, or the oldest one if all are later.
    """
    return next((known for known in history if known.since <= when), history[-1])


@dataclass(frozen=True, slots=True)
class Range:
    """The values that the server is known to take, both ends included."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"


TURN_DEFAULTS: History[TurnSettings] = (
    Known(TurnSettings(0.8, 0.6, 0.3, 5600), _WEBSOCKET, "2026-08-14"),
    Known(TurnSettings(0.8, 0.4, 0.2, 5600), _TURNS, "2026-05"),
)
"""What the server uses for a turn setting that is not given. Clients of the vendor still disagree on these."""

_EARLIER_RANGES = {
    "start_threshold": Range(0.5, 0.9),
    "eager_end_threshold": Range(0.3, 0.6),
    "end_threshold": Range(0.05, 0.5),
    "end_timeout_ms": Range(640, 11200),
}

TURN_RANGES: History[Mapping[str, Range]] = (
    Known(MappingProxyType({**_EARLIER_RANGES, "eager_end_threshold": Range(0.3, 0.8)}), _WEBSOCKET, "2026-08-14"),
    Known(MappingProxyType(_EARLIER_RANGES), _TURNS, "2026-05"),
)
"""The range of each turn setting, by its name in `TurnSettings`."""

PRESETS: Known[Mapping[str, TurnSettings]] = Known(
    MappingProxyType(
        {
            "balanced": TurnSettings(0.8, 0.6, 0.3, 5600),
            "responsive": TurnSettings(0.7, 0.6, 0.4, 4500),
            "patient": TurnSettings(0.8, 0.3, 0.1, 8000),
        }
    ),
    _CLIENTS,
    "2026-10",
)
"""The vendor's named starting points, as two clients quote them."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the turn endpoint.

    Attributes:
        name: as the `model` parameter has it.
        languages: the base codes of the languages that it hears.
        takes_hints: it takes language hints. Other models answer them with an error.
        tells_languages: its `turn.end` says which languages it heard.
        changes_lists: a `config` may change its key terms and language hints on an open socket.
        source: the address where the last three are said.
        since: its date, as in `Known`.
    """

    name: str
    languages: History[tuple[str, ...]]
    takes_hints: bool
    tells_languages: bool
    changes_lists: bool
    source: str = _LANGUAGES
    since: str = READ


# Our copy of the page with the 44 languages ends before the table does. The codes up to `gu` in its first column and up
# to `sv` in its second were read. The others (`he` to `ko` and `ta` to `vi`) follow from its alphabetical order, its
# count and the languages of the vendor's speech models, and are less sure.
_FORTY_FOUR = """
    ar bn bg yue cs da nl en fi fr ka de el gu he hi hu id it ja kn ko
    ms ml zh mr no or pl pt pa ro ru sk es sv tl ta te th tr uk ur vi
"""

MODELS: Mapping[str, Model] = MappingProxyType(
    {
        "ink-2": Model(
            "ink-2",
            (
                Known(("en", "fr", "hi", "ja", "es"), _LANGUAGES, READ),
                Known(("en",), _MODELS, "2026-05"),
            ),
            takes_hints=False,
            tells_languages=False,
            changes_lists=False,
        ),
        "ink-preview": Model(
            "ink-preview",
            (Known(tuple(_FORTY_FOUR.split()), _LANGUAGES, READ),),
            takes_hints=True,
            tells_languages=True,
            changes_lists=True,
        ),
    }
)
"""The models of the turn endpoint. There may be others. Trials in September 2026 still found `ink-2` English only."""

LISTED_AS: Mapping[str, str] = MappingProxyType({"nb": "no", "nn": "no", "fil": "tl"})
"""Languages that the vendor's table has under another code: Bokmål, Nynorsk and Filipino."""

MODEL = "ink-2"
"""The default model."""


@dataclass(frozen=True, slots=True)
class ListLimits:
    """How long a list of terms or codes may be; `characters` counts those of all items."""

    items: int
    characters: int | None = None


KEYTERMS: Known[ListLimits] = Known(ListLimits(100, 1200), _KEYTERMS, READ)
"""The limits on key terms."""

LANGUAGE_HINTS: Known[ListLimits] = Known(ListLimits(6), _LANGUAGES, READ)
"""The limits on language hints, which are base codes: `pt`, not `pt-BR`."""

PLAN_STREAMS: Known[Mapping[str, int]] = Known(
    MappingProxyType({"Free": 8, "Pro": 12, "Startup": 20, "Scale": 60}), _LIMITS, READ
)
"""How many sockets may be open under each plan, idle ones included. The server answers one more with 429."""

IDLE_CLOSE_S: Known[float] = Known(180.0, _LIMITS, READ)
"""After how many seconds without audio the server closes a socket, with 1001; clients saw 180.1 s."""

API_VERSIONS: Known[tuple[str, ...]] = Known(("2026-03-01", "2026-08-14"), _ERRORS, READ)
"""Versions of the API whose errors are JSON. No difference between them in speech-to-text is known."""

API_VERSION = API_VERSIONS.value[0]
"""The default version."""
