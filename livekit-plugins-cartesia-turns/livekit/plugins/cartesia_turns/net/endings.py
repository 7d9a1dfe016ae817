"""How sockets end: their failures in the terms of `core`, and what the server said with them."""

from __future__ import annotations

from dataclasses import dataclass

from livekit.agents import APIError, APITimeoutError
from typing_extensions import Self

from ..core.client import TurnsClient
from ..core.link import HangUp
from ..core.retry import Failure
from ..errors import (
    CLEAN_CODES,
    LOST_CODE,
    NOT_ALLOWED,
    DroppedError,
    ServerError,
    came_from_outside,
    not_allowed,
    reason_of,
    vendors_status,
)
from ..wire.messages import ErrorMessage

STREAM_CLOSED = "the stream was closed"
"""The reason that a listener is told if nobody wants the socket any more."""
GOING_AWAY = 1001
"""The close code of a server that restarts, or that has received no audio for too long."""


@dataclass(frozen=True, slots=True)
class SocketEnd:
    """The end of a socket."""

    failure: APIError | None
    """What went wrong, if it did."""
    hang_up: HangUp | None
    """Why the client had it closed, if it did."""
    code: int | None
    """The code with which the server closed it, if the end was a failure."""
    served_s: float
    """How long it was open, in seconds; 0 without a `connected`."""
    in_turn: bool
    """A turn was open."""

    @classmethod
    def of(cls, client: TurnsClient, failure: APIError | None, lived_s: float) -> Self:
        """The end of the client's present socket. The client is to be told after this, with `tell`.

        Args:
            client: the stream's.
            failure: what was raised, if the socket failed.
            lived_s: how long the socket was open, in seconds.
        """
        sockets = client.sockets
        code = failure.code if isinstance(failure, DroppedError) else None
        reason = reason_for(failure, sockets.last_error, served=sockets.is_connected)
        return cls(reason, sockets.hang_up, code, lived_s if sockets.is_connected else 0.0, client.turn.is_open)

    @property
    def reason(self) -> str:
        """A static text; empty if the socket was closed in the ordinary way."""
        if self.hang_up:
            return self.hang_up.value
        return reason_of(self.failure) if self.failure else ""

    @property
    def error(self) -> APIError | None:
        """What is raised if no other socket follows."""
        return APITimeoutError(self.hang_up.value) if self.hang_up else self.failure

    @property
    def drop(self) -> DroppedError | None:
        """The failure, if nobody said what was wrong."""
        return self.failure if isinstance(self.failure, DroppedError) else None

    def tell(self, client: TurnsClient, now: float) -> None:
        """Reports the end to the client."""
        code = self.code
        client.link_lost(now, clean=code in CLEAN_CODES, leaving=code == GOING_AWAY, abrupt=code == LOST_CODE)


def failure_of(error: APIError) -> Failure:
    """What a failure means for the decision whether to try again."""
    return Failure(
        retryable=error.retryable,
        is_drop=isinstance(error, DroppedError),
        is_clean=isinstance(error, DroppedError) and error.is_clean,
        from_outside=came_from_outside(error),
        vendors_status=vendors_status(error),
        retry_after_s=error.retry_after_s if isinstance(error, ServerError) else None,
    )


def reason_for(failure: APIError | None, said: ErrorMessage | None, *, served: bool) -> APIError | None:
    """The reason for the end of a socket: the failure itself, or a better known reason for it.

    Args:
        failure: the failure that ended the socket, if there was one.
        said: what the server said was wrong, if it said anything.
        served: the server had said `connected` before.
    """
    if not isinstance(failure, DroppedError):
        return failure
    if said is not None:
        # This error could have answered a config, but it was the reason for the close.
        return ServerError(said)
    return not_allowed() if failure.code == NOT_ALLOWED and not served else failure


def answer_of(error: APIError) -> ErrorMessage | None:
    """What the server said when it refused a socket; None if it said nothing."""
    if not isinstance(error, ServerError):
        return None
    return ErrorMessage(error.message, status_code=error.status_code, error_code=error.error_code)
