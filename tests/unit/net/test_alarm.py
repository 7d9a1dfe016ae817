"""A timer that may come nearer, and rings once."""

from __future__ import annotations

import asyncio
import math
import socket
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


async def test_it_can_be_put_off() -> None:
    alarm, rang = ringing()
    began = time.monotonic()
    alarm.set(began + 0.02)
    alarm.put_off(began)
    alarm.set(began + 0.1)
    await until(lambda: rang)
    assert rang[0] >= began + 0.095
    await holds(lambda: len(rang) == 1, for_s=0.05)


async def test_a_time_that_has_passed_rings_in_the_next_step_of_the_event_loop() -> None:
    alarm, rang = ringing()
    for at in (time.monotonic() - 5.0, -math.inf):
        alarm.set(at)
    assert not rang
    await until(lambda: rang, within_s=0.5)


async def test_an_alarm_that_the_event_loop_was_held_up_for_rings_after_what_came_meanwhile_is_read() -> None:
    steps: list[str] = []
    alarm = Alarm(lambda: steps.append("alarm"))
    alarm.start()
    here, there = socket.socketpair()
    here.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=here)

    async def read() -> None:
        await reader.readexactly(1)
        await asyncio.sleep(0)  # whoever is told takes a step of his own
        steps.append("read")

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    alarm.set(time.monotonic() + 0.02)
    there.send(b"x")
    time.sleep(0.2)  # noqa: ASYNC251 - it is the event loop that is held up
    await until(lambda: len(steps) == 2)
    assert steps == ["read", "alarm"]
    await reading
    writer.close()
    there.close()


async def test_an_alarm_that_is_late_again_and_again_rings_all_the_same() -> None:
    alarm, rang = ringing()
    began = time.monotonic()
    alarm.set(began + 0.01)
    for _ in range(10):
        time.sleep(0.1)  # noqa: ASYNC251
        await asyncio.sleep(0)
    assert rang
    assert rang[0] < began + 0.5


async def test_an_alarm_that_is_due_is_not_put_off_however_often_the_event_loop_is_held_up() -> None:
    alarm, rang = ringing()
    due_at = time.monotonic() + 0.01
    alarm.set(due_at)
    for _ in range(10):
        time.sleep(0.1)  # noqa: ASYNC251
        alarm.put_off(time.monotonic())
        alarm.set(due_at)
        await asyncio.sleep(0)
    assert rang
    assert rang[0] < due_at + 0.5


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
