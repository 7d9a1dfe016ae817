from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from livekit.plugins.cartesia_turns.emitter import call


def raising(error: BaseException) -> Callable[[object], None]:
    def fail(_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    "error",
    [ValueError("mine"), TypeError("mine"), asyncio.CancelledError(), GeneratorExit(), BaseException("mine")],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_handler_raises_the_next_one_is_called(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[object] = []
    call([raising(error), heard.append], "turn_start", ("event",))
    assert heard == ["event"]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=lambda error: type(error).__name__)
def test_what_is_to_end_the_program_does(error: BaseException) -> None:
    with pytest.raises(type(error)):
        call([raising(error)], "turn_start", ("event",))


def test_a_handler_gets_as_many_arguments_as_it_takes() -> None:
    heard: list[tuple[object, ...]] = []
    call(
        [lambda: heard.append(()), lambda one: heard.append((one,)), lambda *all_: heard.append(all_)],
        "turn_start",
        ("a", "b"),
    )
    assert heard == [(), ("a",), ("a", "b")]


def test_a_handler_may_take_another_away() -> None:
    handlers: dict[Callable[[], None], None] = {}

    def first() -> None:
        handlers.pop(second)

    def second() -> None:
        heard.append("second")

    heard: list[str] = []
    handlers[first] = handlers[second] = None
    call(handlers, "turn_start", ())
    assert heard == ["second"], "this time it was there"
