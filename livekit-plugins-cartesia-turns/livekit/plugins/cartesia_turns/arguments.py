"""The arguments of an STT: read, checked, and refused with what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TypeVar

from livekit.agents import LanguageCode, stt, utils
from livekit.agents.types import NotGivenOr

from .messages import TurnSettings
from .options import MODEL

T = TypeVar("T")


def turn_settings(
    start_threshold: NotGivenOr[float | None],
    eager_end_threshold: NotGivenOr[float | None],
    end_threshold: NotGivenOr[float | None],
    end_timeout_ms: NotGivenOr[int | None],
) -> TurnSettings:
    """The turn settings that are given."""
    return TurnSettings(given(start_threshold), given(eager_end_threshold), given(end_threshold), given(end_timeout_ms))


def capabilities(*, manual_flush: bool) -> stt.STTCapabilities:
    """What the plugin can do, as far as the framework installed knows of it."""
    # Older versions of the framework have neither of these.
    known = {field.name for field in fields(stt.STTCapabilities)}
    newer = {"keyterms": True, "manual_flush": manual_flush}
    return stt.STTCapabilities(
        streaming=True,
        interim_results=True,
        offline_recognize=False,
        **{name: value for name, value in newer.items() if name in known},  # type: ignore[arg-type]  # by name
    )


def given(value: NotGivenOr[T | None]) -> T | None:
    """The value, None where it is not given."""
    return value if utils.is_given(value) else None


def terms(keyterm: Sequence[str] | None) -> tuple[str, ...]:
    """One term or several as a tuple."""
    return (keyterm,) if isinstance(keyterm, str) else tuple(keyterm or ())


def is_english(language: str) -> bool:
    """Whether this is English of any region."""
    return LanguageCode(language).language == "en"


def check_language(language: str | None) -> None:
    """Refuses what the model does not hear.

    Raises:
        ValueError: not English.
    """
    if language is not None and not is_english(language):
        raise ValueError(f"language={language!r} is not supported: {MODEL} hears English only ('en')")


def check_model(model: str) -> None:
    """Refuses a model that detects no turns.

    Raises:
        ValueError: ink-whisper.
    """
    if model.startswith("ink-whisper"):
        raise ValueError(f"model={model!r} has no turn detection: use {MODEL!r}, or livekit-plugins-cartesia")
