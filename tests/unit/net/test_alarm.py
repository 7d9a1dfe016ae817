"""A timer that may come nearer, and rings once."""

from __future__ import annotations

import asyncio
import math
import time
from contextvars import ContextVar

from livekit.plugins.cartesia_turns.net.alarm import Alarm
from support.waiting import holds, until

WHOSE: ContextVar[str] = ContextVar("whose", default="nobody's")


def ringing() -> tuple[Alarm, list[float]]:
    """An alarm that is on, and the times at which it rang."""
    times: list[float] = []
    alarm = Alarm(lambda: times.append(time.monotonic()))
    alarm.start()
    return alarm, times


async def test_it_rings_at_the_earliest_time_and_once() -> None:
    alarm, rang = ringing()
    began = time.monotonic()
    for after_s in (0.2, 0.03, 0.1):
        alarm.set(began + after_s)
    await until(lambda: rang)
    assert began + 0.025 < rang[0] < began + 0.2
    await holds(lambda: len(rang) == 1, for_s=0.25)


async def test_a_time_that_has_passed_rings_in_the_next_step_of_the_event_loop() -> None:
    alarm, rang = ringing()
    for at in (time.monotonic() - 5.0, -math.inf):
        alarm.set(at)
    assert not rang
    await until(lambda: rang, within_s=0.5)


async def test_it_rings_in_the_context_in_which_it_was_started_whoever_sets_it() -> None:
    rang: list[str] = []
    alarm = Alarm(lambda: rang.append(WHOSE.get()))
    WHOSE.set("the stream's")
    alarm.start()

    async def set_it() -> None:
        WHOSE.set("somebody else's")
        alarm.set(time.monotonic())

    await asyncio.create_task(set_it())
    await until(lambda: rang)
    assert rang == ["the stream's"]


async def test_it_can_be_set_anew_from_what_it_calls() -> None:
    rang: list[float] = []

    def ring() -> None:
        rang.append(time.monotonic())
        alarm.set(rang[-1] + 0.01)

    alarm = Alarm(ring)
    alarm.start()
    alarm.set(time.monotonic())
    await until(lambda: len(rang) == 3)
    alarm.stop()
    assert rang[2] - rang[0] > 0.015


async def test_it_never_rings_where_no_time_is_set_or_after_it_was_stopped() -> None:
    alarm, rang = ringing()
    alarm.set(math.inf)
    alarm.set(time.monotonic() + 0.02)
    alarm.stop()
    alarm.set(time.monotonic())
    await asyncio.sleep(0.05)
    assert not rang
