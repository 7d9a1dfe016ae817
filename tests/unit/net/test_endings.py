"""What a failure means for what follows, and what the server said with it."""

from __future__ import annotations

import pytest
from livekit.agents import APIError, APITimeoutError
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.link import HangUp
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.core.retry import Failure
from livekit.plugins.cartesia_turns.errors import Cause, DroppedError, ServerError, UnreachableError
from livekit.plugins.cartesia_turns.net.endings import SocketEnd, answer_of, failure_of, reason_for
from livekit.plugins.cartesia_turns.wire.messages import Connected, ErrorMessage, TurnStart
from livekit.plugins.cartesia_turns.wire.options import Options

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


def call(*, hang_up: HangUp | None = None, served: bool = True) -> TurnsClient:
    client = TurnsClient(Options(), Limits(), 0.0)
    client.link_opened(Options(), 0.0)
    if served:
        client.receive(Connected("r"), 1.0)
        client.receive(TurnStart("r"), 1.0)
    if hang_up:
        client.sockets.hang_up_for(hang_up)
    return client


def test_the_end_of_a_socket_is_seen_as_it_stood_when_it_came() -> None:
    lost = DroppedError("lost", code=1006)
    end = SocketEnd.of(call(), lost, 5.0)
    assert (end.failure, end.drop, end.error, end.code) == (lost, lost, lost, 1006)
    assert (end.served_s, end.in_turn, end.reason) == (5.0, True, "lost")


def test_a_socket_without_connected_has_not_served_and_may_have_been_refused() -> None:
    end = SocketEnd.of(call(served=False), DroppedError("closed", code=1008), 5.0)
    assert (end.served_s, end.in_turn, end.code) == (0.0, False, 1008)
    assert end.failure is not None
    assert not end.failure.retryable


def test_a_socket_that_the_client_closed_ended_for_the_clients_reason() -> None:
    end = SocketEnd.of(call(hang_up=HangUp.STALLED), None, 5.0)
    assert (end.failure, end.drop, end.code, end.reason) == (None, None, None, HangUp.STALLED.value)
    assert isinstance(end.error, APITimeoutError)


@pytest.mark.parametrize(("code", "drops", "idle_closes"), [(1000, 0, 1), (1006, 1, 0)])
def test_the_client_is_told_how_the_socket_was_closed(code: int, drops: int, idle_closes: int) -> None:
    client = TurnsClient(Options(), Limits(), 0.0)
    client.link_opened(Options(), 0.0)
    client.receive(Connected("r"), 1.0)
    SocketEnd.of(client, DroppedError("closed", code=code), 5.0).tell(client, 2.0)
    assert (client.stats.drops, client.stats.idle_closes) == (drops, idle_closes)
    assert not client.sockets.is_connected
