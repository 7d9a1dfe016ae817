"""Every failure is an API error that says whether it may pass, and none of them tells a secret."""

from __future__ import annotations

import pytest
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError
from livekit.plugins.cartesia_turns.errors import (
    Cause,
    DroppedError,
    ServerError,
    UnreachableError,
    bare,
    came_from_outside,
    may_pass,
    reason_of,
    status_of,
)
from livekit.plugins.cartesia_turns.net.causes import proxy_refusal
from livekit.plugins.cartesia_turns.wire.messages import ErrorMessage
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
    ("error", "outside"),
    [
        (ServerError(ErrorMessage("m", status_code=409), in_band=False), True),
        (ServerError(ErrorMessage("m", status_code=409)), True),
        (UnreachableError(Cause.ANSWER), True),
        (UnreachableError(Cause.ARGUMENT), False),
        (APITimeoutError("no answer"), True),
        (APIConnectionError("the stream failed unexpectedly"), False),
    ],
)
def test_an_error_from_outside_is_told_from_what_is_wrong_here(error: APIError, outside: bool) -> None:
    assert came_from_outside(error) == outside


def test_the_reason_names_the_status_that_the_server_or_the_proxy_answered_with() -> None:
    assert reason_of(ServerError(ErrorMessage("m", "t", 503))) == f"{Cause.SERVER.value} (503)"
    assert reason_of(proxy_refusal(407)) == f"{Cause.PROXY.value} (407)"
    assert (status_of(proxy_refusal(407)), status_of(DroppedError("gone"))) == (407, None)


@pytest.mark.parametrize(
    ("message", "is_vendors"),
    [
        (ErrorMessage("No such key.", "Unauthorized", 401), True),
        (ErrorMessage("No such key.", status_code=401, error_code="nope"), True),
        (ErrorMessage("Forbidden", status_code=403), False),
        (ErrorMessage("", status_code=403), False),
    ],
)
def test_a_refusal_is_the_servers_own_where_it_has_the_fields_of_one(message: ErrorMessage, is_vendors: bool) -> None:
    assert ServerError(message, in_band=False).is_vendors == is_vendors
    assert ServerError(message).is_vendors


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
