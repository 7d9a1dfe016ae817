"""The STT: takes arguments, environment and defaults, and opens streams."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import aiohttp
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, LanguageCode, stt, utils
from livekit.agents.types import NOT_GIVEN, NotGivenOr
from typing_extensions import Self

from . import compat
from .agent_session import session_around, session_of_caller
from .calls import Calls
from .core.pacing import CATCH_UP_SPEED
from .core.stats import Stats
from .doubts import doubts
from .emitter import STTEvents
from .live import CallOptions, Profile, profile_settings
from .log import logger
from .net.dialer import Dialer, TokenProvider
from .settings import (
    StreamSettings,
    base_code,
    changed,
    check_same,
    credentials,
    given,
    language_tag,
    recorder_of_environment,
    turn_settings,
)
from .stream import SpeechStream
from .wire.options import Options, endpoint
from .wire.vendor import API_VERSION, MODEL

if TYPE_CHECKING:
    from .recording import Recorder


class STT(STTEvents):
    """Cartesia Ink-2: streaming speech-to-text that tells when a turn starts, may be over, and is over.

    Use it with `AgentSession(stt=STT(), vad=None, turn_handling=turn_handling())`: in any other mode than "stt" the
    framework ignores the turns that the server detects.

    `vendor` has what is known of the server's numbers, with dates. They change now and then. So a value that the server
    is not known to take is sent with one warning, and only values that no server can take are refused here.

    Args:
        model: one of `vendor.MODELS`, or any other Cartesia model that detects turns.
        sample_rate: of the audio that is sent to the server, in Hz, 8000 to 48000. Frames of any rate and number of
            channels are converted. The models are made for 16000; 8000 saves bandwidth on telephone audio.
        api_key: Cartesia's key; else the environment's CARTESIA_API_KEY. White space around it is left out.
        access_token: a short-lived token in place of the key, or a function, async or not, that is asked for one at
            each connect.
        base_url: http(s) or ws(s), a bare host, a host with a path prefix, or the whole endpoint.
        allow_plaintext: accept an unencrypted `base_url` that is not on this machine. The network can then read the
            key.
        language: what the user is expected to speak, as a BCP-47 tag such as "pt-BR". It labels the events, which are
            labelled "en" without it. It is not sent, since the models detect the language themselves.
        language_hints: languages for the server to expect, such as ["pt", "en"]; "pt-BR" becomes "pt". For their number
            see `vendor.LANGUAGE_HINTS`. Only some of `vendor.MODELS` take them.
        audio_chunk_duration_ms: cut audio into pieces of this length, 10 to 200 ms. By default frames are sent as they
            come, since a longer piece adds latency.
        turn_start_threshold: likelihood above which a turn starts. For this and the next three see
            `vendor.TURN_RANGES`. For those that are not given the server uses `vendor.TURN_DEFAULTS`, or newer ones.
        turn_eager_end_threshold: likelihood below which the turn may be over.
        turn_end_threshold: likelihood below which the turn is over. The three must be in strict order: start > eager
            end > end.
        turn_end_timeout_ms: longest wait after speech stopped before the turn ends anyway, in milliseconds.
        keyterm: words and phrases to listen for, at most `vendor.KEYTERMS`.
        watchdog_min_timeout: seconds without audio, in an open turn, before silence is sent in its place so that the
            turn can end; never less than two frames.
        max_buffer: seconds of audio kept for a replay or an outage, at least 1. Beyond it silence is dropped first, and
            then the oldest audio.
        outage_timeout: seconds from the first failed attempt for which a stream tries to reconnect before its error
            surfaces: 0 for not at all, `math.inf` for ever. An attempt under way at their end may still succeed. The
            default is `max_buffer`. If the framework asks for fewer than its usual 3 retries (FallbackAdapter), the
            default is just those retries.
        speech_end_time: tell the framework when speech ended, so that it does not wait `min_delay` once more after the
            server's turn.end. With False it does.
        manual_flush: take part in manual turns: a flush makes what was said final within a second. False leaves that to
            the server.
        early_preflight: how many speculative replies a turn may cost if whole sentences start them before
            turn.eager_end. With 0, the default, only turn.eager_end starts them.
        catch_up_speed: how many times faster than real time a backlog is sent (after an outage, for a replay), 1 or
            more. If the server ends the socket meanwhile, the rest is sent slower, down to real time without long
            silence, and the process keeps to that speed for ten minutes.
        extra_headers: sent with the handshake.
        api_version: the Cartesia-Version header, see `vendor.API_VERSIONS`.
        http_session: used for all connections and left open. By default it is the job's, which uses the worker's
            `http_proxy`, and outside a job one that uses the environment's HTTPS_PROXY, as your own does with
            `trust_env=True`. A server on this machine is always connected directly.
        recorder: a `recording.Recorder`, which writes each call into a folder; else one for the folder that the
            environment's CARTESIA_TURNS_RECORD names, if it names one. By default nothing is recorded.

    Raises:
        ValueError: an argument can't be right, or there is neither a key nor a token. The text names the argument.
    """

    _past = Stats()
    """The counters of the streams that are over."""

    def __init__(
        self,
        *,
        model: str = MODEL,
        sample_rate: int = 16000,
        api_key: str | None = None,
        access_token: str | TokenProvider | None = None,
        base_url: str = "https://api.cartesia.ai",
        allow_plaintext: bool = False,
        language: NotGivenOr[str | None] = NOT_GIVEN,
        audio_chunk_duration_ms: NotGivenOr[int | None] = NOT_GIVEN,
        turn_start_threshold: NotGivenOr[float | None] = NOT_GIVEN,
        turn_eager_end_threshold: NotGivenOr[float | None] = NOT_GIVEN,
        turn_end_threshold: NotGivenOr[float | None] = NOT_GIVEN,
        turn_end_timeout_ms: NotGivenOr[int | None] = NOT_GIVEN,
        keyterm: NotGivenOr[str | Sequence[str] | None] = NOT_GIVEN,
        language_hints: NotGivenOr[Sequence[str] | None] = NOT_GIVEN,
        watchdog_min_timeout: float = 0.5,
        max_buffer: float = 60.0,
        outage_timeout: float | None = None,
        speech_end_time: bool = True,
        manual_flush: bool = True,
        early_preflight: int = 0,
        catch_up_speed: float = CATCH_UP_SPEED,
        extra_headers: Mapping[str, str] | None = None,
        api_version: str = API_VERSION,
        http_session: aiohttp.ClientSession | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        super().__init__(capabilities=compat.capabilities(manual_flush=manual_flush))
        self._language = language_tag(given(language))
        turn = turn_settings(turn_start_threshold, turn_eager_end_threshold, turn_end_threshold, turn_end_timeout_ms)
        self._calls = Calls(changed(Options(model, sample_rate), turn, keyterm, language_hints))
        address = endpoint(base_url, allow_plaintext=allow_plaintext)
        self._dialer = Dialer(address, credentials(api_key, access_token), extra_headers, api_version)
        self._settings = StreamSettings(
            watchdog_min_timeout_s=watchdog_min_timeout,
            buffer_s=max_buffer,
            outage_timeout=outage_timeout,
            audio_chunk_duration_ms=given(audio_chunk_duration_ms),
            speech_end_time=speech_end_time,
            manual_flush=manual_flush,
            early_preflight=early_preflight,
            catch_up_speed=catch_up_speed,
            http_session=http_session,
            recorder=recorder_of_environment() if recorder is None else recorder,
        )
        self._streams: weakref.WeakSet[SpeechStream] = weakref.WeakSet()
        self._warned: set[tuple[str, str]] = set()
        self._options_of(self._calls.to_come())

    @property
    def model(self) -> str:
        """The model's name."""
        return self._calls.base.model

    @property
    def provider(self) -> str:
        """The vendor's name."""
        return "Cartesia"

    @property
    def stats(self) -> Stats:
        """A snapshot of the counters of all streams, including those that have ended."""
        return sum((stream.stats for stream in self._streams if not stream._is_retired), start=self._past)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> SpeechStream:
        """Opens a stream for one call.

        Args:
            language: labels this stream's events in place of the STT's `language`. A text that is no language tag is
                ignored with one warning, since an exception here would leave an agent session deaf.
            conn_options: `timeout` bounds a connection attempt, `max_retry` the attempts in a row.
        """
        call = self._calls.of(session_around())
        stream = SpeechStream(
            stt=self,
            conn_options=conn_options,
            options=self._options_of(call),
            call=call,
            settings=self._settings,
            dialer=self._dialer,
            language=self._language_of(language),
        )
        self._streams.add(stream)
        return stream

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
        """Changes options for the streams in use and those to come.

        Turn settings take effect at once, without a reconnect, and so do key terms and language hints of ink-preview.
        With other models these take a new connection, which is made between turns. If the server rejects a change, the
        STT emits `options_rejected`, and the calls go on with the options in force. Each argument is checked as at
        construction. `language` labels the events from now on, even those of streams that were opened with their own.

        Raises:
            ValueError: a value can't be right (nothing is changed then), or the server can't change that option.
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
        """Sets other turn settings for a question that the agent asks, and puts the old ones back after the answer.

        They are put back at the end of the block. If a turn is open then, they are put back when it ends, and if no
        turn began during the block, when the next turn ends. A setting that the STT was not given goes back to the
        server's default with a new connection, made between turns. One that it was given goes back without.

        If code that an AgentSession runs (a tool, `on_enter`) calls this, it holds for that session. Otherwise it holds
        for all calls of this STT. `SpeechStream.turn_profile` holds for its own call.

        Example:
            with stt.turn_profile("digits"):
                await session.say("What is your order number?")

        Args:
            profile: "yes_no", "digits" or "open"; see `PROFILES`.
            settings: single settings: start_threshold, eager_end_threshold, end_threshold, end_timeout_ms.

        Raises:
            ValueError: no such profile or setting, or a value that can't be right.
        """
        session = session_of_caller()
        return self._profile_of(None if session is None else [self._calls.of(session)], profile, settings)

    def prewarm(self) -> None:
        """Opens a connection in the background. The first `stream()` within 30 seconds takes it over.

        The framework calls it before a session's first stream. It never fails: the stream gets and reports the error.
        """
        if any(not stream._is_over for stream in self._streams):
            return
        try:
            session = self._settings.http_session or utils.http_context.http_session()
            self._dialer.prewarm(session, lambda: self._options_of(self._calls.to_come()))
        except RuntimeError:
            logger.debug("not prewarming: there is no running event loop, or no HTTP session (a job provides one)")

    async def __aenter__(self) -> Self:
        return self

    async def aclose(self) -> None:
        """Closes every stream. An `http_session` that was passed in stays open."""
        await self._dialer.aclose()
        await asyncio.gather(
            *(stream.aclose() for stream in self._streams if not stream._is_over), return_exceptions=True
        )

    async def _recognize_impl(
        self, buffer: utils.AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> stt.SpeechEvent:
        raise NotImplementedError("the model only streams: use stream(), or a batch STT")

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        """The framework's hook for a session's keyterms, both configured and detected. It does not name the session."""
        self._calls.set_keyterms(keyterms)
        self._apply(self._calls)

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

    # For the streams.

    def _apply(self, calls: Iterable[CallOptions]) -> None:
        """Lets the streams of these calls take over their options."""
        options = {call: self._options_of(call) for call in calls}
        for stream in list(self._streams):
            if stream._call in options:
                stream._apply(options[stream._call])

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

    def _retire(self, stats: Stats) -> None:
        """A stream is over, and its counters are added to those of the past."""
        self._past += replace(stats, backlog_s=0.0, held_s=0.0)
