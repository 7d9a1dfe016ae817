"""The cause of any exception of aiohttp or the system, as one of the API errors of `errors`."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl

import aiohttp
from livekit.agents import APIConnectionError, APIError, APITimeoutError

from ..errors import Cause, UnreachableError, may_pass

NO_ANSWER = "the server did not answer in time"


class RedirectedError(aiohttp.ClientError):
    """The server sent the handshake to another address."""


LASTING = (RedirectedError, aiohttp.InvalidURL, ssl.CertificateError, aiohttp.ClientConnectorCertificateError)
"""Errors that do not pass by themselves, so a call should not begin with them."""


def as_api_error(error: Exception) -> APIError:
    """Turns any exception into an API error without the exception's text, which may contain a header or a query."""
    if isinstance(error, APIError):
        return error
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return proxy_refusal(error.status)
    cause = _cause_of_exception(error)
    if cause is Cause.TIMEOUT:
        return APITimeoutError(NO_ANSWER)
    if cause is None:
        return APIConnectionError(f"the stream failed unexpectedly ({type(error).__name__})", retryable=False)
    return UnreachableError(cause, _detail(error), retryable=not isinstance(error, LASTING))


def proxy_refusal(status_code: int) -> UnreachableError:
    """The error for a proxy that answered with this status and did not let the handshake through."""
    # A proxy that is overloaded, or can't reach the server now, may do so later. Its other refusals last.
    detail, retryable = f"status {status_code} of the proxy", may_pass(status_code)
    return UnreachableError(Cause.PROXY, detail, status_code=status_code, retryable=retryable)


_KINDS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Cause], ...] = (
    ((asyncio.TimeoutError, TimeoutError), Cause.TIMEOUT),
    (aiohttp.ClientProxyConnectionError, Cause.PROXY),
    (aiohttp.ClientConnectorDNSError, Cause.DNS),
    ((ssl.SSLError, ssl.CertificateError, aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch), Cause.TLS),
    (RedirectedError, Cause.ANSWER),
    (aiohttp.InvalidURL, Cause.ARGUMENT),
    (aiohttp.ServerDisconnectedError, Cause.RESET),
    (aiohttp.ClientResponseError, Cause.ANSWER),
)
"""The cause of each kind of exception; the first one that fits counts."""
# macOS says EHOSTDOWN where Linux says EHOSTUNREACH, and it may say ENOTCONN or EPROTOTYPE of a socket that is closing.
_RESET = (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ENOTCONN, errno.EPROTOTYPE)
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL)
_NUMBERS = {
    errno.ECONNREFUSED: Cause.REFUSED,
    errno.ETIMEDOUT: Cause.TIMEOUT,
    **dict.fromkeys(_RESET, Cause.RESET),
    **dict.fromkeys(_UNREACHABLE, Cause.UNREACHABLE),
}


def _cause_of_exception(error: Exception) -> Cause | None:
    for kinds, cause in _KINDS:
        if isinstance(error, kinds):
            return cause
    if isinstance(error, OSError):
        inner = _of_the_system(error)
        if isinstance(inner, socket.gaierror):
            return Cause.DNS
        # An error that asyncio makes up itself, as when a peer leaves in the middle of TLS, has no number.
        return _NUMBERS.get(inner.errno or 0, Cause.RESET if isinstance(inner, ConnectionError) else Cause.OTHER)
    return Cause.OTHER if isinstance(error, aiohttp.ClientError) else None


def _of_the_system(error: Exception) -> OSError:
    """The system's own error, which aiohttp may have wrapped."""
    inner = getattr(error, "os_error", error)
    return inner if isinstance(inner, OSError) else OSError()


def _detail(error: Exception) -> str:
    """What the system or OpenSSL says, and not the exception's text, which may contain anything."""
    inner = getattr(error, "certificate_error", None) or _of_the_system(error)
    if isinstance(inner, ssl.SSLError | ssl.CertificateError):
        why = getattr(inner, "verify_message", None) or getattr(inner, "reason", None) or type(inner).__name__
        return str(why).rstrip(".")
    if isinstance(inner, socket.gaierror):
        return str(inner.strerror or "")
    if isinstance(error, RedirectedError):
        return "a redirect to another address"
    return os.strerror(inner.errno) if inner.errno else type(error).__name__
