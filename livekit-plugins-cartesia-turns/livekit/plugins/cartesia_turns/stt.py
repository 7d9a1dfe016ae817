"""The STT: takes arguments, environment and defaults, and opens streams."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import aiohttp
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, stt, utils
from livekit.agents.types import NOT_GIVEN, NotGivenOr
from typing_extensions import Self

from . import compat
from .agent_session import session_around
from .changeable import STTOptions
from .core.pacing import CATCH_UP_SPEED
from .core.stats import Stats
from .log import logger
from .net.dialer import Dialer, TokenProvider
from .settings import (
    StreamSettings,
    changed,
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


class STT(STTOptions):
    """Cartesia Ink-2: streaming speech-to-text that detects when a turn starts, may be over, and is over.

    Use it with `AgentSession(stt=STT(), vad=None, turn_handling=turn_handling())`: in any other mode than "stt" the
    framework ignores the turns that the server detects.

    The module `vendor` lists the server's known limits and defaults, with dates. Cartesia changes them without notice.
    So a value that the server may not accept is sent, with one warning in the log. Only values that no server can
    accept raise an error.

    Args:
        model: one of `vendor.MODELS`, or any other Cartesia model that detects turns.
        sample_rate: sample rate in Hz of the audio that is sent to the server, 8000 to 48000. Frames of any rate and
            number of channels are converted. The models are made for 16000; 8000 saves bandwidth on telephone audio.
        api_key: Cartesia's key. The default is the environment variable CARTESIA_API_KEY. Surrounding white space is
            removed.
        access_token: a short-lived token instead of the key, or a function, async or not, that returns one for each
            connection.
        base_url: the server's address: http(s), ws(s) or a bare host name, optionally with a path prefix or the
            endpoint's whole path.
        allow_plaintext: accept an unencrypted `base_url` that is not on this machine. The network can then read the
            key.
        language: the BCP-47 tag of the language that you expect, such as "pt-BR". It labels the events; the default
            label is "en". It is not sent to the server, since the models detect the language themselves.
        language_hints: languages for the server to expect, such as ["pt", "en"]; "pt-BR" becomes "pt". See
            `vendor.LANGUAGE_HINTS` for the limit. Only some of `vendor.MODELS` accept them.
        audio_chunk_duration_ms: send audio in pieces of this length, 10 to 200 ms. By default each frame is sent at
            once, since larger pieces add latency.
        turn_start_threshold: likelihood above which a turn starts. For the ranges of this and the next three arguments
            see `vendor.TURN_RANGES`. If an argument is not given, the server uses its own default; see
            `vendor.TURN_DEFAULTS`.
        turn_eager_end_threshold: likelihood below which the turn may be over.
        turn_end_threshold: likelihood below which the turn is over. The thresholds must be in strict order: start >
            eager end > end.
        turn_end_timeout_ms: after this much silence, in milliseconds, the turn ends, whatever the likelihood.
        keyterm: words and phrases to recognize better; see `vendor.KEYTERMS` for the limits.
        watchdog_min_timeout: seconds without audio in an open turn after which silence is sent so that the turn can
            end; at least two frames.
        max_buffer: seconds of audio kept for a replay or an outage, at least 1. Beyond it silence is dropped first, and
            then the oldest audio.
        outage_timeout: seconds after the first failed attempt for which the stream retries before it raises the error;
            0 for no retry, `math.inf` for no limit. An attempt in progress at that time may still succeed. The default
            is `max_buffer`; but if the framework asks for fewer than its usual 3 retries, as a FallbackAdapter does,
            the stream makes only these retries.
        speech_end_time: report when speech ended, so that the framework does not wait `min_delay` again after the
            server's turn.end.
        manual_flush: support manual turns: after a flush, the final transcript comes within a second. With False only
            the server decides when a turn ends.
        early_preflight: how many speculative replies complete sentences may start in a turn before turn.eager_end. With
            0, the default, only turn.eager_end starts a speculative reply.
        catch_up_speed: speed at which a backlog (after an outage, for a replay) is sent, in times real time, 1 or more.
            If the server closes the socket meanwhile, the rest is sent slower, down to real time without long silence,
            and the process remembers that speed for ten minutes.
        extra_headers: additional headers for the handshake.
        api_version: the Cartesia-Version header, see `vendor.API_VERSIONS`.
        http_session: your own session for all connections; the STT does not close it. By default the STT uses the job's
            session, which uses the worker's `http_proxy`. Outside a job it uses a session with the environment's
            HTTPS_PROXY, like your own session with `trust_env=True`. Connections to this machine never use a proxy.
        recorder: a `recording.Recorder`, which writes each call to a folder. The default is a recorder for the folder
            in the environment variable CARTESIA_TURNS_RECORD; if it is not set, nothing is recorded.

    Raises:
        ValueError: an argument is invalid, or there is neither a key nor a token. The text names the argument.
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
        turn = turn_settings(turn_start_threshold, turn_eager_end_threshold, turn_end_threshold, turn_end_timeout_ms)
        super().__init__(
            compat.capabilities(manual_flush=manual_flush),
            changed(Options(model, sample_rate), turn, keyterm, language_hints),
            language_tag(given(language)),
        )
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
        self._options_of(self._calls.to_come())  # Warns of valid arguments that the server may not accept.

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
            language: labels this stream's events instead of the STT's `language`. An invalid language tag is ignored
                with one warning, since an exception here would leave an agent session without an STT.
            conn_options: `timeout` limits each connection attempt, `max_retry` the consecutive attempts.
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

    def prewarm(self) -> None:
        """Opens a connection in the background. The first `stream()` within 30 seconds uses it.

        The framework calls this before a session's first stream. It never raises: the stream reports errors.
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
        """Closes every stream. An `http_session` that was passed in stays open.

        Streams of other event loops are closed there, and not waited for.
        """
        await self._dialer.aclose()
        await asyncio.gather(
            *(stream._close() for stream in self._streams if not stream._is_over), return_exceptions=True
        )

    async def _recognize_impl(
        self, buffer: utils.AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> stt.SpeechEvent:
        raise NotImplementedError("the model only streams: use stream(), or a batch STT")

    def _retire(self, stats: Stats) -> None:
        """A stream is over, and its counters are added to those of the past."""
        self._past += replace(stats, backlog_s=0.0, held_s=0.0)
