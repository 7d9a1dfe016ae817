"""The RecognizeStream: passes the framework's audio to a driver, and turns every failure into an APIError."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, LanguageCode, stt
from typing_extensions import Self

from .agent_session import may_be_in_session, remember_session, session_around
from .core.client import TurnsClient
from .core.stats import Stats
from .errors import AudioLostError, bare
from .handover import Handover, handover_of
from .intake import Intake
from .live import CallOptions
from .net.causes import as_api_error
from .net.dialer import Dialer, http_session
from .net.driver import Driver
from .net.tasks import is_running, until_done
from .reporter import Reporter
from .settings import StreamSettings
from .speech_events import ENGLISH
from .wire.options import Options

if TYPE_CHECKING:
    from .stt import STT

LEAST_LOST_S = 0.001
"""A loss of less audio than this is a rounding error."""


class SpeechStream(stt.RecognizeStream):
    """The stream of one call: takes audio and emits speech events, over as many sockets as the call needs.

    `STT.stream()` creates it. It accepts frames of any sample rate and number of channels.
    """

    def __init__(
        self,
        *,
        stt: STT,
        conn_options: APIConnectOptions,
        options: Options,
        call: CallOptions,
        settings: StreamSettings,
        dialer: Dialer,
        language: LanguageCode | None = None,
    ) -> None:
        super().__init__(stt=stt, conn_options=conn_options)
        self._owner = stt
        self._call = call
        self._settings = settings = replace(settings, connect_timeout_s=conn_options.timeout)
        recorder = settings.recorder
        self._recording = recorded = recorder.begin(options, settings, dialer.pace) if recorder else None
        self._client = recorded.client if recorded else TurnsClient(options, settings, time.monotonic(), dialer.pace)
        self._reporter = Reporter(
            recorded.overhearing(stt) if recorded else stt,
            call,
            recorded.passing_on(self._event_ch.send_nowait) if recorded else self._event_ch.send_nowait,
            speech_times=settings.speech_end_time,
            acquired=self._report_connection_acquired,
        )
        self._relabel(language)
        policy = settings.retry_policy(conn_options.max_retry)
        self._driver = Driver(self._client, self._reporter, dialer, policy, timeout_s=conn_options.timeout)
        self._intake = Intake(self._input_ch, self._driver, self._client, settings)
        self._loop = asyncio.get_running_loop()
        self._is_retired = False
        """The stream is over, and the STT has added its counters to its own."""

    @property
    def stats(self) -> Stats:
        """A snapshot of this stream's counters."""
        return self._client.stats

    def turn_profile(self, profile: str | None = None, **settings: float) -> contextlib.AbstractContextManager[None]:
        """Like `STT.turn_profile`, but only for this stream's call, wherever it is called from."""
        return self._owner._profile_of([self._call], profile, settings)

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        """Pushes audio to be recognized: signed 16-bit PCM of any rate and number of channels, which may change.

        It never blocks. While more audio may come, up to `max_buffer` seconds wait to be sent. If `end_input()` follows
        at once, all audio is sent, however long it is. If any was dropped, the stream ends with an `AudioLostError`.

        Raises:
            RuntimeError: the stream is closed or its input has ended.
        """
        # The base class resamples only one rate and takes stereo for mono, so the frames are converted behind the
        # channel.
        self._check_input_not_ended()
        self._check_not_closed()
        if not self._intake.push_now(frame):
            self._input_ch.send_nowait(frame)

    async def __aenter__(self) -> Self:
        return self

    # For the STT and for the other streams of the conversation.

    @property
    def _is_over(self) -> bool:
        """The stream has ended, maybe before it began to run, or its event loop is closed."""
        return self._is_retired or self._event_ch.closed or self._loop.is_closed()

    @property
    def _in_turn(self) -> bool:
        """A turn is open on this stream."""
        return self._client.turn.is_open and not self._is_over

    @property
    def _has_had_turn(self) -> bool:
        """A turn has begun on this stream, now or before."""
        return self._client.stats.turns > 0

    def _relabel(self, language: LanguageCode | None) -> None:
        """Labels the events to come with this language, or with English if there is none."""
        self._reporter.language = language or ENGLISH

    def _apply(self, options: Options) -> None:
        """Takes over changed options, in the event loop of the stream."""
        if self._is_over:
            return
        if is_running(self._loop):
            self._driver.update(options)
        else:
            self._loop.call_soon_threadsafe(self._driver.update, options)

    async def _close(self) -> None:
        """Closes the stream. One of another event loop is closed there, and not waited for."""
        if is_running(self._loop):
            await self.aclose()
        else:
            asyncio.run_coroutine_threadsafe(self.aclose(), self._loop)

    def _end_stray_turn(self) -> None:
        """Sends the END_OF_SPEECH of a turn that was cut off with another stream of this conversation."""
        self._reporter.stray_turn()

    # Its own.

    async def _run(self) -> None:
        """Serves the stream to its end.

        Every exception leaves here as an APIError, since any other would leave the session open and deaf.
        """
        failure: APIError | None = None
        try:
            await self._serve()
        except Exception as error:
            failure = as_api_error(bare(error))
            # The driver made all retries, with the audio kept. Those of the base class would have none of it.
            failure.retryable = False
        if failure is not None:
            # This is not raised while `error` is handled: `error` would be its context, with a text that may hold
            # anything.
            raise failure

    async def _serve(self) -> None:
        remember_session()
        handover = handover_of(session_around() or self._owner)
        handover.enter(self)
        failure: Exception | None = None
        try:
            async with http_session(self._settings.http_session) as session:
                await until_done(self._driver.over, self._driver.run(session), self._intake.run())
            if (lost_s := self._client.stats.lost_s) >= LEAST_LOST_S:
                raise AudioLostError(lost_s)
        except Exception as error:
            failure = error
            raise
        finally:
            self._end(handover, failure)

    def _end(self, handover: Handover, failure: Exception | None) -> None:
        # These run from the last to the first, each even if another fails.
        with contextlib.ExitStack() as at_the_end:
            if self._recording:
                at_the_end.callback(self._recording.close)
            at_the_end.callback(self._retire)
            at_the_end.callback(self._leave, handover)
            at_the_end.callback(self._close_report)
            at_the_end.callback(self._driver.report_usage)
            if failure is not None:
                at_the_end.callback(self._close_turn_of_failure, failure)

    def _close_turn_of_failure(self, failure: Exception) -> None:
        self._reporter.failed(failure)
        self._driver.close_turn()

    def _close_report(self) -> None:
        self._reporter.closed(self._client.stats)

    def _retire(self) -> None:
        self._is_retired = True
        self._owner._retire(self._client.stats)

    def _leave(self, handover: Handover) -> None:
        handover.leave(self, left_open=self._client.turn.is_open, in_session=may_be_in_session())
