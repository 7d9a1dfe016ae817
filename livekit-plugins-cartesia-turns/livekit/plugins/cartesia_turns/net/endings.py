"""The failures of sockets in the terms of `core`, and what the server said with them."""

from __future__ import annotations

from livekit.agents import APIError

from ..core.retry import Failure
from ..errors import NOT_ALLOWED, DroppedError, ServerError, came_from_outside, not_allowed, vendors_status
from ..wire.messages import ErrorMessage


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
