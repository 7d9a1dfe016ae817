"""What a server takes and what it uses where nothing is given: the vendor's numbers of some day, or your own. Pure.

LocalServer()                                        # as the vendor is known today
LocalServer(vendor="2026-05")                        # as it was known in May 2026
LocalServer(vendor=Vendor(turn_defaults=TurnSettings(0.7, 0.5, 0.1, 1000)))
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from ..wire.messages import TurnSettings
from ..wire.options import complete, merge
from ..wire.vendor import (
    IDLE_CLOSE_S,
    KEYTERMS,
    LANGUAGE_HINTS,
    MODELS,
    READ,
    TURN_DEFAULTS,
    TURN_RANGES,
    ListLimits,
    Model,
    Range,
    as_of,
)

_DAY_OR_MONTH = re.compile(r"\d{4}-\d{2}(-\d{2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Vendor:
    """Cartesia's defaults, limits and models, as the local server applies them.

    Raises:
        ValueError: one of `turn_defaults` is missing, or they are out of order.

    Attributes:
        when: the day or month in ISO 8601; it selects the languages of the models.
        turn_defaults: the defaults of the turn settings; none of them is None.
        turn_ranges: the accepted values, by the name of the turn setting.
        models: the available models, by name.
        keyterms: the limits on key terms.
        language_hints: the limits on language hints.
        live_keyterms: every model takes key terms by `config`. The vendor's pages disagree about ink-2 (read
            2026-11-25); False refuses them where the model's `changes_lists` is False.
        idle_close_s: seconds without a message after which a socket is closed.
    """

    when: str = READ
    turn_defaults: TurnSettings = TURN_DEFAULTS[0].value
    turn_ranges: Mapping[str, Range] = field(default_factory=lambda: TURN_RANGES[0].value)
    models: Mapping[str, Model] = field(default_factory=lambda: MODELS)
    keyterms: ListLimits = KEYTERMS.value
    language_hints: ListLimits = LANGUAGE_HINTS.value
    live_keyterms: bool = False
    idle_close_s: float = IDLE_CLOSE_S.value

    def __post_init__(self) -> None:
        in_order(self.turn_defaults)

    @classmethod
    def of(cls, when: str) -> Vendor:
        """The vendor as it was known on a day or in a month, such as "2026-05", or as it is known "today".

        Raises:
            ValueError: not a day or month in ISO 8601, or one of which nothing is known.
        """
        if when == "today":
            return cls()
        if not _is_day_or_month(when):
            raise ValueError(f"vendor={when!r} is not a day or month: it must be like 2026-05 or 2026-08-14, or today")
        if when < (oldest := TURN_DEFAULTS[-1].since):
            raise ValueError(f"vendor={when!r} is too early: the oldest known numbers are those of {oldest}")
        return cls(
            when=when,
            turn_defaults=as_of(TURN_DEFAULTS, when).value,
            turn_ranges=as_of(TURN_RANGES, when).value,
            models={name: model for name, model in MODELS.items() if model.languages[-1].since <= when},
        )

    def model(self, name: str) -> Model:
        """The model of this name.

        Raises:
            ValueError: it is not served.
        """
        if name not in self.models:
            raise ValueError(f"model={name!r} is not served: it must be one of {', '.join(self.models)}")
        return self.models[name]

    def changed(self, turn: TurnSettings, change: TurnSettings) -> TurnSettings:
        """The turn settings after a change to settings that are whole.

        Raises:
            ValueError: a value is out of range, or the thresholds are out of order after it.
        """
        for name, taken in self.turn_ranges.items():
            value = getattr(change, name)
            if value is not None and value not in taken:
                raise ValueError(f"turn_{name}={value!r} is out of range: it must be from {taken}")
        return in_order(merge(turn, change))

    def check_keyterms(self, terms: Sequence[str]) -> None:
        """Checks the limits on key terms.

        Raises:
            ValueError: too many terms or characters, or an empty term.
        """
        _check_limits("keyterm", terms, self.keyterms)
        if not all(term.strip() for term in terms):
            raise ValueError("keyterm has an empty term: each must have at least one character")

    def check_language_hints(self, model: Model, hints: Sequence[str]) -> None:
        """Checks that this model takes these language hints.

        Raises:
            ValueError: it takes none, too many are given, or one is not a base code of its languages.
        """
        if hints and not model.takes_hints:
            raise ValueError(f"language_hint is not supported by the model {model.name}")
        _check_limits("language_hint", hints, self.language_hints)
        known = as_of(model.languages, self.when).value
        for hint in hints:
            if hint not in known:
                raise ValueError(f"language_hint={hint!r} is not a language of {model.name}: it must be a base code")


def _is_day_or_month(when: str) -> bool:
    if not _DAY_OR_MONTH.fullmatch(when):
        return False
    year, month, *day = map(int, when.split("-"))
    try:
        date(year, month, *(day or [1]))
    except ValueError:
        return False
    return True


def in_order(turn: TurnSettings) -> TurnSettings:
    """The same settings, where all are given and their thresholds are in order.

    Raises:
        ValueError: one is missing, or they are not in order.
    """
    whole = complete(turn)
    start, eager_end, end = whole.start_threshold, whole.eager_end_threshold, whole.end_threshold
    if not start > eager_end > end:
        raise ValueError(
            f"turn_start_threshold={start} > turn_eager_end_threshold={eager_end} > turn_end_threshold={end}"
            " must hold; a threshold that is not given has the server's default"
        )
    return turn


def _check_limits(name: str, items: Sequence[str], limits: ListLimits) -> None:
    if len(items) > limits.items:
        raise ValueError(f"{name} has {len(items)} terms: at most {limits.items} are allowed")
    characters = sum(map(len, items))
    if limits.characters is not None and characters > limits.characters:
        raise ValueError(f"{name} has {characters} characters in all: at most {limits.characters} are allowed")
