"""The events that an STT emits, and their handlers."""

from __future__ import annotations

import asyncio
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any

import pytest
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.server import Faults, LocalServer
from support.calls import PUBLIC_EVENTS, calling, talking
from support.script import DIALOGUE
from support.waiting import until


def make(**arguments: Any) -> cartesia_turns.STT:
    return cartesia_turns.STT(**{"api_key": "k", **arguments})


async def test_each_event_of_the_stt_is_a_frozen_dataclass_with_its_data() -> None:
    async with LocalServer(script=DIALOGUE) as server, calling(server) as call:
        call.push(0.6)
        await until(lambda: call.named("turn_end"))
        server.faults = Faults(status=503)
        await server.drop_all(1011)
        call.push(0.6)
        await until(lambda: call.named("connection_error"))
        request_id = server.connections[0].request_id
    assert {name for name, _ in call.public} == set(PUBLIC_EVENTS)
    assert [name for name, _ in call.public][:6] == [
        *("connected", "turn_start", "turn_update", "turn_eager_end", "turn_resume", "turn_end")
    ]
    texts = [event.transcript for name, event in call.public if name in ("turn_update", "turn_eager_end", "turn_end")]
    assert texts == ["so ", "so long", "so long then"]
    assert call.named("turn_resume")[0].transcript == "so long"
    assert call.named("connected")[0].connect_s > 0
    assert (call.named("disconnected")[0].code, call.named("disconnected")[0].request_id) == (1011, request_id)
    assert call.named("connection_error")[0].error.status_code == 503
    assert call.named("connection_error")[0].retry_in_s is not None
    for _, event in call.public:
        assert is_dataclass(event)
        with pytest.raises(FrozenInstanceError):
            setattr(event, fields(event)[0].name, None)


@pytest.mark.parametrize(
    "error",
    [ValueError("mine"), TypeError("mine"), KeyError("mine"), asyncio.TimeoutError(), asyncio.CancelledError()],
    ids=lambda error: type(error).__name__,
)
async def test_a_handler_that_raises_harms_neither_the_stream_nor_the_other_handlers(error: BaseException) -> None:
    def fail(_: object) -> None:
        raise error

    async with LocalServer(script=DIALOGUE) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        for name in (*PUBLIC_EVENTS, "error", "metrics_collected"):
            owner.on(name, fail)  # type: ignore[call-overload]  # a str is not a Literal
        async with talking(owner) as call:
            call.push(0.6)
            await until(lambda: "END" in call.log)
            server.faults = Faults(status=401)
            await server.drop_all(1011)
            call.push(0.6)
            await call.over()
    assert {name for name, _ in call.public} == set(PUBLIC_EVENTS)
    assert len(call.errors) == 1


async def test_a_handler_may_come_go_and_take_no_argument() -> None:
    heard: list[str] = []
    owner = make()
    owner.once("turn_start", lambda _: heard.append("once"))
    handler = owner.on("turn_start", lambda: heard.append("always"))
    for _ in range(2):
        owner.emit("turn_start", None)
    owner.off("turn_start", handler)
    owner.emit("turn_start", None)
    assert sorted(heard) == ["always", "always", "once"]


def test_a_handler_for_an_event_that_never_comes_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    owner = make()
    for name in PUBLIC_EVENTS:
        owner.on(name, print)  # type: ignore[call-overload]  # a str is not a Literal
    owner.on("metrics_collected", print)
    owner.on("error")(print)
    assert caplog.messages == []
    owner.on("turn_ends", print)  # type: ignore[call-overload]  # the mistake that this is about
    owner.once("turn_started", print)  # type: ignore[call-overload]  # and this
    assert "'turn_ends', which this STT never emits; it emits connected, " in caplog.messages[0]
    assert [vars(record)["event"] for record in caplog.records] == ["turn_ends", "turn_started"]


def test_an_async_handler_is_refused() -> None:
    async def handler(_: object) -> None: ...

    with pytest.raises(ValueError, match="async"):
        make().on("turn_start", handler)
