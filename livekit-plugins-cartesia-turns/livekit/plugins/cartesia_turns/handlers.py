"""Calls event handlers so that what one does harms neither the others nor the stream that emits."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from livekit import rtc

from .log import logger


def call(handlers: Iterable[Callable[..., object]], event: str, arguments: tuple[object, ...]) -> None:
    """Calls each handler with as many of the arguments as it takes, and logs what it raises.

    Raises:
        KeyboardInterrupt: a handler raised it, or the user pressed Ctrl-C meanwhile: the program is to end.
        SystemExit: a handler ended the program.
    """
    for handler in list(handlers):
        # The framework's emitter finds out how many arguments a handler takes.
        alone = rtc.EventEmitter[str]()
        alone.on(event, handler)
        try:
            alone.emit(event, *arguments)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            # The emitter contains most exceptions, but no TypeError and no asyncio.CancelledError (the result of a
            # future that was cancelled raises it). A handler is no task: nobody can have meant to cancel this one.
            logger.exception("a handler failed", extra={"event": event})
