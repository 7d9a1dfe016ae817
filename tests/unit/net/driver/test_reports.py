"""What is told of failed attempts and of sockets that are lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from urllib.parse import quote

import pytest
from livekit.plugins.cartesia_turns import ServerError
from livekit.plugins.cartesia_turns.core import feed as feed_module
from livekit.plugins.cartesia_turns.core import retry as retry_module
from livekit.plugins.cartesia_turns.core.events import ClientEvent, TurnEvent
from livekit.plugins.cartesia_turns.core.stats import Stats
from livekit.plugins.cartesia_turns.reporter import Reporter
from livekit.plugins.cartesia_turns.server import Faults, LocalServer, Script, say
from livekit.plugins.cartesia_turns.wire.messages import Connected, ErrorMessage, TurnStart, TurnUpdate
from support.calls import calling
from support.script import SAYS_NOTHING, START, end, playing, update
from support.waiting import until

UPDATE = update("a")
END = end("a b")


async def test_what_is_told_of_a_failed_attempt_says_which_failure_it_was(caplog: pytest.LogCaptureFixture) -> None:
    faults = [Faults(refuse=True), Faults(status=503)]
    async with LocalServer(script=playing(START, END), faults=faults) as server, calling(server) as call:
        call.speak(0.2)
        await until(lambda: "END" in call.log)
        assert [event.cause for event in call.named("connection_error")] == ["reset", "server"]
    logged = [record for record in caplog.records if record.message.startswith("connection failed, retrying")]
    assert [(vars(record)["cause"], vars(record).get("status_code")) for record in logged] == [
        ("reset", None),
        ("server", 503),
    ]
    assert "cut off" in logged[0].message
    assert "the server reported an error (503)" in logged[1].message


@pytest.mark.parametrize("code", [None, 1000, 1011])
async def test_a_socket_that_is_lost_in_mid_turn_is_one_warning(
    code: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with LocalServer(script=[playing(START, UPDATE), playing(START, END)]) as server, calling(server) as call:
        call.speak(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await server.drop_all(code)
        call.speak(0.2)
        await until(lambda: "END" in call.log)
    logged = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert logged == ["the socket was lost in mid-turn, continuing on a new one"]


async def test_a_socket_that_is_lost_before_connected_is_told_as_a_failed_attempt_though_nobody_speaks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = [Faults(no_connected=True, drop_at_s=0.0, drop_code=1011), Faults()]
    async with LocalServer(script=SAYS_NOTHING, faults=faults) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: call.named("connection_error"))
        call.push(0.2)
        await until(lambda: call.named("connected"))
        assert [event.cause for event in call.named("connection_error")] == ["dropped"]
    logged = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [vars(record)["cause"] for record in logged] == ["dropped"]


@pytest.mark.parametrize("lives_s", [0.0, 10.0])
async def test_one_drop_in_mid_turn_is_one_warning(
    lives_s: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retry_module, "STEADY_AFTER_S", lives_s)
    scripts = [playing(START, UPDATE), playing(START, END)]
    async with LocalServer(script=scripts) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await server.drop_all(1011)
        await until(lambda: "END" in call.log)
    assert [vars(record)["code"] for record in caplog.records if record.levelname == "WARNING"] == [1011]


async def test_the_reason_of_an_end_is_a_static_text_with_the_status_and_nothing_that_the_server_said() -> None:
    script = playing(START, UPDATE, ErrorMessage("I can not hear: a", "a secret title", 503))
    async with LocalServer(script=[script, SAYS_NOTHING]) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: call.named("disconnected"))
    assert call.named("disconnected")[0].reason == "the server reported an error (503)"


async def test_settings_that_the_server_refuses_after_the_upgrade_surface_although_the_input_has_ended() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server, turn_end_timeout_ms=20) as call:
        call.push(0.2)
        call.stream.end_input()
        await call.over()
    assert isinstance(call.raised, ServerError)
    assert (call.raised.status_code, call.raised.retryable) == (400, False)
    assert "turn_end_timeout_ms=20" in str(call.raised)
    assert len(call.named("connection_error")) == 1


@pytest.mark.parametrize("spell", [str, str.upper, lambda key: quote(key, safe="")])
async def test_a_key_that_comes_back_as_an_id_is_told_to_nobody(
    spell: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    key = "sk-the/very secret key"
    echo = spell(key)
    script = Script([say(0.0, Connected(echo)), say(0.1, TurnStart(echo, echo)), say(0.1, TurnUpdate(echo, "a", echo))])
    server = LocalServer(script=[script, playing(END)], key=key, faults=[Faults(no_connected=True), Faults()])
    async with server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "INTERIM a" in call.log)
        await server.drop_all(1011)
        await until(lambda: "END" in call.log)
    told = [call.named("connected")[0].request_id, call.events[0].request_id, call.named("turn_start")[0].request_id]
    assert told == ["***"] * 3
    shown = f"{call.events} {call.public} {[vars(record) for record in caplog.records]}"
    assert echo not in shown


async def test_the_counters_are_told_with_all_events_but_new_text(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[list[str], bool]] = []
    report = Reporter.events

    def noted(reporter: Reporter, events: Sequence[ClientEvent], stats: Stats | None) -> None:
        kinds = [event.kind.name for event in events if isinstance(event, TurnEvent)]
        told.append((kinds, stats is not None))
        report(reporter, events, stats)

    monkeypatch.setattr(Reporter, "events", noted)
    async with LocalServer(script=playing(START, UPDATE, END)) as server, calling(server) as call:
        call.speak(0.5)
        await until(lambda: "END" in call.log)
    assert [kinds for kinds, _ in told] == [["START"], ["UPDATE"], ["END"]]
    assert [has_counters for _, has_counters in told] == [True, False, True]


async def test_what_is_due_is_told_in_a_call_whose_event_loop_is_held_up_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[ClientEvent] = []
    monkeypatch.setattr(Reporter, "events", lambda _reporter, events, _stats: told.extend(events))
    monkeypatch.setattr(feed_module, "USAGE_EVERY_S", 0.1)
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        call.push(0.02)
        await until(lambda: call.named("connected"))
        for _ in range(6):
            time.sleep(0.4)  # noqa: ASYNC251 - it is the event loop that is held up
            for _ in range(20):
                call.push(0.02)
            await asyncio.sleep(0)
            if told:
                break
        assert told
