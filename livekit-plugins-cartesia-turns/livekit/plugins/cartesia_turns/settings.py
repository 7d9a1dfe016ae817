"""Reads and checks what a user passes to an STT, and holds the settings of its streams. Settings are immutable.

A value that can't be right is refused, and the error says what is allowed. The options of connections are in
`wire.options`.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import aiohttp
from livekit.agents import LanguageCode, utils
from livekit.agents.types import NotGivenOr

from .core.backoff import RetryPolicy
from .core.requests import Limits
from .net.dialer import Credentials, TokenProvider
from .wire.checks import (
    check_flag,
    check_number,
    check_positive,
    check_text,
    check_texts,
    check_whole,
    is_number,
    shown,
)
from .wire.messages import TurnSettings
from .wire.options import Options, merge, whole
from .wire.vendor import LISTED_AS

if TYPE_CHECKING:
    from .recording import Recorder

T = TypeVar("T")

RECORD_VARIABLE = "CARTESIA_TURNS_RECORD"
"""The environment variable that names the folder for recordings."""

TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
"""The form of a language tag (https://www.rfc-editor.org/info/bcp47) as the framework writes it, with hyphens."""
CHUNKS_MS = (10, 200)
"""How short and how long pieces of audio may be. No frame of a call is shorter. A longer piece would delay its words,
and the pings that show what the server has received, by its length."""
LEAST_BUFFER_S = 1.0
"""With less than this, the first words would be dropped before a socket is open."""
MOST_REPLIES = 1000
"""The most speculative replies that a turn may cost: more than any turn has sentences."""
MANY_RETRIES = 3
"""The framework's default. A caller that sets fewer retries wants to hear of failures soon, as FallbackAdapter does to
switch to the next STT."""


def turn_settings(
    start_threshold: NotGivenOr[float | None],
    eager_end_threshold: NotGivenOr[float | None],
    end_threshold: NotGivenOr[float | None],
    end_timeout_ms: NotGivenOr[int | None],
) -> TurnSettings:
    """The turn settings, None for those that are not given."""
    timeout_ms = whole(given(end_timeout_ms))
    return TurnSettings(given(start_threshold), given(eager_end_threshold), given(end_threshold), timeout_ms)


def changed(
    base: Options,
    turn: TurnSettings,
    keyterm: NotGivenOr[str | Sequence[str] | None],
    language_hints: NotGivenOr[Sequence[str] | None],
) -> Options:
    """The options with these settings in place of their own. What is not given stays as it is.

    Raises:
        ValueError: one of them can't be right, or they do not fit together. The text names the argument.
    """
    keyterms = terms(given(keyterm)) if utils.is_given(keyterm) else base.keyterms
    hints = base_codes(given(language_hints)) if utils.is_given(language_hints) else base.language_hints
    return replace(base, turn=merge(base.turn, turn), keyterms=keyterms, language_hints=hints)


def given(value: NotGivenOr[T | None]) -> T | None:
    """The value; None if it is not given."""
    return value if utils.is_given(value) else None


def credentials(api_key: str | None, access_token: str | TokenProvider | None) -> Credentials:
    """The credentials of the arguments, else those of the environment.

    Raises:
        ValueError: there is neither a key nor a token, or both, since it can't be told then which one is meant.
    """
    if api_key not in (None, "") and access_token not in (None, ""):
        raise ValueError("api_key and access_token are both given: pass one of them")
    return Credentials.resolve(api_key, access_token)


def check_same(name: str, value: NotGivenOr[T], now: T) -> None:
    """Refuses another value for an option that a running STT can't change.

    Raises:
        ValueError: it is another value.
    """
    if utils.is_given(value) and value != now:
        raise ValueError(f"{name} can't be changed from {now!r} to {shown(value)} on a running STT: make a new STT")


def terms(keyterm: str | Sequence[str] | None) -> tuple[str, ...]:
    """One term or several as a tuple.

    Raises:
        ValueError: it is neither a string nor a list of strings.
    """
    if keyterm is None or isinstance(keyterm, str):
        return () if keyterm is None else (keyterm,)
    check_texts("keyterm", "term", keyterm)
    return tuple(keyterm)


def base_codes(hints: Sequence[str] | None) -> tuple[str, ...]:
    """Language hints as the server takes them: base codes, each once. `["pt-BR", "english"]` becomes `("pt", "en")`.

    Raises:
        ValueError: it is neither a string nor a list of strings, or one of them is no language tag.
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
    """A recorder for the folder that the environment names; None if it names none."""
    folder = os.environ.get(RECORD_VARIABLE)
    if not folder:
        return None
    from .recording import Recorder  # noqa: PLC0415  # importing it takes time, which only recording should cost

    return Recorder(folder)


def language_tag(language: str | None) -> LanguageCode | None:
    """A language tag as the framework writes it: `EN_us` and `english` become `en-US` and `en`.

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


@dataclass(frozen=True, slots=True)
class StreamSettings(Limits):
    """The arguments of `STT` that a stream uses itself, and those that its client uses: the limits.

    The limits have their units in their names: `buffer_s` is the STT's `max_buffer`.

    Raises:
        ValueError: one of them can't be right. The text names the argument, its value and what is allowed.
    """

    outage_timeout: float | None = None
    """In seconds."""
    audio_chunk_duration_ms: int | None = None
    speech_end_time: bool = True
    manual_flush: bool = True
    http_session: aiohttp.ClientSession | None = None
    recorder: Recorder | None = None

    def __post_init__(self) -> None:
        check_positive("watchdog_min_timeout", self.watchdog_min_timeout_s)
        check_positive("max_buffer", self.buffer_s)
        if self.buffer_s < LEAST_BUFFER_S:
            raise ValueError(f"max_buffer={self.buffer_s} is out of range: it must be {LEAST_BUFFER_S} s or more")
        if self.outage_timeout is not None:
            _check_outage_timeout(self.outage_timeout)
        if self.audio_chunk_duration_ms is not None:
            check_whole("audio_chunk_duration_ms", self.audio_chunk_duration_ms, *CHUNKS_MS, "milliseconds")
        check_flag("speech_end_time", self.speech_end_time)
        check_flag("manual_flush", self.manual_flush)
        check_whole("early_preflight", self.early_preflight, 0, MOST_REPLIES, "replies")
        check_number("catch_up_speed", self.catch_up_speed)
        if self.catch_up_speed < 1:
            raise ValueError(f"catch_up_speed={shown(self.catch_up_speed)} is out of range: it must be 1 or more")
        if not isinstance(self.http_session, aiohttp.ClientSession | None):
            raise ValueError(f"http_session={shown(self.http_session)} is not an aiohttp.ClientSession")
        # The Recorder class is imported only if calls are recorded, so this can't ask for an instance of it.
        if self.recorder is not None and not hasattr(self.recorder, "begin"):
            raise ValueError(f"recorder={shown(self.recorder)} is not a Recorder")

    def retry_policy(self, max_retry: int) -> RetryPolicy:
        """The rules by which a stream tries again or gives up.

        Args:
            max_retry: how many retries the framework asks for. If the user gives an `outage_timeout`, only that counts.
        """
        if self.outage_timeout is not None:
            return RetryPolicy(0, self.outage_timeout)
        return RetryPolicy(max_retry, self.buffer_s if max_retry >= MANY_RETRIES else 0.0)


def _check_outage_timeout(value: float) -> None:
    if value != math.inf and (not is_number(value) or value < 0):
        raise ValueError(f"outage_timeout={shown(value)} is out of range: it must be 0 or more seconds, or None")
