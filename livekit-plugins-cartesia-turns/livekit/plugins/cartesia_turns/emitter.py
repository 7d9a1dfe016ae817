"""The STT's events: handlers with the types of their events, and the calls of the handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, get_args, overload

from livekit.agents import stt
from livekit.rtc import EventEmitter

from .events import (
    ConnectedEvent,
    ConnectionErrorEvent,
    DisconnectedEvent,
    EventName,
    OptionsRejectedEvent,
    TurnEagerEndEvent,
    TurnEndEvent,
    TurnResumeEvent,
    TurnStartEvent,
    TurnUpdateEvent,
)
from .log import logger
from .wire.checks import shown

if TYPE_CHECKING:
    from livekit.agents.metrics import STTMetrics

FrameworkEvent: TypeAlias = Literal["metrics_collected", "error"]
EVENTS = {*get_args(FrameworkEvent), *get_args(EventName)}
"""The events that an STT emits: the framework's and the plugin's own."""

T = TypeVar("T")
Handler: TypeAlias = Callable[[T], object]
Decorator: TypeAlias = Callable[[Callable[[T], object]], Callable[[T], object]]


class STTEvents(stt.STT[EventName]):
    """The part of the STT that emits events."""

    @overload  # type: ignore[override]  # the base takes any function for any event
    def on(self, event: Literal["connected"], callback: Handler[ConnectedEvent]) -> Handler[ConnectedEvent]: ...
    @overload
    def on(self, event: Literal["connected"], callback: None = None) -> Decorator[ConnectedEvent]: ...
    @overload
    def on(
        self, event: Literal["disconnected"], callback: Handler[DisconnectedEvent]
    ) -> Handler[DisconnectedEvent]: ...
    @overload
    def on(self, event: Literal["disconnected"], callback: None = None) -> Decorator[DisconnectedEvent]: ...
    @overload
    def on(
        self, event: Literal["connection_error"], callback: Handler[ConnectionErrorEvent]
    ) -> Handler[ConnectionErrorEvent]: ...
    @overload
    def on(self, event: Literal["connection_error"], callback: None = None) -> Decorator[ConnectionErrorEvent]: ...
    @overload
    def on(
        self, event: Literal["options_rejected"], callback: Handler[OptionsRejectedEvent]
    ) -> Handler[OptionsRejectedEvent]: ...
    @overload
    def on(self, event: Literal["options_rejected"], callback: None = None) -> Decorator[OptionsRejectedEvent]: ...
    @overload
    def on(self, event: Literal["turn_start"], callback: Handler[TurnStartEvent]) -> Handler[TurnStartEvent]: ...
    @overload
    def on(self, event: Literal["turn_start"], callback: None = None) -> Decorator[TurnStartEvent]: ...
    @overload
    def on(self, event: Literal["turn_update"], callback: Handler[TurnUpdateEvent]) -> Handler[TurnUpdateEvent]: ...
    @overload
    def on(self, event: Literal["turn_update"], callback: None = None) -> Decorator[TurnUpdateEvent]: ...
    @overload
    def on(
        self, event: Literal["turn_eager_end"], callback: Handler[TurnEagerEndEvent]
    ) -> Handler[TurnEagerEndEvent]: ...
    @overload
    def on(self, event: Literal["turn_eager_end"], callback: None = None) -> Decorator[TurnEagerEndEvent]: ...
    @overload
    def on(self, event: Literal["turn_resume"], callback: Handler[TurnResumeEvent]) -> Handler[TurnResumeEvent]: ...
    @overload
    def on(self, event: Literal["turn_resume"], callback: None = None) -> Decorator[TurnResumeEvent]: ...
    @overload
    def on(self, event: Literal["turn_end"], callback: Handler[TurnEndEvent]) -> Handler[TurnEndEvent]: ...
    @overload
    def on(self, event: Literal["turn_end"], callback: None = None) -> Decorator[TurnEndEvent]: ...
    @overload
    def on(self, event: Literal["metrics_collected"], callback: Handler[STTMetrics]) -> Handler[STTMetrics]: ...
    @overload
    def on(self, event: Literal["metrics_collected"], callback: None = None) -> Decorator[STTMetrics]: ...
    @overload
    def on(self, event: Literal["error"], callback: Handler[stt.STTError]) -> Handler[stt.STTError]: ...
    @overload
    def on(self, event: Literal["error"], callback: None = None) -> Decorator[stt.STTError]: ...
    @overload
    def on(self, event: EventName | FrameworkEvent, callback: Callable[[], object]) -> Callable[[], object]: ...

    def on(
        self, event: EventName | FrameworkEvent, callback: Callable[..., object] | None = None
    ) -> Callable[..., object]:
        """Calls a function at each event of this name; see `events.py`. The function may not be async.

        A name that this STT never emits only causes a warning, since a newer framework may have events of its own.
        """
        if event not in EVENTS:
            known = ", ".join(sorted(EVENTS))
            text = f"a handler is registered for {shown(event)}, which this STT never emits; it emits {known}"
            logger.warning(text, extra={"event": event})
        handler: Callable[..., object] = super().on(event, callback)
        return handler

    @overload  # type: ignore[override]  # the base takes any function for any event
    def once(self, event: Literal["connected"], callback: Handler[ConnectedEvent]) -> Handler[ConnectedEvent]: ...
    @overload
    def once(self, event: Literal["connected"], callback: None = None) -> Decorator[ConnectedEvent]: ...
    @overload
    def once(
        self, event: Literal["disconnected"], callback: Handler[DisconnectedEvent]
    ) -> Handler[DisconnectedEvent]: ...
    @overload
    def once(self, event: Literal["disconnected"], callback: None = None) -> Decorator[DisconnectedEvent]: ...
    @overload
    def once(
        self, event: Literal["connection_error"], callback: Handler[ConnectionErrorEvent]
    ) -> Handler[ConnectionErrorEvent]: ...
    @overload
    def once(self, event: Literal["connection_error"], callback: None = None) -> Decorator[ConnectionErrorEvent]: ...
    @overload
    def once(
        self, event: Literal["options_rejected"], callback: Handler[OptionsRejectedEvent]
    ) -> Handler[OptionsRejectedEvent]: ...
    @overload
    def once(self, event: Literal["options_rejected"], callback: None = None) -> Decorator[OptionsRejectedEvent]: ...
    @overload
    def once(self, event: Literal["turn_start"], callback: Handler[TurnStartEvent]) -> Handler[TurnStartEvent]: ...
    @overload
    def once(self, event: Literal["turn_start"], callback: None = None) -> Decorator[TurnStartEvent]: ...
    @overload
    def once(self, event: Literal["turn_update"], callback: Handler[TurnUpdateEvent]) -> Handler[TurnUpdateEvent]: ...
    @overload
    def once(self, event: Literal["turn_update"], callback: None = None) -> Decorator[TurnUpdateEvent]: ...
    @overload
    def once(
        self, event: Literal["turn_eager_end"], callback: Handler[TurnEagerEndEvent]
    ) -> Handler[TurnEagerEndEvent]: ...
    @overload
    def once(self, event: Literal["turn_eager_end"], callback: None = None) -> Decorator[TurnEagerEndEvent]: ...
    @overload
    def once(self, event: Literal["turn_resume"], callback: Handler[TurnResumeEvent]) -> Handler[TurnResumeEvent]: ...
    @overload
    def once(self, event: Literal["turn_resume"], callback: None = None) -> Decorator[TurnResumeEvent]: ...
    @overload
    def once(self, event: Literal["turn_end"], callback: Handler[TurnEndEvent]) -> Handler[TurnEndEvent]: ...
    @overload
    def once(self, event: Literal["turn_end"], callback: None = None) -> Decorator[TurnEndEvent]: ...
    @overload
    def once(self, event: Literal["metrics_collected"], callback: Handler[STTMetrics]) -> Handler[STTMetrics]: ...
    @overload
    def once(self, event: Literal["metrics_collected"], callback: None = None) -> Decorator[STTMetrics]: ...
    @overload
    def once(self, event: Literal["error"], callback: Handler[stt.STTError]) -> Handler[stt.STTError]: ...
    @overload
    def once(self, event: Literal["error"], callback: None = None) -> Decorator[stt.STTError]: ...
    @overload
    def once(self, event: EventName | FrameworkEvent, callback: Callable[[], object]) -> Callable[[], object]: ...

    def once(
        self, event: EventName | FrameworkEvent, callback: Callable[..., object] | None = None
    ) -> Callable[..., object]:
        """Calls a function as `on` does, at the next event of this name only."""
        handler: Callable[..., object] = super().once(event, callback)
        return handler

    def off(self, event: EventName | FrameworkEvent, callback: Callable[..., object]) -> None:
        """Stops calling a function that `on` was given."""
        super().off(event, callback)

    def emit(self, event: str, *args: object) -> None:
        """Calls the handlers of an event. A handler that raises harms neither the others nor the stream."""
        call(self._events.get(event, ()), event, args)  # type: ignore[call-overload]  # the base has names of its own


def call(handlers: Iterable[Callable[..., object]], event: str, arguments: tuple[object, ...]) -> None:
    """Calls each handler with as many of the arguments as it takes, and logs what it raises.

    Raises:
        KeyboardInterrupt: a handler raised it, or the user pressed Ctrl-C meanwhile. The program must end.
        SystemExit: a handler ends the program.
    """
    for handler in list(handlers):
        # The framework's emitter finds out how many arguments a handler takes.
        alone = EventEmitter[str]()
        alone.on(event, handler)
        try:
            alone.emit(event, *arguments)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            # The emitter catches most exceptions, but neither TypeError nor asyncio.CancelledError, which the result
            # of a cancelled future raises. A handler is no task, so nobody can have meant to cancel this one.
            logger.exception("an event handler failed", extra={"event": event})
