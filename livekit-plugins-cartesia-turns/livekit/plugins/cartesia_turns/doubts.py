"""Options that the vendor's server is not known to take: the user is warned, and they are sent all the same.

The vendor changes what it takes without notice, so only the server can refuse them. See `vendor` for the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .wire.messages import TurnSettings
from .wire.options import THRESHOLDS, Options, in_order, merge
from .wire.vendor import LANGUAGE_HINTS, MODELS, READ, TURN_DEFAULTS, TURN_RANGES, Known


@dataclass(frozen=True, slots=True)
class Doubt:
    """An option that the server is not known to take.

    Attributes:
        text: what is doubtful: a static text for the log.
        option: the name of the argument, or of several.
        value: the value that was given.
        known: the values that the server is known to take.
        since: the date of that knowledge, in ISO 8601.
        source: the address where it is said.
    """

    text: str
    option: str
    value: str
    known: str
    since: str
    source: str

    @property
    def details(self) -> dict[str, str]:
        """All fields except the text, for the `extra` of a log record."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "text"}


OUT_OF_RANGE = "an option is outside the range that the server is known to accept; it is sent anyway"
OUT_OF_ORDER = "the thresholds are out of order compared with the server's known defaults; they are sent anyway"
UNKNOWN_MODEL = "the model is unknown; it is requested anyway"
UNKNOWN_LANGUAGE = "the model is not known to support the language; the transcripts are labelled with it anyway"
UNKNOWN_HINT = "the model is not known to support a language hint; it is sent anyway"
TOO_MANY_HINTS = "there are more language hints than the server is known to accept; they are sent anyway"
NO_HINTS = "the model is not known to accept language hints; they are sent anyway"


def doubts(options: Options, language: str | None = None) -> Iterator[Doubt]:
    """Yields a doubt for each of these options that the server is not known to take.

    Args:
        options: what a connection is opened with.
        language: the base code of the language that the user is expected to speak, if one is given.
    """
    yield from turn_doubts(options.turn)
    model = MODELS.get(options.model)
    if model is None:
        yield Doubt(UNKNOWN_MODEL, "model", options.model, ", ".join(MODELS), READ, MODELS["ink-2"].source)
        return
    heard = model.languages[0]
    if language is not None and language not in heard.value:
        yield Doubt(UNKNOWN_LANGUAGE, "language", language, ", ".join(heard.value), heard.since, heard.source)
    if options.language_hints and not model.takes_hints:
        takers = ", ".join(name for name, other in MODELS.items() if other.takes_hints)
        yield Doubt(NO_HINTS, "language_hints", ", ".join(options.language_hints), takers, model.since, model.source)
    else:
        yield from _hint_doubts(options.language_hints, heard)


def _hint_doubts(hints: tuple[str, ...], heard: Known[tuple[str, ...]]) -> Iterator[Doubt]:
    limit = LANGUAGE_HINTS
    if len(hints) > limit.value.items:
        known = f"at most {limit.value.items}"
        yield Doubt(TOO_MANY_HINTS, "language_hints", ", ".join(hints), known, limit.since, limit.source)
    if unknown := [code for code in hints if code not in heard.value]:
        known = ", ".join(heard.value)
        yield Doubt(UNKNOWN_HINT, "language_hints", ", ".join(unknown), known, heard.since, heard.source)


def turn_doubts(turn: TurnSettings) -> Iterator[Doubt]:
    """Yields turn settings outside their known range; if none are, thresholds out of order with known defaults."""
    ranges, defaults = TURN_RANGES[0], TURN_DEFAULTS[0]
    outside = [
        Doubt(OUT_OF_RANGE, f"turn_{name}", str(value), str(known), ranges.since, ranges.source)
        for name, known in ranges.value.items()
        if (value := getattr(turn, name)) is not None and value not in known
    ]
    yield from outside
    whole = merge(defaults.value, turn)
    if not outside and not in_order(whole):
        given = [name for name in THRESHOLDS if getattr(turn, name) is not None]
        yield Doubt(
            OUT_OF_ORDER,
            ", ".join(f"turn_{name}" for name in given),
            ", ".join(str(getattr(turn, name)) for name in given),
            " > ".join(f"turn_{name}={getattr(defaults.value, name)}" for name in THRESHOLDS) + " by default",
            defaults.since,
            defaults.source,
        )
