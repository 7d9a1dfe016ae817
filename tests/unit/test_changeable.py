"""Options that change on a running STT."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.server import Faults, LocalServer, Script, say
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnStart
from support.calls import calling, talking
from support.script import SAYS_NOTHING
from support.waiting import until

SEVEN_HINTS = ["pt", "en", "fr", "es", "it", "de", "nl"]


def make(**arguments: Any) -> cartesia_turns.STT:
    return cartesia_turns.STT(**{"api_key": "k", **arguments})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "ink-3"}, ("model", "'ink-2'", "'ink-3'", "new STT")),
        ({"language": "no language"}, ("language", "'no language'")),
        ({"language_hints": 7}, ("language_hints", "int")),
        ({"sample_rate": 8000}, ("sample_rate", "16000", "8000", "new STT")),
        ({"turn_end_threshold": 1.45}, ("turn_end_threshold", "1.45")),
        ({"keyterm": ["x"] * 101}, ("keyterm", "101")),
        ({"turn_start_threshold": 0.7, "turn_end_timeout_ms": -1}, ("turn_end_timeout_ms", "-1")),
    ],
)
async def test_a_change_that_can_not_be_made_changes_nothing(change: dict[str, Any], said: tuple[str, ...]) -> None:
    async with LocalServer(script=SAYS_NOTHING, record=True) as server, calling(server) as call:
        await until(lambda: call.named("connected"))
        with pytest.raises(ValueError, match=r".") as caught:
            call.stt.update_options(**change)
        assert not [part for part in said if part not in str(caught.value)], str(caught.value)
        call.push(0.2)
        await until(lambda: server.connections[0].audio_s > 0.1)
        assert not server.connections[0].commands


async def test_naming_what_is_in_force_already_is_no_change() -> None:
    make().update_options(model="ink-2", language="en", sample_rate=16000)


async def test_turn_settings_change_in_band_ahead_of_the_audio_that_follows() -> None:
    async with LocalServer(script=SAYS_NOTHING, record=True) as server, calling(server) as call:
        await until(lambda: call.named("connected"))
        call.stt.update_options(turn_end_threshold=0.3, turn_end_timeout_ms=900)
        call.push(0.2)
        await until(lambda: server.connections[0].audio_s > 0.1)
        assert server.connections[0].commands == [
            '{"type": "config", "turn": {"end_threshold": 0.3, "end_timeout_ms": 900}}'
        ]
        assert len(server.connections) == 1


async def test_streams_to_come_start_with_the_changed_options() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        owner.update_options(turn_end_threshold=0.3, keyterm="Ada Lovelace")
        async with talking(owner) as call:
            await until(lambda: call.named("connected"))
        assert ("turn_end_threshold", "0.3") in server.connections[0].query
        assert ("keyterm", "Ada Lovelace") in server.connections[0].query


async def test_keyterms_come_with_a_new_connection_made_between_turns() -> None:
    script = Script([say(0.1, TurnStart("")), say(0.5, TurnEnd("", "one"))])
    async with LocalServer(script=[script, SAYS_NOTHING]) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "START" in call.log)
        call.stt.update_options(keyterm=["Ada Lovelace"])
        call.push(0.2)
        await until(lambda: server.connections[0].audio_s > 0.35)
        assert len(server.connections) == 1
        call.push(0.2)
        await until(lambda: "END" in call.log)
        call.push(0.2)
        await until(lambda: len(server.connections) == 2)
        assert ("keyterm", "Ada Lovelace") in server.connections[1].query
        assert not call.named("connection_error")
        assert call.log == ["START", "FINAL one", "END"]


async def test_an_option_may_change_while_no_connection_can_be_had() -> None:
    async with LocalServer(script=SAYS_NOTHING, faults=[Faults(status=503)]) as server, calling(server) as call:
        await until(lambda: call.named("connection_error"))
        call.stt.update_options(keyterm=["Ada"], turn_end_threshold=0.3)
        await until(lambda: call.named("connected"))
        assert {("keyterm", "Ada"), ("turn_end_threshold", "0.3")} <= set(server.connections[0].query)


def test_a_change_and_a_profile_are_warned_about_as_construction_is(caplog: pytest.LogCaptureFixture) -> None:
    owner = make()
    owner.update_options(language="de-CH")
    owner.update_options(language_hints=["de"], turn_end_timeout_ms=100)
    with owner.turn_profile(eager_end_threshold=0.9):
        pass
    options = [getattr(record, "option", "") for record in caplog.records]
    assert options == ["language", "turn_end_timeout_ms", "language_hints", "turn_eager_end_threshold"]


def test_more_hints_than_are_known_to_be_taken_are_warned_about_when_they_are_changed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner = make(model="ink-preview", language_hints=SEVEN_HINTS[:6])
    assert not caplog.records
    owner.update_options(language_hints=SEVEN_HINTS)
    [record] = caplog.records
    assert (getattr(record, "option", ""), getattr(record, "known", "")) == ("language_hints", "at most 6")


def test_a_profile_that_does_not_fit_is_refused_while_there_is_no_call() -> None:
    owner = make(turn_start_threshold=0.5)
    with pytest.raises(ValueError, match="must hold"), owner.turn_profile("yes_no"):
        pass
    with owner.turn_profile(eager_end_threshold=0.3), pytest.raises(ValueError, match="must hold"):
        owner.update_options(turn_end_threshold=0.4)
    assert owner._calls.base.turn.end_threshold is None
