"""The arguments of an STT: read, checked, and refused with what is allowed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from livekit.agents import LanguageCode, utils
from livekit.agents.types import NotGivenOr

from .wire.checks import check_text, check_texts, shown
from .wire.messages import TurnSettings
from .wire.options import whole
from .wire.vendor import LISTED_AS

if TYPE_CHECKING:
    from .recording import Recorder

T = TypeVar("T")

RECORD_VARIABLE = "CARTESIA_TURNS_RECORD"
"""The environment's name for the folder that calls are recorded in."""

TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
"""The form of a language tag, https://www.rfc-editor.org/info/bcp47, with - where the framework has put it."""


def turn_settings(
    start_threshold: NotGivenOr[float | None],
    eager_end_threshold: NotGivenOr[float | None],
    end_threshold: NotGivenOr[float | None],
    end_timeout_ms: NotGivenOr[int | None],
) -> TurnSettings:
    """The turn settings that are given."""
    timeout_ms = whole(given(end_timeout_ms))
    return TurnSettings(given(start_threshold), given(eager_end_threshold), given(end_threshold), timeout_ms)


def given(value: NotGivenOr[T | None]) -> T | None:
    """The value, None where it is not given."""
    return value if utils.is_given(value) else None


def check_one_credential(api_key: object, access_token: object) -> None:
    """Refuses a key and a token together: which one is meant can't be told.

    Raises:
        ValueError: both are given.
    """
    if api_key not in (None, "") and access_token not in (None, ""):
        raise ValueError("api_key and access_token are both given: pass one of them")


def terms(keyterm: str | Sequence[str] | None) -> tuple[str, ...]:
    """One term or several as a tuple.

    Raises:
        ValueError: not a string and not a list of strings.
    """
    if keyterm is None or isinstance(keyterm, str):
        return () if keyterm is None else (keyterm,)
    check_texts("keyterm", "term", keyterm)
    return tuple(keyterm)


def base_codes(hints: Sequence[str] | None) -> tuple[str, ...]:
    """Language hints as the server takes them: base codes, each once. `["pt-BR", "english"]` becomes `("pt", "en")`.

    Raises:
        ValueError: not a string and not a list of strings, or one that is no language tag.
    """
    if hints is None:
        return ()
    hints = (hints,) if isinstance(hints, str) else hints
    check_texts("language_hints", "code", hints)
    return tuple(dict.fromkeys(base_code(_tag("language_hints", hint)) for hint in hints))


def base_code(tag: LanguageCode) -> str:
    """The code of a language as the vendor's table has it, without region and script: `nb-NO` is `no`."""
    return LISTED_AS.get(tag.language, tag.language)


def recorder_of_environment() -> Recorder | None:
    """What records calls into the folder that the environment names, None where it names none."""
    folder = os.environ.get(RECORD_VARIABLE)
    if not folder:
        return None
    from .recording import Recorder  # noqa: PLC0415  # who records nothing does not pay for it

    return Recorder(folder)


def language_tag(language: str | None) -> LanguageCode | None:
    """The language that the user expects, as the framework writes it: `EN_us` and `english` become `en-US` and `en`.

    Raises:
        ValueError: it is no language tag.
    """
    if language is None:
        return None
    check_text("language", language)
    return _tag("language", language)


def _tag(name: str, language: str) -> LanguageCode:
    tag = LanguageCode(language.strip())
    if not TAG.fullmatch(tag):
        raise ValueError(f"{name}={shown(language)} is not a language tag such as 'en' or 'pt-BR' (BCP 47)")
    return tag
