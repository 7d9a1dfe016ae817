"""Point 5: thresholds, profiles and keyterms change while the call goes on, and no audio is lost for it."""

from __future__ import annotations

import json
import logging

import pytest
from livekit.plugins.cartesia_turns.server import StreamRequest, Vendor
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings
from support.conversation import QUIET, Conversation, conversation
from support.script import START, end, update
from support.waiting import eventually

GIVEN = {"turn_eager_end_threshold": 0.5, "turn_end_threshold": 0.2, "turn_end_timeout_ms": 5000}
"""What the profiles change."""


def keyterms(talk: Conversation) -> list[list[str]]:
    """Those of each connection."""
    return [[value for name, value in record.query if name == "keyterm"] for record in talk.server.connections]


def configs(talk: Conversation) -> list[dict[str, float]]:
    return [json.loads(command) for record in talk.server.connections for command in record.commands]


async def connections(talk: Conversation, expected: int) -> None:
    await eventually(lambda: len(talk.server.connections) == expected)


async def heard_all(talk: Conversation) -> None:
    """Waits until the plugin has nothing left to send."""
    await eventually(lambda: talk.stt.stats.backlog_s == 0)


async def test_thresholds_go_out_as_one_message_ahead_of_the_next_audio() -> None:
    async with conversation() as talk:
        talk.stt.update_options(turn_end_threshold=0.3)
        talk.stt.update_options(turn_end_timeout_ms=2000)
        talk.microphone.push()
        await eventually(lambda: talk.stage.configured)
        assert talk.stage.configured == [TurnSettings(end_threshold=0.3, end_timeout_ms=2000)]
        assert len(talk.server.connections) == 1


async def test_a_later_connection_is_opened_with_them() -> None:
    async with conversation() as talk:
        talk.stt.update_options(turn_end_threshold=0.3)
        talk.microphone.push()
        await eventually(lambda: talk.stage.configured)
        await talk.server.drop_all()
        talk.microphone.push()
        await eventually(lambda: len(talk.server.connections) == 2)
        assert [pair for pair in talk.server.connections[1].query if pair[0].startswith("turn_")] == [
            ("turn_end_threshold", "0.3")
        ]


async def test_a_setting_that_no_server_takes_changes_nothing() -> None:
    async with conversation() as talk:
        with pytest.raises(ValueError, match=r"turn_end_threshold=1\.9"):
            talk.stt.update_options(turn_end_threshold=1.9, turn_end_timeout_ms=2000)
        await talk.turn("hello")
        assert talk.stage.configured == []


async def test_a_profile_holds_for_the_question_and_is_put_back_after_the_turn() -> None:
    async with conversation(stt_options=GIVEN) as talk:
        with talk.stt.turn_profile("yes_no"):
            await talk.hears(START, update("yes"))
        assert talk.stage.configured[-1].end_timeout_ms == 1200
        talk.microphone.push()
        await heard_all(talk)
        assert len(talk.stage.configured) == 1, "not before the turn under way is over"
        await talk.hears(end("yes"))
        talk.microphone.push()
        await eventually(lambda: len(talk.stage.configured) == 2)
        assert talk.stage.configured[-1] == TurnSettings(None, 0.5, 0.2, 5000)
        assert len(talk.server.connections) == 1


async def test_a_profile_set_while_asking_holds_until_the_answer_is_over() -> None:
    async with conversation(stt_options=GIVEN) as talk:
        with talk.stt.turn_profile("digits"):
            talk.session.say("What is your order number?")
            await talk.answered()
        talk.microphone.push()
        await heard_all(talk)
        assert talk.stage.configured[-1].end_timeout_ms == 8000, "the answer is yet to come"
        await talk.turn("one two three")
        talk.microphone.push()
        await eventually(lambda: talk.stage.configured[-1].end_timeout_ms == 5000)


