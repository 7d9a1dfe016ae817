"""Every failure as one of the framework's API errors, with its cause and whether it may pass by itself.

The framework recreates or closes a stream on an `APIError`. Any other exception leaves the session open and deaf.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError

from .wire.messages import ErrorMessage

ErrorT = TypeVar("ErrorT", bound=BaseException)
LOST_CODE = 1006
"""The close code that stands for a socket that was lost without a close."""
CLEAN_CODES = frozenset({1000, 1001, 1005})
"""The close codes of an ordinary close: done, going away (also after too long without audio), and none given."""
NOT_ALLOWED = 1008
"""The close code of a server that does not take what it was sent: before `connected`, the settings or the key."""


class Cause(Enum):
    """Why there is no connection. The name is for telemetry, the value is a static text for logs."""

    DNS = "the host's name could not be resolved"
    REFUSED = "no server listens at the address"
    UNREACHABLE = "there is no route to the address"
    RESET = "the connection was cut off before the server answered"
    TLS = "no trusted TLS connection could be made"
    PROXY = "the proxy refused, or could not be reached"
    TIMEOUT = "no answer in time"
    ANSWER = "the answer does not come from the endpoint"
    SERVER = "the server reported an error"
    DROPPED = "the socket was closed or lost"
    TOKEN = "access_token returned no token"  # noqa: S105 - a text
    ARGUMENT = "the address, a header or the session can't be used"
    OTHER = "the connection failed"


class ServerError(APIStatusError):
    """The server reported an error, in answer to the handshake or over an open socket.

    The statuses 408, 429 and 5xx may be temporary. Other statuses need another key or other settings.
    """

    def __init__(self, error: ErrorMessage, *, retry_after_s: float | None = None, in_band: bool = True) -> None:
        parts = [error.title, error.message]
        text = ": ".join(part for part in parts if part) or "the server refused without a reason"
        hint = f" (see {error.doc_url})" if error.doc_url else ""
        super().__init__(
            f"{text}{hint}",
            status_code=error.status_code,
            request_id=error.request_id or None,
            retryable=may_pass(error.status_code),
        )
        self.title: str = error.title
        self.error_code: str | None = error.error_code
        self.doc_url: str | None = error.doc_url
        self.retry_after_s = retry_after_s
        """The handshake's Retry-After, in seconds."""
        self.is_vendors: bool = in_band or bool(error.message and (error.title or error.error_code or error.doc_url))
        """The error's fields show that it comes from the server itself, and not from a proxy or gateway."""
        self.in_band = in_band
        """The error came over an open socket, and not in answer to a handshake."""


class AudioLostError(APIError):
    """The input has ended, and `lost_s` seconds of its audio were dropped.

    All other audio was recognized, and its events came before this error. Audio that is pushed in real time is dropped
    only in an outage longer than `max_buffer`.
    """

    def __init__(self, lost_s: float) -> None:
        super().__init__(
            f"{lost_s:.1f} s of audio were dropped, since the backlog exceeded max_buffer: raise max_buffer, push "
            "audio only while stream.stats.backlog_s is low, or push the whole recording and call end_input() after it",
            retryable=False,
        )
        self.lost_s = lost_s


class DroppedError(APIConnectionError):
    """The socket was closed or lost. `code` is the close code; 1006 if there was no close frame."""

    def __init__(self, message: str, *, code: int = LOST_CODE, retryable: bool = True) -> None:
        super().__init__(message, retryable=retryable)
        self.code = code

    @property
    def is_clean(self) -> bool:
        """The server closed the socket normally."""
        return self.code in CLEAN_CODES


def not_allowed() -> DroppedError:
    """The error for a socket that the server closed with 1008 before `connected`, without a reason."""
    text = "the server closed the socket with 1008 before `connected`, without a reason: check the settings and the key"
    return DroppedError(text, code=NOT_ALLOWED, retryable=False)


class UnreachableError(APIConnectionError):
    """No connection could be made. The text says why, and what to do about it.

    Args:
        cause: the reason.
        detail: the operating system's text about it, which is static.
        status_code: the status of the proxy's or the server's answer, if there was one.
        retryable: another attempt may succeed without a change.
    """

    def __init__(
        self, cause: Cause, detail: str = "", *, status_code: int | None = None, retryable: bool = True
    ) -> None:
        said = f"{cause.value}: {detail}" if detail else cause.value
        super().__init__(". ".join(filter(None, [said, _WHAT_TO_DO.get(cause)])), retryable=retryable)
        self.cause = cause
        self.status_code = status_code


_WHAT_TO_DO = {
    Cause.DNS: "Check the host in base_url, and the name servers of this machine",
    Cause.REFUSED: "Check the host and port in base_url, and that the server is running",
    Cause.UNREACHABLE: "Check the network of this machine, and its firewall",
    Cause.RESET: "Check for a firewall or a proxy on the way",
    Cause.TLS: "Check base_url and the clock; if a proxy decrypts the traffic, set SSL_CERT_FILE to its certificate",
    Cause.PROXY: "Check the proxy's address, user name and password (HTTPS_PROXY, or the proxy of http_session)",
    Cause.ANSWER: "Check base_url, and for a proxy or a gateway on the way",
    Cause.ARGUMENT: "Check base_url, extra_headers, http_session and the proxy (HTTPS_PROXY)",
}


def may_pass(status_code: int) -> bool:
    """Whether trying again can help: https://docs.cartesia.ai/use-the-api/api-errors."""
    return status_code in (408, 429) or status_code >= 500


def cause_of(error: APIError) -> Cause:
    """Why there is no connection."""
    if isinstance(error, UnreachableError):
        return error.cause
    if isinstance(error, DroppedError):
        return Cause.DROPPED
    if isinstance(error, APITimeoutError):
        return Cause.TIMEOUT
    return Cause.SERVER if isinstance(error, APIStatusError) else Cause.OTHER


def status_of(error: APIError) -> int | None:
    """The status that the server or the proxy answered with, if one did."""
    return error.status_code if isinstance(error, APIStatusError | UnreachableError) else None


def came_from_outside(error: APIError) -> bool:
    """Whether the error is of the server or of the way to it, and not of this side's own arguments or code."""
    return cause_of(error) not in (Cause.ARGUMENT, Cause.OTHER)


def vendors_status(error: APIError) -> int | None:
    """The status of an answer from the server itself; None if it is from something in between."""
    return error.status_code if isinstance(error, ServerError) and error.is_vendors else None


def reason_of(error: APIError) -> str:
    """A static text for events and spans, with the status if there is one, and nothing of the server's own text."""
    if isinstance(error, DroppedError | APITimeoutError):
        return error.message
    status = status_of(error)
    return cause_of(error).value + (f" ({status})" if status is not None else "")


def bare(error: ErrorT) -> ErrorT:
    """The error without its traceback, cause and context, since the variables in their frames may hold the key."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
