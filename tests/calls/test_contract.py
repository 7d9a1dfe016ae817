"""What livekit-agents demands of an STT that detects turns: one test for each rule, named after it.

Most were found by trial: breaking one leaves the session deaf, silent or slow, without an error.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, APIStatusError, stt
from livekit.agents.stt import SpeechEvent, SpeechEventType
from livekit.plugins.cartesia_turns import compat
from livekit.plugins.cartesia_turns.server import Faults, LocalServer
from livekit.plugins.cartesia_turns.wire.messages import ServerMessage
from support.conversation import QUIET, VOICED, Conversation, conversation, stt_for
from support.script import START, eager_end, end, update
from support.stage import Stage
from support.waiting import eventually

TRANSCRIPTS = {
    SpeechEventType.INTERIM_TRANSCRIPT,
    SpeechEventType.PREFLIGHT_TRANSCRIPT,
    SpeechEventType.FINAL_TRANSCRIPT,
}
ONE_TRY = APIConnectOptions(max_retry=0, timeout=2.0)
FRAME = rtc.AudioFrame(VOICED, 16000, 1, len(VOICED) // 2)


async def events_of(*messages: ServerMessage, **options: Any) -> list[SpeechEvent]:
    """All that a stream says when the server says this."""
    stage = Stage()
    async with LocalServer(responder=stage) as server:
        stage.cue(*messages)
        stream = stt_for(server, **options).stream()
        stream.push_frame(FRAME)
        stream.end_input()
        return [event async for event in stream]


def texts(events: list[SpeechEvent], kind: SpeechEventType) -> list[str]:
    return [event.alternatives[0].text for event in events if event.type is kind]


async def exhausted(stream: stt.RecognizeStream) -> None:
    async for _ in stream:
        pass


async def failure_of(faults: Faults) -> APIError:
    """What a stream fails with when the server has these faults."""
    async with LocalServer(responder=Stage(), faults=faults) as server:
        stream = stt_for(server).stream(conn_options=ONE_TRY)
        stream.push_frame(FRAME)
        with pytest.raises(APIError) as caught:
            await asyncio.wait_for(exhausted(stream), 10.0)
        await stream.aclose()
        return caught.value


async def test_1_every_transcript_event_carries_exactly_one_alternative() -> None:
    events = await events_of(START, update("a"), eager_end("a"), end("a"), START, end(""))
    spoken = [event for event in events if event.type in TRANSCRIPTS]
    assert {event.type for event in spoken} == TRANSCRIPTS
    assert {len(event.alternatives) for event in spoken} == {1}


@pytest.mark.parametrize(
    "faults",
    [
        Faults(refuse=True),
        Faults(status=503),
        Faults(status=401),
        Faults(no_connected=True),
        Faults(garbage_at_s=0.0, garbage=['{"type": "error", "message": "no", "status_code": 402}']),
    ],
    ids=["refused", "503", "401", "no connected", "error in band"],
)
async def test_2_run_ends_only_with_an_api_error_while_the_input_is_open(faults: Faults) -> None:
    # `failure_of` fails where the stream ends cleanly, or with anything else.
    assert isinstance(await failure_of(faults), APIError)


async def test_2_run_lives_through_whatever_the_server_sends() -> None:
    garbage: list[str | bytes] = [
        "[]",
        '"text"',
        "7",
        "{}",
        "not JSON",
        b"\0\1",
        '{"type": 7}',
        '{"type": "turn.update"}',
    ]
    async with conversation(server_options={"faults": Faults(garbage_at_s=0.0, garbage=garbage)}) as talk:
        await talk.turn("hello")
        await talk.answered()
        assert talk.said == ["hello"]
        assert talk.stt.stats.connections == 1


async def test_2_run_ends_cleanly_once_the_input_is_over_and_drained() -> None:
    assert texts(await events_of(START, update("a"), end("a")), SpeechEventType.FINAL_TRANSCRIPT) == ["a"]


async def test_3_no_start_of_speech_is_left_without_an_end() -> None:
    events = await events_of(START, update("a"), START, update("b"), eager_end("b"))
    kinds = [event.type for event in events if event.type not in TRANSCRIPTS]
    turn = [SpeechEventType.START_OF_SPEECH, SpeechEventType.END_OF_SPEECH]
    assert [kind for kind in kinds if kind in turn] == turn * 2


async def test_3_an_open_turn_is_ended_before_an_error_surfaces() -> None:
    async with conversation() as talk:
        await talk.hears(START, update("a"))
        await eventually(lambda: talk.session.user_state == "speaking")
        talk.server.faults = Faults(status=401)
        await talk.server.drop_all()
        await eventually(lambda: talk.session.user_state == "listening")
        assert talk.plugin_events[-1] == "turn_end"


async def test_4_end_of_speech_has_a_speech_end_time_between_its_start_and_now() -> None:
    events = await events_of(START, update("a"), end("a"))
    (start,) = (event for event in events if event.type is SpeechEventType.START_OF_SPEECH)
    (over,) = (event for event in events if event.type is SpeechEventType.END_OF_SPEECH)
    assert start.speech_start_time is not None
    assert over.speech_end_time is not None
    assert start.speech_start_time <= over.speech_end_time <= time.time()


async def test_5_no_preflight_and_no_interim_comes_twice_with_the_same_text() -> None:
    events = await events_of(
        START, update("a"), update("a"), eager_end("a"), eager_end("a"), eager_end("a b"), end("a b")
    )
    assert texts(events, SpeechEventType.PREFLIGHT_TRANSCRIPT) == ["a", "a b"]
    assert texts(events, SpeechEventType.INTERIM_TRANSCRIPT) == ["a"]


async def test_6_an_empty_turn_clears_the_interim_and_has_no_final() -> None:
    events = await events_of(START, update(" "), end(""))
    kinds = [event.type for event in events if event.type is not SpeechEventType.RECOGNITION_USAGE]
    assert kinds[-2:] == [SpeechEventType.INTERIM_TRANSCRIPT, SpeechEventType.END_OF_SPEECH]
    assert texts(events, SpeechEventType.INTERIM_TRANSCRIPT) == [""]
    assert SpeechEventType.FINAL_TRANSCRIPT not in kinds


async def test_6_an_end_without_text_leaves_what_was_shown_as_the_final() -> None:
    events = await events_of(START, update("well"), end(""))
    assert texts(events, SpeechEventType.INTERIM_TRANSCRIPT) == ["well"]
    assert texts(events, SpeechEventType.FINAL_TRANSCRIPT) == ["well"]


async def test_6_an_empty_turn_leaves_nothing_for_a_later_turn() -> None:
    async with conversation() as talk:
        await talk.hears(START, update(" "), end(""), steps=2)
        await talk.session.aclose()
        assert talk.said == []


async def test_7_usage_is_reported_as_it_accrues_not_only_at_the_end() -> None:
    async with conversation() as talk:
        for number in range(2):
            await talk.turn(f"turn {number}")
            await talk.answered(number + 1)
            await talk.silent()
            await eventually(lambda: usage_s(talk) == pytest.approx(talk.stt.stats.sent_s))


def usage_s(talk: Conversation) -> float:
    return sum(each.audio_duration for each in talk.session.usage.model_usage if each.type == "stt_usage")


async def test_8_an_error_in_band_is_a_status_error_and_fails_fast_where_retrying_is_no_use() -> None:
    error = json.dumps({"type": "error", "title": "Payment", "message": "required", "status_code": 402})
    begun = time.monotonic()
    failure = await failure_of(Faults(garbage_at_s=0.0, garbage=[error]))
    assert isinstance(failure, APIStatusError)
    assert failure.status_code == 402
    assert not failure.retryable
    assert time.monotonic() - begun < 2.0


async def test_9_a_connection_that_does_not_come_about_is_given_up() -> None:
    begun = time.monotonic()
    await failure_of(Faults(handshake_delay_s=60.0))
    assert time.monotonic() - begun < 8.0


async def test_9_a_turn_whose_audio_stops_is_ended() -> None:
    async with conversation(stt_options={"turn_end_timeout_ms": 640}) as talk:
        await talk.hears(START, update("well"), pcm=QUIET)
        await talk.answered()
        assert talk.said == ["well"]


def test_the_capabilities_say_what_the_plugin_does() -> None:
    capabilities = stt_for_nothing().capabilities
    flushes = {"manual_flush": True} if compat.FLUSHES else {}
    assert capabilities == stt.STTCapabilities(
        streaming=True,
        interim_results=True,
        diarization=False,
        aligned_transcript=False,
        offline_recognize=False,
        keyterms=True,
        chat_context=False,
        **flushes,
    )


def stt_for_nothing() -> stt.STT[Any]:
    return stt_for(LocalServer(responder=Stage(), key="unused", port=1))