async def test_without_thresholds_of_ones_own_a_new_socket_after_the_turn_gives_back_the_servers() -> None:
    async with conversation() as talk:
        with talk.stt.turn_profile("yes_no"):
            await talk.turn("yes")
        talk.microphone.push(QUIET)
        await connections(talk, 2)
        await heard_all(talk)
        assert talk.stage.requests[1].turn == Vendor().turn_defaults
        assert len(talk.stage.configured) == 1


async def test_a_profile_goes_over_thresholds_of_ones_own_and_gives_them_back() -> None:
    async with conversation(stt_options={"turn_end_timeout_ms": 3000}) as talk:
        with talk.stt.turn_profile(end_timeout_ms=9000):
            await talk.turn("hello")
        talk.microphone.push()
        await eventually(lambda: len(talk.stage.configured) == 2)
        assert [turn.end_timeout_ms for turn in talk.stage.configured] == [9000, 3000]


async def test_keyterms_take_a_new_socket_between_turns_and_lose_no_audio() -> None:
    async with conversation() as talk:
        await talk.hears(START, update("hello"))
        talk.stt.update_options(keyterm=["LiveKit"])
        talk.microphone.push()
        await heard_all(talk)
        assert keyterms(talk) == [[]], "not in mid-turn"
        await talk.hears(end("hello"))
        for _ in range(25):
            talk.microphone.push(QUIET)
        await eventually(lambda: len(talk.server.connections) == 2)
        await eventually(lambda: talk.stt.stats.sent_s >= 0.02 * 28 - 0.001)
        assert keyterms(talk) == [[], ["LiveKit"]]
        assert talk.stt.stats.lost_s == 0
        await talk.turn("again")
        assert talk.session.current_agent is not None


async def test_a_turn_that_starts_as_the_socket_changes_is_heard_in_full() -> None:
    async with conversation() as talk:
        await talk.turn("hello")
        talk.stt.update_options(keyterm=["LiveKit"])
        for number in range(1, 51):
            talk.microphone.push((1000 + number).to_bytes(2, "little") * 320)
        await eventually(lambda: len(talk.server.connections) == 2)
        await heard_all(talk)
        audio = talk.server.connections[1].audio
        await eventually(lambda: audio[-2:] == (1050).to_bytes(2, "little"))
        first = int.from_bytes(audio[:2], "little")
        heard = [int.from_bytes(audio[at : at + 2], "little") for at in range(0, len(audio), 640)]
        assert heard[-50:] == list(range(1001, 1051)), f"from {first} on"


async def test_the_sessions_keyterms_join_the_users_without_repetition() -> None:
    context = {"keyterms": ["Ink-2", "LiveKit"]}
    async with conversation(stt_options={"keyterm": ["LiveKit"]}, stt_context_options=context) as talk:
        assert keyterms(talk) == [["LiveKit", "Ink-2"]], "from the first socket on"
        talk.session.update_options(keyterms=["Sonic"])
        talk.microphone.push(QUIET)
        await eventually(lambda: len(talk.server.connections) == 2)
        assert keyterms(talk)[1] == ["LiveKit", "Sonic"]


async def test_more_keyterms_than_the_server_takes_are_left_out_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with conversation(stt_options={"keyterm": ["mine"]}) as talk:
        with caplog.at_level(logging.WARNING):
            for expected, kind in ((2, "first"), (3, "second")):
                talk.session.update_options(keyterms=[f"{kind} {number}" for number in range(200)])
                talk.microphone.push(QUIET)
                await connections(talk, expected)
        terms = keyterms(talk)[-1]
        assert terms[0] == "mine"
        assert len(terms) <= 100
        assert sum(map(len, terms)) <= 1200
        assert sum("more key terms" in record.message for record in caplog.records) == 1


def rates(requests: list[StreamRequest]) -> list[int]:
    return [request.sample_rate for request in requests]


async def test_what_the_server_cannot_change_is_refused_with_the_way_out() -> None:
    async with conversation() as talk:
        with pytest.raises(ValueError, match="make a new STT"):
            talk.stt.update_options(sample_rate=8000)
        assert rates(talk.stage.requests) == [16000]
