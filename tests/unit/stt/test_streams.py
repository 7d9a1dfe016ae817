"""The streams of an STT: language, options and counters."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

import aiohttp
import pytest
from livekit.agents import stt as agents_stt
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.net.driver import Driver
from livekit.plugins.cartesia_turns.server import LocalServer
from support.calls import Call, calling, talking
from support.script import DIALOGUE, SAYS_NOTHING
from support.waiting import eventually, until


def make(**arguments: Any) -> cartesia_turns.STT:
    return cartesia_turns.STT(**{"api_key": "k", **arguments})


@pytest.mark.parametrize(
    ("arguments", "language", "label"),
    [({}, None, "en"), ({"language": "french"}, None, "fr"), ({"language": "fr"}, "pt_br", "pt-BR")],
)
async def test_every_transcript_is_labelled_with_the_language_that_is_expected(
    arguments: dict[str, Any], language: Any, label: str
) -> None:
    async with LocalServer(script=DIALOGUE) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key, **arguments)
        stream = owner.stream(language=language) if language else owner.stream()
        call = Call(owner, stream)
        call.push(0.6)
        await until(lambda: call.finals)
        await stream.aclose()
        await call.reader
        assert "language" not in dict(server.connections[0].query)
    assert {data.language for event in call.events for data in event.alternatives} == {label}


async def test_what_the_server_heard_labels_a_turn_before_what_was_expected() -> None:
    arguments: dict[str, Any] = {"model": "ink-preview", "language": "en", "language_hints": ["pt-BR"]}
    async with LocalServer(script=DIALOGUE) as server, calling(server, **arguments) as call:
        call.push(0.6)
        await until(lambda: call.finals)
        final = next(event for event in call.events if event.type is agents_stt.SpeechEventType.FINAL_TRANSCRIPT)
    assert [data.language for data in final.alternatives] == ["pt"]


async def test_a_language_that_changes_labels_what_comes_after_it() -> None:
    async with LocalServer(script=DIALOGUE) as server, calling(server) as call:
        call.push(0.25)
        await until(lambda: "INTERIM so " in call.log)
        call.stt.update_options(language="en_us")
        call.push(0.35)
        await until(lambda: call.finals)
        labels = [data.language for event in call.events for data in event.alternatives]
        assert (labels[0], labels[-1]) == ("en", "en-US")
        assert len(server.connections) == 1


async def test_a_streams_language_that_the_model_is_not_known_to_hear_is_warned_about_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner = make()
    for language in ("de", "de", "no language", "no language"):
        await owner.stream(language=language).aclose()
    warned = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [getattr(record, "value", "") for record in warned] == ["de", ""]


@pytest.mark.parametrize("language", ["en", "en-US", "", None, "x" * 50, 5])
async def test_no_language_breaks_a_stream(language: Any) -> None:
    owner = make()
    await owner.stream(language=language).aclose()


async def test_language_hints_go_out_as_base_codes_one_parameter_each() -> None:
    async with (
        LocalServer(script=SAYS_NOTHING) as server,
        calling(server, model="ink-preview", language_hints=["pt-BR", "english", "pt"]) as call,
    ):
        await until(lambda: call.named("connected"))
        assert [value for name, value in server.connections[0].query if name == "language_hint"] == ["pt", "en"]


async def test_closing_the_stt_closes_its_streams() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        async with talking(owner) as one, talking(owner) as two:
            await until(lambda: server.open_streams == 2)
            await owner.aclose()
            await until(lambda: one.is_over and two.is_over and server.open_streams == 0)
        await owner.aclose()


async def test_the_counters_of_all_streams_add_up_those_that_ended_too() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        for count in (1, 2):
            async with talking(owner) as call:
                call.push(0.5)
                await until(lambda count=count: owner.stats.sent_s == 0.5 * count)  # type: ignore[misc]
                assert owner.stats.connections == count
        assert (owner.stats.connections, owner.stats.sent_s, owner.stats.held_s) == (2, 1.0, 0.0)


async def test_a_stream_that_is_closed_before_it_ran_is_no_open_one() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, aiohttp.ClientSession() as session:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key, http_session=session)
        stream = owner.stream()
        await stream.aclose()
        owner.prewarm()
        await until(lambda: server.open_streams == 1)
        await owner.aclose()
        assert stream.stats.connections == 0


def test_options_can_be_changed_while_no_event_loop_runs() -> None:
    loop = asyncio.new_event_loop()
    server = LocalServer(script=SAYS_NOTHING, record=True)

    async def begin() -> Call:
        await server.start()
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        call = Call(owner, owner.stream())
        await until(lambda: call.named("connected"))
        return call

    async def end(call: Call) -> None:
        await until(lambda: server.connections[0].commands == ['{"type": "config", "turn": {"end_timeout_ms": 3000}}'])
        await call.stream.aclose()
        await call.reader
        await server.aclose()

    try:
        call = loop.run_until_complete(begin())
        call.stt.update_options(turn_end_timeout_ms=3000)
        loop.run_until_complete(end(call))
    finally:
        loop.close()


async def test_an_stt_may_have_streams_in_several_event_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    ready: Future[Call] = Future()
    updated: list[int] = []
    update = Driver.update

    def note(driver: Driver, options: Any) -> None:
        updated.append(threading.get_ident())
        update(driver, options)

    monkeypatch.setattr(Driver, "update", note)

    async def talk() -> int:
        async with talking(owner) as call:
            await until(lambda: call.named("connected"))
            ready.set_result(call)
            await eventually(lambda: call.is_over)
        return threading.get_ident()

    async with LocalServer(script=SAYS_NOTHING, record=True) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        elsewhere = asyncio.create_task(asyncio.to_thread(asyncio.run, talk()))
        await asyncio.wrap_future(ready)
        owner.update_options(turn_end_timeout_ms=3000)
        await until(lambda: server.connections[0].commands)
        async with talking(owner) as here:
            await until(lambda: here.named("connected"))
            await asyncio.wait_for(owner.aclose(), 5.0)
            await until(lambda: here.is_over and not server.open_streams)
        assert updated == [await elsewhere]
