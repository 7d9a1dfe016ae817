"""What follows the end of a socket: what the listener is told, and what is waited for or raised."""

from __future__ import annotations

import time

import pytest
from livekit.agents import APIError
from livekit.plugins.cartesia_turns.core.backoff import RetryPolicy
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.link import HangUp
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.errors import DroppedError, ServerError
from livekit.plugins.cartesia_turns.net.attempts import Attempts, Listener
from livekit.plugins.cartesia_turns.net.endings import SocketEnd
from livekit.plugins.cartesia_turns.reporter import Reporter
from livekit.plugins.cartesia_turns.wire.messages import Connected, ErrorMessage, TurnEnd
from livekit.plugins.cartesia_turns.wire.options import Options

ODD = ServerError(ErrorMessage("No.", "Refused", 409))
NO_KEY = ServerError(ErrorMessage("No.", "Refused", 401))
GONE = DroppedError("gone", code=1006)


class Noter(Reporter):
    """Is told of failed attempts, and notes them."""

    def __init__(self) -> None:
        self.told: list[tuple[APIError, float | None]] = []
        self.sockets: list[tuple[object, ...]] = []

    def attempt_failed(self, error: APIError, retry_in_s: float | None) -> None:
        self.told.append((error, retry_in_s))

    def connected(self, request_id: str, connect_s: float, *, reused: bool, is_first: bool) -> None:
        self.sockets.append((request_id, connect_s >= 1.0, reused, is_first))

    def disconnected(self, reason: str, code: int | None) -> None:
        self.sockets.append((reason, code))

    def dropped(self, error: DroppedError, *, in_turn: bool, at_once: bool) -> None:
        self.sockets.append((error, in_turn, at_once))


def attempts(*, in_call: bool = False, patience_s: float = 30.0) -> tuple[Attempts, Noter]:
    noter = Noter()
    listener: Listener = noter
    client = TurnsClient(Options(), Limits(), time.monotonic())
    subject = Attempts(client, listener, RetryPolicy(max_retry=0, patience_s=patience_s))
    subject.in_call = in_call
    return subject, noter


@pytest.mark.parametrize(("error", "in_call"), [(ODD, False), (NO_KEY, False), (NO_KEY, True)])
async def test_a_failure_that_waiting_can_not_help_is_told_and_raised(error: APIError, *, in_call: bool) -> None:
    subject, noter = attempts(in_call=in_call)
    decision = subject.decide(subject.ending(error))
    with pytest.raises(ServerError) as caught:
        await subject.go_on(decision, error)
    assert caught.value is error
    assert noter.told == [(error, None)]


@pytest.mark.parametrize(("error", "in_call"), [(ODD, True), (GONE, False), (GONE, True)])
async def test_any_other_failure_is_told_with_the_wait_that_follows(error: APIError, *, in_call: bool) -> None:
    subject, noter = attempts(in_call=in_call)
    decision = subject.decide(subject.ending(error))
    began = time.monotonic()
    await subject.go_on(decision, error)
    [(told, delay_s)] = noter.told
    assert told is error
    assert delay_s is not None
    assert delay_s > 0
    # The clock of uvloop counts milliseconds.
    assert time.monotonic() - began > delay_s - 0.005


async def test_failures_are_counted_from_one_decision_to_the_next_until_one_succeeds() -> None:
    subject, _ = attempts()
    first, second = (subject.decide(subject.ending(GONE)).delay_s or 0.0 for _ in range(2))
    assert first < second
    subject.history.succeeded()
    assert subject.history.delay_after_failure(time.monotonic() + 60.0, jitter=0.0) == pytest.approx(0.1)


def test_connected_is_told_with_the_time_since_the_attempt_began_and_the_end_of_a_turn_is_a_success() -> None:
    subject, noter = attempts()
    subject.begin()
    subject.heard(Connected("r"), time.monotonic() + 1.0, reused=True)
    assert subject.in_call
    assert noter.sockets == [("r", True, True, False)]
    subject.decide(subject.ending(GONE))
    subject.heard(TurnEnd("r", "so"), time.monotonic())
    assert subject.history.delay_after_failure(time.monotonic() + 60.0, jitter=0.0) == pytest.approx(0.1)


def test_a_socket_that_was_lost_is_told_with_what_follows() -> None:
    subject, noter = attempts(in_call=True)
    decision = subject.socket_over(SocketEnd(GONE, None, 1006, 60.0, in_turn=True))
    assert decision.delay_s == 0.0
    assert noter.sockets == [("gone", 1006), (GONE, True, True)]


def test_a_socket_that_the_client_closed_is_no_drop() -> None:
    subject, noter = attempts(in_call=True)
    subject.socket_over(SocketEnd(None, HangUp.ROTATE, None, 60.0, in_turn=False))
    assert noter.sockets == [(HangUp.ROTATE.value, None)]


def test_a_server_that_says_connected_twice_is_connected_once_in_each_attempt() -> None:
    subject, noter = attempts()
    for request_id in ("one", "two"):
        subject.begin()
        for _ in range(2):
            subject.heard(Connected(request_id), time.monotonic())
    assert [told[0] for told in noter.sockets] == ["one", "two"]
