"""Every failure is an API error that says whether it may pass, and none of them tells a secret."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError
from livekit.plugins.cartesia_turns.errors import DroppedError, ServerError, as_api_error, bare, may_pass, without
from livekit.plugins.cartesia_turns.messages import ErrorMessage
from support.exposed import exposed

SECRET = "sk_car_secret"


@pytest.mark.parametrize(
    ("status", "passes"),
    [
        (400, False),
        (401, False),
        (402, False),
        (403, False),
        (404, False),
        (408, True),
        (429, True),
        (500, True),
        (503, True),
    ],
)
def test_a_status_tells_whether_another_attempt_can_help(status: int, passes: bool) -> None:
    assert may_pass(status) == passes
    assert ServerError(ErrorMessage("m", status_code=status)).retryable == passes


def test_what_the_server_said_is_kept() -> None:
    told = ErrorMessage("too many", "Limit", 429, "concurrency_limited", "request 1", "https://docs/x")
    error = ServerError(told, retry_after_s=3.0)
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.request_id, error.retry_after_s) == (429, "request 1", 3.0)
    assert (error.title, error.error_code, error.doc_url) == ("Limit", "concurrency_limited", "https://docs/x")
    assert "Limit: too many (see https://docs/x)" in str(error)


def test_a_server_that_gives_no_reason_is_said_to() -> None:
    assert "without a reason" in str(ServerError(ErrorMessage("")))


@pytest.mark.parametrize(("code", "is_clean"), [(1000, True), (1001, True), (1005, True), (1006, False), (1011, False)])
def test_a_close_code_tells_whether_the_server_meant_it(code: int, is_clean: bool) -> None:
    assert DroppedError("gone", code=code).is_clean == is_clean
    assert DroppedError("gone", code=code).retryable


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        (asyncio.TimeoutError(SECRET), APITimeoutError, True),
        (TimeoutError(SECRET), APITimeoutError, True),
        (aiohttp.ClientError(SECRET), APIConnectionError, True),
        (aiohttp.ServerDisconnectedError(SECRET), APIConnectionError, True),
        (ConnectionResetError(104, "reset by peer"), APIConnectionError, True),
        (OSError(SECRET), APIConnectionError, True),
        (aiohttp.InvalidURL(f"wss://x?key={SECRET}"), APIConnectionError, False),
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


def test_an_api_error_stays_what_it_is() -> None:
    error = APIStatusError("m", status_code=401)
    assert as_api_error(error) is error


@given(st.text(max_size=30), st.lists(st.text(max_size=4), max_size=3))
def test_secrets_are_blotted_out(text: str, secrets: list[str]) -> None:
    clean = without(text + "".join(secrets), [secret for secret in secrets if "*" not in secret])
    assert all(secret not in clean for secret in secrets if secret and "*" not in secret)


def fail_with(key: str) -> None:
    try:
        raise ValueError
    except ValueError:
        raise DroppedError(f"gone after {len(key)}") from KeyError(key)


def test_a_bare_error_has_neither_frames_nor_causes_and_still_says_what_was_wrong() -> None:
    with pytest.raises(DroppedError) as caught:
        fail_with(SECRET)
    assert SECRET in exposed(caught.value)
    assert bare(caught.value) is caught.value
    assert SECRET not in exposed(caught.value)
    assert "gone after" in str(caught.value)
