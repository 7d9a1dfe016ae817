"""Everything that a stream reports: speech events to its consumer, the STT's own events, usage, spans and the log."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from livekit.agents import APIError, APIStatusError, stt

from .agent_session import fault_of_session
from .core.changes import Rejected, names_of
from .core.events import ClientEvent, Flushed, Kind, Notice, TurnEvent, Usage
from .core.stats import Stats
from .errors import DroppedError, ServerError, bare, cause_of, reason_of, status_of
from .events import ConnectedEvent, ConnectionErrorEvent, DisconnectedEvent, OptionsRejectedEvent
from .live import CallOptions
from .log import logger
from .speech_events import ENGLISH, end_of_speech, public_event, speech_events, transcript_event
from .telemetry import Telemetry

ODD_FRAMES_EVERY_S = 60.0
"""An odd frame of one kind is logged at most once in this time."""


class Owner(Protocol):
    """What a reporter needs of the STT."""

    def emit(self, event: str, *args: object) -> None:
        """Calls the handlers of one of the STT's own events."""

    def _warn_once(self, text: str) -> None:
        """Logs a static text, once in the life of the STT."""

    def _apply(self, calls: Iterable[CallOptions]) -> None:
        """Lets the streams of these calls take over their options."""


class Reporter:
    """Turns the client's events into those of the framework and of the STT, into spans and into log records.

    Args:
        owner: the STT.
        call: the options of the call, which events may change.
        send: takes the speech events.
        speech_times: whether START and END say when speech began and ended.
        acquired: takes how many seconds a connection took, and whether it was prewarmed.
    """

    def __init__(
        self,
        owner: Owner,
        call: CallOptions,
        send: Callable[[stt.SpeechEvent], None],
        *,
        speech_times: bool,
        acquired: Callable[[float, bool], None],
    ) -> None:
        self.language = ENGLISH
        """The label of texts whose language the server does not say. It may be changed at any time."""
        self._owner = owner
        self._call = call
        self._send = send
        self._with_times = speech_times
        self._acquired = acquired
        self._telemetry = Telemetry()
        self._request_id = ""
        self._in_turn = False
        self._odd_frames: dict[str, float] = {}

    def events(self, events: Sequence[ClientEvent], stats: Stats | None) -> None:
        """Passes on events of the client. Its counters are `stats`; None for steps inside a turn."""
        if stats is not None:
            self._telemetry.counted(stats)
        for event in events:
            match event:
                case TurnEvent():
                    self._turn(event)
                case Usage():
                    self._usage(event.seconds)
                case Flushed():
                    final = stt.SpeechEventType.FINAL_TRANSCRIPT
                    self._send(transcript_event(final, "", self._request_id, self.language))
                case Rejected():
                    self._rejected(event)
                case _:
                    self._notice(event)
        for event in events:
            if self._call.hear(event):
                self._owner._apply([self._call])

    def stray_turn(self) -> None:
        """Ends a turn that was cut off with another stream, since the user may still count as speaking."""
        self._send(end_of_speech(""))

    def connected(self, request_id: str, connect_s: float, *, reused: bool, is_first: bool) -> None:
        """A socket is open and the server said so, `connect_s` seconds after it was asked for."""
        self._request_id = request_id or self._request_id
        self._acquired(connect_s, reused)
        self._telemetry.connected(request_id, connect_s, reused=reused, is_first=is_first)
        self._owner.emit("connected", ConnectedEvent(request_id, connect_s))

    def disconnected(self, reason: str, code: int | None) -> None:
        """A socket has ended; `reason` is a static text, and `code` the close code if there was one."""
        self._telemetry.disconnected(reason, code)
        self._owner.emit("disconnected", DisconnectedEvent(self._request_id, reason, code))

    def attempt_failed(self, error: APIError, retry_in_s: float | None) -> None:
        """A connection could not be made or did not last. The next attempt follows in `retry_in_s`; None: no other."""
        cause = cause_of(error)
        self._owner.emit("connection_error", ConnectionErrorEvent(bare(error), retry_in_s, cause.name.lower()))
        if retry_in_s is None or (isinstance(error, DroppedError) and self._in_turn):
            # A stream that gives up raises the error. `dropped` logs a socket that was lost in mid-turn.
            return
        request_id = error.request_id if isinstance(error, APIStatusError) else None
        extra = {
            "cause": cause.name.lower(),
            "reason": reason_of(error),
            "error": type(error).__name__,
            "retry_in_s": retry_in_s,
        }
        numbers = {"status_code": status_of(error), "request_id": request_id}
        extra |= {name: value for name, value in numbers.items() if value is not None}
        logger.warning(f"connection failed, retrying: {reason_of(error)}", extra=extra)

    def dropped(self, error: DroppedError, *, in_turn: bool, at_once: bool) -> None:
        """A socket was lost. The next one follows, `at_once` or in the time that `attempt_failed` is told."""
        extra = {"code": error.code, "request_id": self._request_id}
        if not in_turn:
            logger.debug("the socket was closed between turns", extra=extra)
            return
        logger.warning("the socket was lost in mid-turn, continuing on a new one", extra=extra)
        if at_once:
            cause = cause_of(error).name.lower()
            self._owner.emit("connection_error", ConnectionErrorEvent(bare(error), 0.0, cause))

    def odd_frame(self, kind: str) -> None:
        """Logs an odd frame, each kind at most once in ODD_FRAMES_EVERY_S."""
        now = time.monotonic()
        if now - self._odd_frames.get(kind, -math.inf) >= ODD_FRAMES_EVERY_S:
            self._odd_frames[kind] = now
            logger.warning("ignoring an invalid or unknown frame from the server", extra={"frame": kind})

    def failed(self, error: Exception) -> None:
        """The stream is about to fail. For an error of our own, the log gets its type and place, but not its text."""
        if not isinstance(error, APIError):
            frames = traceback.extract_tb(error.__traceback__)
            where = f"{frames[-1].name}:{frames[-1].lineno}" if frames else "?"
            logger.error("the stream failed unexpectedly", extra={"error": type(error).__name__, "where": where})

    def closed(self, stats: Stats) -> None:
        """The stream is over; its counters are `stats`."""
        self._telemetry.counted(stats)
        self._telemetry.closed()

    def _turn(self, event: TurnEvent) -> None:
        self._request_id = event.request_id or self._request_id
        self._in_turn = event.kind is not Kind.END
        if event.kind is Kind.START and (fault := fault_of_session()) is not None:
            self._owner._warn_once(fault)
        now = time.monotonic()
        at = time.time() - (0.0 if event.at is None else now - event.at)
        told = at if self._with_times else None
        for speech_event in speech_events(event, self._request_id, told, self.language):
            self._send(speech_event)
            if event.kind is Kind.END and speech_event.type is not stt.SpeechEventType.END_OF_SPEECH:
                self._usage(event.usage_s)
        self._telemetry.turn(event, at)
        self._owner.emit(*public_event(event, self._request_id, told))

    def _usage(self, seconds: float) -> None:
        if seconds:
            usage = stt.RecognitionUsage(audio_duration=seconds)
            kind = stt.SpeechEventType.RECOGNITION_USAGE
            self._send(stt.SpeechEvent(type=kind, request_id=self._request_id, recognition_usage=usage))

    def _rejected(self, rejected: Rejected) -> None:
        change, error = rejected.change, ServerError(rejected.error)
        request_id = self._request_id
        told = OptionsRejectedEvent(request_id, error, change.turn, change.keyterms, change.language_hints)
        extra = {"request_id": request_id, "status_code": error.status_code, "options": ", ".join(names_of(change))}
        logger.warning("the server rejected changed options, continuing with the previous ones", extra=extra)
        self._owner.emit("options_rejected", told)

    def _notice(self, notice: Notice) -> None:
        self._telemetry.notice(notice)
        logger.warning(notice.value, extra={"request_id": self._request_id})
