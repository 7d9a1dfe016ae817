"""Any exception becomes an API error with its cause, and without its text."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

import aiohttp
import pytest
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError
from livekit.plugins.cartesia_turns.errors import (
    Cause,
    DroppedError,
    ServerError,
    UnreachableError,
    cause_of,
    reason_of,
)
from livekit.plugins.cartesia_turns.net.causes import RedirectedError, as_api_error, proxy_refusal
from livekit.plugins.cartesia_turns.wire.messages import ErrorMessage

SECRET = "sk_car_secret"


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        (asyncio.TimeoutError(SECRET), APITimeoutError, True),
        (TimeoutError(SECRET), APITimeoutError, True),
        (aiohttp.ClientError(SECRET), UnreachableError, True),
        (aiohttp.ServerDisconnectedError(SECRET), UnreachableError, True),
        (ConnectionResetError(104, "reset by peer"), UnreachableError, True),
        (OSError(SECRET), UnreachableError, True),
        (ssl.SSLCertVerificationError(SECRET), UnreachableError, False),
        (RedirectedError(SECRET), UnreachableError, False),
        (aiohttp.InvalidURL(f"wss://x?key={SECRET}"), UnreachableError, False),
        (RuntimeError(SECRET), APIConnectionError, False),
        (ValueError(SECRET), APIConnectionError, False),
        (KeyError(SECRET), APIConnectionError, False),
    ],
)
def test_any_exception_becomes_an_api_error_without_its_text(
    error: Exception, kind: type[APIError], retryable: bool
) -> None:
    made = as_api_error(error)
    assert type(made) is kind
    assert made.retryable == retryable
    assert SECRET not in repr(made) + str(made)


def test_what_openssl_says_is_told_as_part_of_a_sentence() -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "Hostname mismatch, certificate is not valid for 'x.example'."
    assert "not valid for 'x.example'. Check" in str(as_api_error(error))


def test_an_api_error_stays_what_it_is() -> None:
    error = APIStatusError("m", status_code=401)
    assert as_api_error(error) is error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (socket.gaierror(-2, "Name or service not known"), Cause.DNS),
        (ConnectionRefusedError(errno.ECONNREFUSED, SECRET), Cause.REFUSED),
        (OSError(errno.ENETUNREACH, SECRET), Cause.UNREACHABLE),
        (OSError(errno.EHOSTDOWN, SECRET), Cause.UNREACHABLE),
        (ConnectionResetError(errno.ECONNRESET, SECRET), Cause.RESET),
        (ConnectionResetError(SECRET), Cause.RESET),
        (OSError(errno.EPROTOTYPE, SECRET), Cause.RESET),
        (aiohttp.ServerDisconnectedError(SECRET), Cause.RESET),
        (ssl.SSLCertVerificationError(1, SECRET), Cause.TLS),
        (ssl.SSLError(1, SECRET), Cause.TLS),
        (OSError(errno.ETIMEDOUT, SECRET), Cause.TIMEOUT),
        (TimeoutError(SECRET), Cause.TIMEOUT),
        (RedirectedError(), Cause.ANSWER),
        (aiohttp.InvalidURL(SECRET), Cause.ARGUMENT),
        (OSError(SECRET), Cause.OTHER),
        (ServerError(ErrorMessage(SECRET, status_code=503)), Cause.SERVER),
        (DroppedError("gone"), Cause.DROPPED),
        (KeyError(SECRET), Cause.OTHER),
    ],
)
def test_each_failure_has_its_cause_and_a_reason_that_quotes_nobody(error: Exception, cause: Cause) -> None:
    made = as_api_error(error)
    assert cause_of(made) is cause
    assert SECRET not in reason_of(made)


@pytest.mark.parametrize(("status", "passes"), [(407, False), (403, False), (429, True), (502, True), (503, True)])
def test_a_proxy_that_refuses_is_tried_again_where_that_can_help(status: int, passes: bool) -> None:
    error = proxy_refusal(status)
    assert error.retryable == passes
    assert "proxy" in str(error)
