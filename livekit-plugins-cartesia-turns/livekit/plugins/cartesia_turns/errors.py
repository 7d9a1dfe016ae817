"""Every failure as one of the framework's API errors, and the decision whether it may pass.

The framework recreates or closes a stream on an `APIError`; any other exception leaves the session open and deaf.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TypeVar

import aiohttp
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError

from .messages import ErrorMessage

ErrorT = TypeVar("ErrorT", bound=BaseException)
CLEAN_CODES = frozenset({1000, 1001, 1005})
"""Close codes of a server that has nothing to complain of: done, going away (also: idle for too long), none given."""


class ServerError(APIStatusError):
    """The server said what was wrong, in a failed handshake or in-band.

    408, 429 and 5xx may pass; any other status needs a change of the key or of the settings.
    """

    def __init__(self, error: ErrorMessage, *, retry_after_s: float | None = None) -> None:
        parts = [error.title, error.message]
        text = ": ".join(part for part in parts if part) or "the server refused without a reason"
        hint = f" (see {error.doc_url})" if error.doc_url else ""
        super().__init__(
            f"{text}{hint}",
            status_code=error.status_code,
            request_id=error.request_id or None,
            retryable=may_pass(error.status_code),
        )
        self.title = error.title
        self.error_code = error.error_code
        self.doc_url = error.doc_url
        self.retry_after_s = retry_after_s
        """What the handshake's Retry-After asked for, in seconds."""


class DroppedError(APIConnectionError):
    """The socket was closed or lost. `code` is the close code, 1006 where there was no close."""

    def __init__(self, message: str, *, code: int = 1006) -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_clean(self) -> bool:
        """The server closed it in the ordinary way."""
        return self.code in CLEAN_CODES


class RedirectedError(aiohttp.ClientError):
    """The server sent the handshake to another address."""


def may_pass(status_code: int) -> bool:
    """Whether trying again can help: https://docs.cartesia.ai/use-the-api/api-errors."""
    return status_code in (408, 429) or status_code >= 500


def as_api_error(error: Exception) -> APIError:
    """Turns any exception into an API error, without the text of the cause: it may hold a header or a query."""
    if isinstance(error, APIError):
        return error
    name = type(error).__name__
    if isinstance(error, asyncio.TimeoutError | TimeoutError):
        return APITimeoutError("the server did not answer in time")
    if isinstance(error, aiohttp.InvalidURL | RedirectedError):
        return APIConnectionError("the address is not valid, or redirects to another: check base_url", retryable=False)
    if isinstance(error, OSError):
        detail = f": {error.strerror}" if error.strerror else ""
        return APIConnectionError(f"the server can't be reached ({name}{detail})")
    if isinstance(error, aiohttp.ClientError):
        return APIConnectionError(f"the connection failed ({name})")
    return APIConnectionError(f"the stream failed unexpectedly ({name})", retryable=False)


def bare(error: ErrorT) -> ErrorT:
    """The error without the frames it came through and what it was raised from: their variables hold the key."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def without(text: str, secrets: Iterable[str]) -> str:
    """`text` with each of the secrets blotted out, should a server quote one."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            text = text.replace(secret, "***")
    return text
