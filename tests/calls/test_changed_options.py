"""Options that change in a call, at a server with defaults of its own that takes what it likes: no call ends for it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns import ServerError
from livekit.plugins.cartesia_turns.core.configs import CLOSE_FOLLOWS_S
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings
from support.calls import Call, talking
from support.vendor_peer import DEFAULTS, Line, Vendor, lines, vendor
from support.waiting import holds, until

NO: dict[str, object] = {"status_code": 400, "title": "Bad request", "message": "not with *these* settings"}


@contextlib.asynccontextmanager
async def call_on(peer: Vendor, **arguments: Any) -> AsyncIterator[Call]:
    """A call that is connected."""
    owner = cartesia_turns.STT(base_url=peer.url, api_key="key", **arguments)
    async with talking(owner) as call:
        call.push(0.1)
        await until(lambda: call.named("connected"))
        yield call


async def turn(call: Call, line: Line, text: str = "yes") -> None:
    """A whole turn of the user's."""
    count = len(call.finals)
    await line.say("turn.start")
    await line.say("turn.end", transcript=text)
    await until(lambda: len(call.finals) > count)


def rejecting(*answers: Any) -> Any:
    return lambda config: list(answers)


# Nothing leans on a default that only the server knows.


async def test_after_a_profile_the_server_is_back_at_defaults_that_nobody_else_knows() -> None:
    async with vendor() as peer, call_on(peer) as call:
        line = await lines(peer, 1)
        with call.stt.turn_profile("yes_no"):
            call.push(0.1)
            await until(lambda: line.configs)
            await turn(call, line)
        call.push(0.1)
        line = await lines(peer, 2)
        assert line.turn == DEFAULTS
        await turn(call, line, "again")
        assert call.finals == ["yes", "again"]
        assert not call.named("connection_error")
        assert call.stream.stats.drops == 0


async def test_what_was_given_comes_back_on_the_same_socket_and_the_rest_was_never_touched() -> None:
    async with vendor() as peer, call_on(peer, turn_end_timeout_ms=3000) as call:
        line = await lines(peer, 1)
        with call.stt.turn_profile(end_timeout_ms=9000):
            call.push(0.1)
            await until(lambda: line.turn["end_timeout_ms"] == 9000)
            await turn(call, line)
        call.push(0.1)
        await until(lambda: line.turn["end_timeout_ms"] == 3000)
        assert line.turn == {**DEFAULTS, "end_timeout_ms": 3000}
        assert len(peer.lines) == 1


async def test_a_profile_of_a_stream_holds_for_its_call_alone_and_not_for_one_that_begins_meanwhile() -> None:
    async with vendor() as peer, call_on(peer, turn_end_timeout_ms=3000) as call:
        line = await lines(peer, 1)
        async with talking(call.stt) as other:
            other.push(0.1)
            others = await lines(peer, 2)
            with call.stream.turn_profile(end_timeout_ms=9000):
                call.push(0.1)
                await until(lambda: line.turn["end_timeout_ms"] == 9000)
                async with talking(call.stt) as late:
                    late.push(0.1)
                    assert (await lines(peer, 3)).turn["end_timeout_ms"] == 3000
                await turn(call, line)
            call.push(0.1)
            await until(lambda: line.turn["end_timeout_ms"] == 3000)
            other.push(0.1)
            await holds(lambda: not others.configs, for_s=0.2)
            assert others.turn["end_timeout_ms"] == 3000


async def test_an_update_sends_what_was_given_and_nothing_else() -> None:
    async with vendor() as peer, call_on(peer) as call:
        line = await lines(peer, 1)
        call.stt.update_options(turn_end_threshold=0.2)
        call.push(0.1)
        await until(lambda: line.configs)
        assert line.configs == [{"type": "config", "turn": {"end_threshold": 0.2}}]


async def test_keyterms_of_ink_preview_change_on_the_open_socket() -> None:
    async with vendor() as peer, call_on(peer, model="ink-preview", keyterm=["Ink"]) as call:
        line = await lines(peer, 1)
        assert line.keyterms == ["Ink"]
        call.stt.update_options(keyterm=["Ink", "Sonic"])
        call.push(0.1)
        await until(lambda: line.keyterms == ["Ink", "Sonic"])
        call.stt.update_options(keyterm=[])
        await until(lambda: line.keyterms == [])
        assert len(peer.lines) == 1


async def test_language_hints_of_ink_preview_change_on_the_open_socket() -> None:
    async with vendor() as peer, call_on(peer, model="ink-preview", language_hints=["pt"]) as call:
        line = await lines(peer, 1)
        call.stt.update_options(language_hints=["pt", "en"])
        call.push(0.1)
        await until(lambda: line.configs)
        assert line.configs == [{"type": "config", "language_hints": ["pt", "en"]}]
        assert len(peer.lines) == 1


