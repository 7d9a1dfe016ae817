"""What follows the end of a socket: what the listener is told, and what is waited for or raised."""

from __future__ import annotations

import time

import pytest
from livekit.agents import APIError
from livekit.plugins.cartesia_turns.core.backoff import RetryPolicy
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.limits import Limits
from livekit.plugins.cartesia_turns.errors import DroppedError, ServerError
from livekit.plugins.cartesia_turns.net.attempts import Attempts
from livekit.plugins.cartesia_turns.net.listener import Listener
from livekit.plugins.cartesia_turns.reporter import Reporter
from livekit.plugins.cartesia_turns.wire.messages import ErrorMessage
from livekit.plugins.cartesia_turns.wire.options import Options

ODD = ServerError(ErrorMessage("No.", "Refused", 409))
NO_KEY = ServerError(ErrorMessage("No.", "Refused", 401))
GONE = DroppedError("gone", code=1006)


class Noter(Reporter):
    """Is told of failed attempts, and notes them."""

    def __init__(self) -> None:
        self.told: list[tuple[APIError, float | None]] = []

    def attempt_failed(self, error: APIError, retry_in_s: float | None) -> None:
        self.told.append((error, retry_in_s))


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
