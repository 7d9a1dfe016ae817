from __future__ import annotations

import asyncio
import logging

import pytest
from livekit.plugins.cartesia_turns.net.tasks import begin, finish, is_running, until_done
from support.waiting import until


async def forever() -> None:
    await asyncio.Event().wait()


async def fail(error: Exception) -> None:
    raise error


async def work(result: int) -> int:
    return result


async def ticks(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_end_of_the_main_task_ends_its_helpers() -> None:
    before = asyncio.all_tasks()
    await until_done(work(1), forever(), forever())
    assert asyncio.all_tasks() == before


async def test_a_future_may_take_the_place_of_the_main_task() -> None:
    before = asyncio.all_tasks()
    over = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.01, over.set_result, None)
    await until_done(over, forever())
    assert asyncio.all_tasks() == before


async def test_a_failing_future_ends_its_helpers_and_its_exception_is_raised() -> None:
    before = asyncio.all_tasks()
    over = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.01, over.set_exception, ValueError("one"))
    with pytest.raises(ValueError, match="one"):
        await until_done(over, forever())
    assert asyncio.all_tasks() == before


async def test_a_helper_that_returns_ends_nothing() -> None:
    done: list[str] = []

    async def main() -> None:
        await ticks(5)
        done.append("main")

    await until_done(main(), work(1))
    assert done == ["main"]


async def test_a_failing_helper_ends_all_and_its_exception_is_raised() -> None:
    before = asyncio.all_tasks()
    with pytest.raises(ValueError, match="one"):
        await until_done(forever(), fail(ValueError("one")))
    assert asyncio.all_tasks() == before


async def test_of_several_failures_at_once_the_first_in_order_counts_and_none_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(20):
        with pytest.raises(ValueError, match="one"):
            await until_done(forever(), fail(ValueError("one")), fail(KeyError("two")))
    assert not caplog.records


async def test_a_task_that_is_cancelled_from_outside_is_a_failure_and_no_cancellation() -> None:
    async def be_cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="cancelled"):
        await until_done(forever(), be_cancelled())


async def test_a_cancellation_gets_through_to_every_task() -> None:
    before = asyncio.all_tasks()
    outer = asyncio.create_task(until_done(forever(), forever()))
    await ticks(2)
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer
    assert asyncio.all_tasks() == before


async def test_a_task_that_takes_too_long_is_cancelled() -> None:
    task = await finish(asyncio.create_task(forever()), 0.01)
    assert task.cancelled()


async def test_a_task_that_ends_in_time_keeps_its_result_or_its_exception(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert (await finish(asyncio.create_task(work(7)), 1)).result() == 7
    assert isinstance((await finish(asyncio.create_task(fail(KeyError())), 1)).exception(), KeyError)


@pytest.mark.parametrize("delay", range(6))
async def test_no_cancellation_is_swallowed_however_close_the_end_of_the_work_is(delay: int) -> None:
    # asyncio.wait_for fails here before Python 3.12.
    event = asyncio.Event()
    loop = asyncio.create_task(finish_again_and_again(event))
    await ticks(5)
    event.set()
    await ticks(delay)
    loop.cancel()
    await until(loop.done, within_s=1)
    assert loop.cancelled()


async def finish_again_and_again(event: asyncio.Event) -> None:
    while True:
        await finish(asyncio.create_task(event.wait()), 10)
        event.clear()


async def test_a_coroutine_without_a_wait_is_done_at_once() -> None:
    done: list[int] = []

    async def append() -> None:
        done.append(1)

    assert begin(append()) is None
    assert done == [1]


async def test_what_a_coroutine_raises_before_its_first_wait_is_raised() -> None:
    with pytest.raises(ValueError, match="one"):
        begin(fail(ValueError("one")))


async def test_the_rest_of_a_coroutine_that_waits_is_a_task() -> None:
    done: list[str] = []
    event = asyncio.Event()

    async def wait_twice() -> None:
        done.append("begun")
        await event.wait()
        await asyncio.sleep(0)
        done.append("ended")

    rest = begin(wait_twice())
    assert rest is not None
    assert done == ["begun"]
    event.set()
    await asyncio.wait_for(rest, 5)
    assert done == ["begun", "ended"]


async def test_the_rest_of_a_coroutine_can_be_cancelled() -> None:
    rest = begin(forever())
    assert rest is not None
    await ticks(2)
    rest.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rest


async def test_what_the_rest_of_a_coroutine_raises_is_the_tasks_exception() -> None:
    async def fail_later() -> None:
        await asyncio.sleep(0)
        raise ValueError("one")

    rest = begin(fail_later())
    assert rest is not None
    with pytest.raises(ValueError, match="one"):
        await rest


def test_a_loop_runs_the_code_that_it_runs_and_no_other() -> None:
    loop, other = asyncio.new_event_loop(), asyncio.new_event_loop()

    async def ask() -> tuple[bool, bool]:
        return is_running(loop), is_running(other)

    assert loop.run_until_complete(ask()) == (True, False)
    assert not is_running(loop)
    loop.close()
    other.close()
