"""The part of the STT that may change while calls go on: its options, turn profiles and the language of its events."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from livekit.agents import LanguageCode, stt, utils
from livekit.agents.types import NOT_GIVEN, NotGivenOr

from .agent_session import session_of_caller
from .calls import Calls
from .doubts import doubts
from .emitter import STTEvents
from .live import CallOptions, Profile, profile_settings
from .log import logger
from .settings import base_code, changed, check_same, given, language_tag, turn_settings
from .wire.options import Options

if TYPE_CHECKING:
    from .stream import SpeechStream


class STTOptions(STTEvents):
    """The part of the STT that holds the options of its calls, and changes them for the streams that are open.

    Args:
        capabilities: what the framework may ask of the STT.
        options: what the connections are opened with until they are changed.
        language: labels the events; None stands for the default label.
    """

    def __init__(self, capabilities: stt.STTCapabilities, options: Options, language: LanguageCode | None) -> None:
        super().__init__(capabilities=capabilities)
        self._language = language
        self._calls = Calls(options)
        self._streams: weakref.WeakSet[SpeechStream] = weakref.WeakSet()
        self._warned: set[tuple[str, str]] = set()

    def update_options(
        self,
        *,
        turn_start_threshold: NotGivenOr[float] = NOT_GIVEN,
        turn_eager_end_threshold: NotGivenOr[float] = NOT_GIVEN,
        turn_end_threshold: NotGivenOr[float] = NOT_GIVEN,
        turn_end_timeout_ms: NotGivenOr[int] = NOT_GIVEN,
        keyterm: NotGivenOr[str | Sequence[str]] = NOT_GIVEN,
        language_hints: NotGivenOr[Sequence[str]] = NOT_GIVEN,
        model: NotGivenOr[str] = NOT_GIVEN,
        language: NotGivenOr[str | None] = NOT_GIVEN,
        sample_rate: NotGivenOr[int] = NOT_GIVEN,
    ) -> None:
        """Changes options of all current and future streams.

        Turn settings take effect at once, over the open connection. So do key terms and language hints with
        ink-preview. With other models key terms need a new connection, which is made between turns. If the server
        rejects a change, the STT emits `options_rejected`, and the calls continue with the previous options. Arguments
        are checked as in the constructor. `language` also relabels streams that were opened with their own language.

        Raises:
            ValueError: a value is invalid (nothing is changed then), or this option can't be changed.
        """
        base = self._calls.base
        check_same("model", model, base.model)
        check_same("sample_rate", sample_rate, base.sample_rate)
        turn = turn_settings(turn_start_threshold, turn_eager_end_threshold, turn_end_threshold, turn_end_timeout_ms)
        options = changed(base, turn, keyterm, language_hints)
        label = language_tag(given(language)) if utils.is_given(language) else self._language
        self._calls.change(options)
        if utils.is_given(language):
            self._relabel(label)
        self._warn_of(options, self._language)
        self._apply(self._calls)

    def turn_profile(self, profile: str | None = None, **settings: float) -> contextlib.AbstractContextManager[None]:
        """Changes turn settings for one question, and restores the previous settings after the answer.

        The settings are restored at the end of the block. If a turn is open at that time, they are restored when it
        ends. If no turn began during the block, they are restored when the next turn ends. A setting that was passed to
        the STT is restored over the open connection. For other settings the server's default is restored by a new
        connection, which is made between turns.

        If code that an AgentSession runs (a tool, `on_enter`) calls this, it applies to that session. Otherwise it
        applies to all calls of this STT. `SpeechStream.turn_profile` applies only to its own call.

        Example:
            with stt.turn_profile("digits"):
                await session.say("What is your order number?")

        Args:
            profile: "yes_no", "digits" or "open"; see `PROFILES`.
            settings: single settings: start_threshold, eager_end_threshold, end_threshold, end_timeout_ms.

        Raises:
            ValueError: there is no such profile or setting, or a value is invalid.
        """
        session = session_of_caller()
        return self._profile_of(None if session is None else [self._calls.of(session)], profile, settings)

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        """The framework's hook for a session's keyterms, both configured and detected. It does not name the session."""
        self._calls.set_keyterms(keyterms)
        self._apply(self._calls)

    # For the streams.

    @contextlib.contextmanager
    def _profile_of(
        self, calls: list[CallOptions] | None, name: str | None, settings: dict[str, float]
    ) -> Iterator[None]:
        """As `turn_profile`, for these calls; None means all calls, including those that begin meanwhile."""
        profile = Profile(profile_settings(name, settings))
        for options in self._calls.with_profile(profile, calls):
            self._warn_of(options, self._language)
        begun = self._calls.push(profile, calls)
        try:
            self._apply(begun)
            yield
        finally:
            in_turn = {stream._call for stream in self._streams if stream._in_turn}
            self._calls.remove(profile, begun, in_turn=in_turn)
            self._apply(self._calls)

    # Its own.

    def _options_of(self, call: CallOptions) -> Options:
        if call.keyterms_left_out:
            self._warn_once("more key terms than the server accepts: leaving out the last ones")
        options = call.current
        self._warn_of(options, self._language)
        return options

    def _warn_of(self, options: Options, language: LanguageCode | None) -> None:
        """Warns about options that the server is not known to take, once for each option and kind."""
        for doubt in doubts(options, language and base_code(language)):
            self._warn_once(doubt.text, **doubt.details)

    def _language_of(self, language: NotGivenOr[str]) -> LanguageCode | None:
        """The language that a stream is opened with, else the STT's."""
        if not utils.is_given(language) or not language:
            return self._language
        try:
            label = language_tag(language)
        except ValueError:
            self._warn_once("the language of a stream is not a language tag: ignoring it")
            return self._language
        self._warn_of(self._calls.base, label)
        return label

    def _relabel(self, language: LanguageCode | None) -> None:
        self._language = language
        for stream in list(self._streams):
            stream._relabel(language)

    def _warn_once(self, text: str, option: str = "", **details: str) -> None:
        """Logs a static text with details, once in the life of this STT for each option."""
        if (text, option) not in self._warned:
            self._warned.add((text, option))
            logger.warning(text, extra={"option": option, **details} if option else None)

    def _apply(self, calls: Iterable[CallOptions]) -> None:
        """Lets the streams of these calls take over their options."""
        options = {call: self._options_of(call) for call in calls}
        for stream in list(self._streams):
            if stream._call in options:
                stream._apply(options[stream._call])