async def test_more_language_hints_than_are_known_to_be_taken_go_out_with_the_socket_and_in_a_config() -> None:
    codes = ["pt", "en", "fr", "es", "it", "de", "nl"]
    async with vendor() as peer, call_on(peer, model="ink-preview", language_hints=codes) as call:
        line = await lines(peer, 1)
        assert [code for name, code in line.query if name == "language_hint"] == codes
        call.stt.update_options(language_hints=[*codes, "sv"])
        call.push(0.1)
        await until(lambda: line.configs)
        assert line.configs == [{"type": "config", "language_hints": [*codes, "sv"]}]


# A config that is rejected costs nothing.


async def test_a_rejected_config_is_told_and_neither_the_turn_nor_the_call_notices(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with vendor(answer=rejecting(NO)) as peer, call_on(peer) as call:
        line = await lines(peer, 1)
        rejections: list[cartesia_turns.OptionsRejectedEvent] = []
        call.stt.on("options_rejected", rejections.append)
        await line.say("turn.start")
        await line.say("turn.update", transcript="one")
        call.stt.update_options(turn_end_timeout_ms=900)
        call.push(0.1)
        await until(lambda: rejections)
        await line.say("turn.end", transcript="one two")
        await until(lambda: "END" in call.log)
        assert call.log == ["START", "INTERIM one", "FINAL one two", "END"]
        assert rejections[0].turn == TurnSettings(end_timeout_ms=900)
        assert rejections[0].keyterms is None
        assert isinstance(rejections[0].error, ServerError)
        assert rejections[0].error.status_code == 400
        assert call.stt.stats.rejected_configs == 1
        assert len(peer.lines) == 1
        assert not call.errors
    told = [record for record in caplog.records if "rejected" in record.getMessage()]
    assert len(told) == 1
    assert told[0].__dict__["options"] == "turn_end_timeout_ms"
    assert "these" not in str(vars(told[0]))


async def test_a_rejected_config_is_not_sent_again_and_no_later_socket_asks_for_it() -> None:
    async with vendor(answer=rejecting(NO)) as peer, call_on(peer, turn_end_timeout_ms=3000) as call:
        line = await lines(peer, 1)
        call.stt.update_options(turn_end_timeout_ms=900)
        call.push(0.1)
        await until(lambda: call.stt.stats.rejected_configs)
        call.stt.update_options(keyterm=["LiveKit"])
        call.push(0.1)
        later = await lines(peer, 2)
        assert len(line.configs) == 1
        assert later.turn["end_timeout_ms"] == 3000
        async with talking(call.stt) as other:
            other.push(0.1)
            assert (await lines(peer, 3)).turn["end_timeout_ms"] == 3000


async def test_a_profile_that_is_rejected_leaves_the_call_at_its_own_settings() -> None:
    async with vendor(answer=rejecting(NO)) as peer, call_on(peer) as call:
        line = await lines(peer, 1)
        with call.stt.turn_profile("yes_no"):
            call.push(0.1)
            await until(lambda: call.stt.stats.rejected_configs)
            await turn(call, line)
        call.push(0.1)
        await holds(lambda: len(peer.lines) == 1, for_s=0.3)
        assert len(line.configs) == 1


@pytest.mark.parametrize("error", [{}, {"message": None}, {"status_code": 500, "message": "?"}, {"status_code": "400"}])
async def test_a_rejection_may_say_little(error: dict[str, object]) -> None:
    async with vendor(answer=rejecting(error)) as peer, call_on(peer) as call:
        call.stt.update_options(turn_end_timeout_ms=900)
        call.push(0.1)
        await until(lambda: call.stt.stats.rejected_configs)
        await turn(call, await lines(peer, 1))


@pytest.mark.parametrize("refusal", [[400], [NO, 1008]], ids=["refuses", "closes"])
@pytest.mark.parametrize("answer", [[NO, 1008], [1011]], ids=["rejects", "drops"])
async def test_a_server_that_ends_the_socket_for_a_change_is_asked_for_what_it_had_taken_before(
    answer: list[Any], refusal: list[Any]
) -> None:
    def refuse(query: dict[str, str]) -> list[Any]:
        return refusal if query["turn_end_timeout_ms"] == "900" else []

    async with (
        vendor(answer=rejecting(*answer), refuse=refuse) as peer,
        call_on(peer, turn_end_timeout_ms=3000) as call,
    ):
        call.stt.update_options(turn_end_timeout_ms=900)
        call.push(0.1)
        await until(lambda: call.named("disconnected"))
        call.push(0.1)
        await until(lambda: call.stt.stats.rejected_configs)
        call.push(0.1)
        later = await lines(peer, 2)
        assert later.turn["end_timeout_ms"] == 3000
        await turn(call, later)
        assert not call.errors


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_an_error_about_the_key_ends_the_call_although_the_socket_stays_open(status: int) -> None:
    async with vendor(answer=rejecting({"status_code": status})) as peer, call_on(peer) as call:
        call.stt.update_options(turn_end_timeout_ms=900)
        call.push(0.1)
        await call.over(within_s=CLOSE_FOLLOWS_S)
        assert isinstance(call.raised, ServerError)
        assert call.raised.status_code == status


async def test_an_error_about_the_plan_makes_a_new_socket_although_the_last_stays_open() -> None:
    async with vendor(answer=rejecting({"status_code": 429})) as peer, call_on(peer) as call:
        call.stt.update_options(turn_end_timeout_ms=900)
        call.push(0.1)
        await until(lambda: call.named("connection_error"))
        call.push(0.1)
        await turn(call, await lines(peer, 2))


async def test_an_error_that_answers_no_config_makes_a_new_socket_although_the_last_stays_open() -> None:
    async with vendor() as peer, call_on(peer) as call:
        await (await lines(peer, 1)).say("error", **NO)
        await until(lambda: call.named("connection_error"))
        call.push(0.1)
        await turn(call, await lines(peer, 2))
        assert call.stt.stats.rejected_configs == 0


async def test_a_rejection_that_is_undecided_at_the_end_of_the_input_is_no_error() -> None:
    async with vendor(answer=rejecting(NO)) as peer, call_on(peer) as call:
        line = await lines(peer, 1)
        call.stt.update_options(turn_end_timeout_ms=900)
        call.push(0.1)
        await until(lambda: line.configs)
        call.stream.end_input()
        await call.over()
        assert call.raised is None


async def test_keyterms_that_are_rejected_leave_those_in_force() -> None:
    async with vendor(answer=rejecting(NO)) as peer, call_on(peer, model="ink-preview", keyterm=["Ink"]) as call:
        line = await lines(peer, 1)
        rejections: list[cartesia_turns.OptionsRejectedEvent] = []
        call.stt.on("options_rejected", rejections.append)
        call.stt.update_options(keyterm=["Sonic"])
        call.push(0.1)
        await until(lambda: rejections)
        assert rejections[0].keyterms == ("Sonic",)
        line.reset()
        await until(lambda: call.named("disconnected"))
        call.push(0.1)
        assert (await lines(peer, 2)).keyterms == ["Ink"]


@pytest.mark.parametrize("refusal", [[NO, 1008], [400]])
async def test_keyterms_that_a_new_socket_is_refused_for_cost_the_call_nothing(refusal: list[Any]) -> None:
    def refuse(query: dict[str, str]) -> list[Any]:
        return refusal if "keyterm" in query else []

    async with vendor(refuse=refuse) as peer, call_on(peer) as call:
        rejections: list[cartesia_turns.OptionsRejectedEvent] = []
        call.stt.on("options_rejected", rejections.append)
        call.stt.update_options(keyterm=["bad"])
        call.push(0.1)
        await until(lambda: rejections)
        call.push(0.1)
        await turn(call, await lines(peer, 2), "still there")
        assert [rejected.keyterms for rejected in rejections] == [("bad",)]
        assert not call.errors
        async with talking(call.stt) as other:
            other.push(0.1)
            await lines(peer, 3)


async def test_keyterms_that_change_while_a_socket_is_dialled_are_not_blamed_for_its_refusal() -> None:
    calls: list[Call] = []

    def refuse(query: dict[str, str]) -> list[Any]:
        if query.get("keyterm") != "bad":
            return []
        calls[0].stt.update_options(keyterm=["good"])
        return [400]

    async with vendor(refuse=refuse) as peer, call_on(peer) as call:
        calls.append(call)
        rejections: list[cartesia_turns.OptionsRejectedEvent] = []
        call.stt.on("options_rejected", rejections.append)
        call.stt.update_options(keyterm=["bad"])
        call.push(0.1)
        await until(lambda: rejections)
        call.push(0.1)
        assert (await lines(peer, 2)).keyterms == ["good"]
        assert [rejected.keyterms for rejected in rejections] == [("bad",)]


@pytest.mark.parametrize("refusal", [[NO, 1008], [400]])
async def test_options_that_the_first_socket_is_refused_for_are_an_error(refusal: list[Any]) -> None:
    async with vendor(refuse=lambda _: refusal) as peer:
        async with talking(cartesia_turns.STT(base_url=peer.url, api_key="key", keyterm=["bad"])) as call:
            call.push(0.1)
            await call.over()
        assert isinstance(call.raised, ServerError)
