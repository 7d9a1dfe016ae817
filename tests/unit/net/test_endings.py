"""What a failure means for what follows, and what the server said with it."""

from __future__ import annotations

import pytest
from livekit.agents import APIError, APITimeoutError
from livekit.plugins.cartesia_turns.core.retry import Failure
from livekit.plugins.cartesia_turns.errors import Cause, DroppedError, ServerError, UnreachableError
from livekit.plugins.cartesia_turns.net.endings import answer_of, failure_of, reason_for
from livekit.plugins.cartesia_turns.wire.messages import ErrorMessage

SAID = ErrorMessage("No.", "Refused", 400, "nope")
GATEWAYS = ErrorMessage("Forbidden", status_code=403)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (DroppedError("lost"), Failure(is_drop=True, from_outside=True)),
        (DroppedError("left", code=1001), Failure(is_drop=True, is_clean=True, from_outside=True)),
        (DroppedError("no", code=1008, retryable=False), Failure(False, is_drop=True, from_outside=True)),
        (APITimeoutError("late"), Failure(from_outside=True)),
        (UnreachableError(Cause.TLS, retryable=False), Failure(retryable=False, from_outside=True)),
        (UnreachableError(Cause.ARGUMENT, retryable=False), Failure(retryable=False)),
        (APIError("of this side", retryable=False), Failure(retryable=False)),
        (ServerError(SAID), Failure(retryable=False, from_outside=True, vendors_status=400)),
        (ServerError(GATEWAYS, in_band=False), Failure(retryable=False, from_outside=True)),
        (
            ServerError(ErrorMessage("Busy.", "Later", 429), in_band=False, retry_after_s=7.0),
            Failure(from_outside=True, vendors_status=429, retry_after_s=7.0),
        ),
    ],
)
def test_a_failure_is_told_in_the_terms_of_the_decision(error: APIError, failure: Failure) -> None:
    assert failure_of(error) == failure


def test_a_socket_that_is_closed_behind_an_error_ended_for_that_error() -> None:
    reason = reason_for(DroppedError("closed", code=1000), SAID, served=True)
    assert isinstance(reason, ServerError)
    assert reason.status_code == 400


def test_a_socket_that_is_closed_as_not_allowed_in_place_of_connected_is_refused() -> None:
    closed = DroppedError("closed", code=1008)
    refused = reason_for(closed, None, served=False)
    assert refused is not None
    assert not refused.retryable
    assert reason_for(closed, None, served=True) is closed


def test_any_other_failure_is_its_own_reason() -> None:
    late = APITimeoutError("late")
    assert reason_for(late, SAID, served=True) is late
    assert reason_for(None, SAID, served=True) is None


def test_the_servers_answer_is_read_from_its_error_and_from_no_other() -> None:
    answer = answer_of(ServerError(SAID, in_band=False))
    assert answer is not None
    assert (answer.status_code, answer.error_code) == (400, "nope")
    assert answer_of(APITimeoutError("late")) is None
